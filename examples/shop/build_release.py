# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds shop-VERSION.tar.gz: the same bytes for the same version, whenever and wherever it is built.

build_release.py 2.0.0 --out files
build_release.py 3.0.0 --out files --behaviour '{"healthy_for": 5}'
build_release.py 4.0.0 --out files --corrupt
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tarfile
import typing as t

APP = pathlib.Path(__file__).resolve().with_name("app.py")
FEATURES = APP.with_name("features.py")


def program() -> dict[str, bytes]:
    """The files that the shop needs to run, by name."""
    return {path.name: path.read_bytes() for path in (APP, FEATURES)}


def build(
    version: str,
    out: pathlib.Path,
    behaviour: dict[str, t.Any] | None = None,
    corrupt: bool = False,
    padding: int = 0,
) -> pathlib.Path:
    """Writes the release's archive into *out* and returns its path.

    *behaviour* makes it a bad release (see app.py). *corrupt* cuts the archive off in the middle.
    *padding* adds a file of that many bytes which do not compress.
    """
    files = {"VERSION": version.encode() + b"\n", **program()}
    if behaviour:
        files["behaviour.json"] = json.dumps(behaviour, sort_keys=True).encode() + b"\n"
    if padding:
        files["padding.bin"] = _noise(version, padding)
    archive = _pack(files)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"shop-{version}.tar.gz"
    path.write_bytes(archive[: len(archive) // 2] if corrupt else archive)
    return path


def _pack(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    packed = gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0)
    with packed, tarfile.open(mode="w", fileobj=packed, format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if name.endswith(".py") else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _noise(seed: str, size: int) -> bytes:
    blocks = (hashlib.sha512(f"{seed} {number}".encode()).digest() for number in range(size // 64 + 1))
    return b"".join(blocks)[:size]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--behaviour", type=json.loads, metavar="JSON")
    parser.add_argument("--corrupt", action="store_true")
    parser.add_argument("--padding", type=int, default=0, metavar="BYTES")
    arguments = parser.parse_args()
    print(build(**vars(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
