# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of restore timers as it is sent to balancers' hosts: of the runner's sources those that it imports."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import io
import json
import re
import typing as t
import zipfile
import zlib

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import payload

START = f"{payload.PACKAGE}.plugin_utils.sessions.remote.restoring"
MAIN = f"from {START} import main\n\nmain()\n"
IMPORT = re.compile(rf"^\s*from ({re.escape(payload.PACKAGE)}[\w.]*) import (\([^)]*\)|[^\n(]*)", re.MULTILINE)
ALWAYS_THE_SAME = (1980, 1, 1, 0, 0, 0)


@dataclasses.dataclass(frozen=True)
class Program:
    """A Python archive in base64, and the SHA-256 of the archive."""

    content: str
    digest: str


@functools.lru_cache(maxsize=None)
def program() -> Program:
    """Once a process: it costs some hundredths of a second."""
    sources = json.loads(zlib.decompress(payload.payload().content))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        _add(written, "__main__.py", MAIN)
        for name in sorted(imported_from(START, sources)):
            is_package, text = sources[name]
            path = name.replace(".", "/")
            _add(written, f"{path}/__init__.py" if is_package else f"{path}.py", text)
    content = archive.getvalue()
    return Program(base64.b64encode(content).decode("ascii"), hashlib.sha256(content).hexdigest())


def imported_from(start: str, sources: t.Mapping[str, t.Sequence[t.Any]]) -> set[str]:
    """Every module that *start* may import, inside of functions too, with the packages around them."""
    found: set[str] = set()
    left = [start]
    while left:
        name = left.pop()
        if name in sources and name not in found:
            found.add(name)
            left += [name.rpartition(".")[0], *_imports(str(sources[name][1]))]
    return found


def _imports(text: str) -> t.Iterator[str]:
    for module, names in IMPORT.findall(text):
        yield module
        yield from (f"{module}.{name}" for name in re.findall(r"\w+", names))


def _add(archive: zipfile.ZipFile, path: str, text: str) -> None:
    archive.writestr(zipfile.ZipInfo(path, ALWAYS_THE_SAME), text, zipfile.ZIP_DEFLATED)
