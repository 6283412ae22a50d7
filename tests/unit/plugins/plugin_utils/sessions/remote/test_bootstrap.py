# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import hashlib
import json
import marshal
import os
import pathlib
import types
import typing as t
import zlib

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote import bootstrap
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.bootstrap import Kept, NotPrivate, Runner

MODULES = {"a": (False, marshal.dumps(compile("x = 1", "a", "exec")))}
DIGEST = "0" * 64


@pytest.fixture
def top(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(bootstrap, "state_directory", lambda: str(tmp_path / "steady-rollout"))
    return tmp_path / "steady-rollout"


def test_the_runner_is_kept_for_its_user_alone(top: pathlib.Path) -> None:
    before = os.umask(0)
    try:
        kept = Kept(bootstrap.private_directory(), DIGEST)
        kept.save(MODULES)
    finally:
        os.umask(before)
    assert kept.load() == MODULES
    assert [oct(path.stat().st_mode & 0o777) for path in (top, top / "runner", *(top / "runner").iterdir())] == [
        "0o700",
        "0o700",
        "0o600",
    ]


@pytest.mark.parametrize("harm", ["cut", "changed", "readable", "link"])
def test_a_damaged_runner_is_not_used(top: pathlib.Path, harm: str) -> None:
    kept = Kept(bootstrap.private_directory(), DIGEST)
    kept.save(MODULES)
    path = pathlib.Path(kept.path)
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    elif harm == "changed":
        path.write_bytes(path.read_bytes().replace(b"x", b"y"))
    elif harm == "readable":
        path.chmod(0o644)
    else:
        path.rename(top / "elsewhere")
        path.symlink_to(top / "elsewhere")
    assert kept.load() is None


@pytest.mark.parametrize(
    ("mode", "place", "said"),
    [(0o777, "", "has mode 0777: others may use it"), (0o750, "runner", "has mode 0750: others may use it")],
)
def test_a_directory_that_others_may_use_is_refused(top: pathlib.Path, mode: int, place: str, said: str) -> None:
    bootstrap.private_directory()
    (top / place).chmod(mode)
    with pytest.raises(NotPrivate) as refused:
        bootstrap.private_directory()
    assert str(refused.value) == f"{top / place} {said}"


def test_a_link_in_the_place_of_the_directory_is_refused(top: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "other").mkdir()
    top.symlink_to(tmp_path / "other")
    with pytest.raises(NotPrivate, match="is not a directory"):
        bootstrap.private_directory()


def test_old_runners_are_removed(top: pathlib.Path) -> None:
    directory = bootstrap.private_directory()
    for number in range(4):
        kept = Kept(directory, str(number) * 64)
        kept.save(MODULES)
        os.utime(kept.path, (number, number))
    kept.remove_old()
    assert sorted(path.name[:1] for path in pathlib.Path(directory).iterdir()) == ["2", "3"]


def test_no_space_leaves_no_draft(top: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(bootstrap.private_directory(), DIGEST)

    def full(*_words: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bootstrap.os, "rename", full)
    with pytest.raises(OSError, match="No space"):
        kept.save(MODULES)
    assert list(pathlib.Path(kept.directory).iterdir()) == []


def received(sent: bytes, expected: bytes, said: list[dict[str, t.Any]]) -> bootstrap.Modules:
    """The modules of a runner that is kept nowhere and *sent* where *expected* was announced."""
    channel: t.Any = types.SimpleNamespace(say=lambda **words: said.append(words), read=lambda size: sent)
    return Runner(channel, hashlib.sha256(expected).hexdigest(), len(expected)).modules()


def test_a_runner_is_asked_for_where_it_is_not_kept_and_kept_from_then_on(top: pathlib.Path) -> None:
    said: list[dict[str, t.Any]] = []
    content = zlib.compress(json.dumps({"a": [False, "x = 1"]}).encode())
    first = received(content, content, said)
    assert said == [{"state": "need"}]
    assert received(b"", content, said) == first
    assert said == [{"state": "need"}]


def test_a_runner_that_arrives_otherwise_than_it_was_sent_is_not_run(top: pathlib.Path) -> None:
    said: list[dict[str, t.Any]] = []
    content, other = (zlib.compress(json.dumps({"a": [False, text]}).encode()) for text in ("x = 1", "x = 2"))
    with pytest.raises(SystemExit):
        received(other, content, said)
    assert said == [{"state": "need"}, {"state": "cannot", "why": "the runner did not arrive as it was sent"}]
    assert os.listdir(top / "runner") == [".lock"]
