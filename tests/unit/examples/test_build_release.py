# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib
import tarfile
import zlib

import pytest
from support import examples

build_release = examples.module("shop", "build_release")


def files(archive: pathlib.Path) -> dict[str, bytes]:
    with tarfile.open(archive) as opened:
        return {entry.name: opened.extractfile(entry).read() for entry in opened}  # type: ignore[union-attr]


def test_the_same_version_is_the_same_bytes(tmp_path: pathlib.Path) -> None:
    first = build_release.build("1.0.0", tmp_path / "a", padding=1000)
    second = build_release.build("1.0.0", tmp_path / "b", padding=1000)
    assert first.name == "shop-1.0.0.tar.gz"
    assert first.read_bytes() == second.read_bytes()


def test_a_release_holds_the_app_and_its_version(tmp_path: pathlib.Path) -> None:
    content = files(build_release.build("1.0.0", tmp_path))
    assert sorted(content) == ["VERSION", "app.py", "features.py"]
    assert content["VERSION"] == b"1.0.0\n"
    assert content["app.py"] == build_release.APP.read_bytes()


def test_a_bad_release_says_how(tmp_path: pathlib.Path) -> None:
    content = files(build_release.build("3.0.0", tmp_path, behaviour={"healthy_for": 5}))
    assert json.loads(content["behaviour.json"]) == {"healthy_for": 5}


def test_padding_hardly_compresses(tmp_path: pathlib.Path) -> None:
    archive = build_release.build("1.0.0", tmp_path, padding=100_000)
    assert len(files(archive)["padding.bin"]) == 100_000
    assert archive.stat().st_size > 100_000


def test_a_corrupt_release_cannot_be_read_to_its_end(tmp_path: pathlib.Path) -> None:
    archive = build_release.build("4.0.0", tmp_path, corrupt=True)
    with pytest.raises((EOFError, tarfile.ReadError, zlib.error)):
        files(archive)
