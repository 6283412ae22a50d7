# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file through a session, into a process that keeps it without a name."""

from __future__ import annotations

import errno
import importlib
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release import incoming
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import sending
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.answering import answer


class OtherEnd:
    """The other end of a session in this process: what is sent and answered is JSON, as there."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def call(self, request: t.Any, timeout: t.Any) -> t.Any:
        asked = json.loads(json.dumps(request))
        module, _colon, function = asked["core"].partition(":")
        self.calls.append(function)
        found = getattr(importlib.import_module(module), function)
        return json.loads(json.dumps(answer(found, asked["params"], asked["check_mode"], asked["diff"])))


@pytest.fixture
def artifact(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(incoming.claims, "state_directory", lambda: str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    path = tmp_path / "shop-2.0.0.tar.gz"
    path.write_bytes(os.urandom(2 * sending.PIECE + 17))
    return str(path)


def sent(end: OtherEnd, path: str) -> t.Any:
    return sending.sent(t.cast("t.Any", end), path, "files/shop-2.0.0.tar.gz", "app1")


def test_a_file_arrives_in_pieces_and_is_read_by_its_place(artifact: str, tmp_path: pathlib.Path) -> None:
    end = OtherEnd()
    with sent(end, artifact) as place:
        assert pathlib.Path(place).read_bytes() == pathlib.Path(artifact).read_bytes()
        assert os.path.isfile(place)
        assert list((tmp_path / "state").iterdir()) == []
    assert end.calls == ["receive", "receive", "receive", "discard"]
    assert incoming._FILES == {}


def test_a_file_is_forgotten_where_what_was_done_with_it_fails(artifact: str) -> None:
    with pytest.raises(ZeroDivisionError), sent(OtherEnd(), artifact):
        raise ZeroDivisionError
    assert incoming._FILES == {}


def test_a_full_disk_is_one_sentence(artifact: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, data: bytes) -> t.NoReturn:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            pass

    def opened(identity: str, place: str) -> t.Any:
        incoming._FILES[identity] = Full()
        return incoming._FILES[identity]

    about = os.statvfs(tmp_path)
    monkeypatch.setattr(incoming, "_opened", opened)
    monkeypatch.setattr(incoming.os, "statvfs", lambda place: about)
    with pytest.raises(RolloutError) as caught, sent(OtherEnd(), artifact):
        pass
    free = about.f_bavail * about.f_frsize / 1e6
    assert caught.value.message == (
        f"files/shop-2.0.0.tar.gz could not be copied to {tmp_path}/state on the host: no space left, it has 2.1 MB and "
        f"{free:.1f} MB are free there. Nothing was changed. Free some and run again."
    )
    assert incoming._FILES == {}
