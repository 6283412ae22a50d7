# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files replaced and locked in directories where somebody else may have prepared something."""

from __future__ import annotations

import fcntl
import os
import pathlib
import stat
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils import files, locks, processes
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.files import Access

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
NOBODY = 65534


def test_a_file_is_replaced_with_its_mode_and_nothing_else_is_left(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "state"
    place.write_text("old")
    place.chmod(0o640)
    files.replace(str(place), "new", files.access_of(str(place)), modified=1000.0)
    assert (place.read_text(), stat.S_IMODE(place.stat().st_mode), place.stat().st_mtime) == ("new", 0o640, 1000.0)
    assert os.listdir(tmp_path) == ["state"]


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: pathlib.Path) -> None:
    victim, place = tmp_path / "passwd", tmp_path / "state"
    victim.write_text("root")
    place.symlink_to(victim)
    with pytest.raises(OSError, match="it is not a regular file"):
        files.access_of(str(place))
    files.replace(str(place), "new", Access(0o600))
    assert (victim.read_text(), place.is_symlink()) == ("root", False)


def test_a_draft_has_no_name_that_could_be_foreseen(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts: list[str] = []
    replace = os.replace

    def record(source: str, *rest: t.Any, **options: t.Any) -> None:
        drafts.append(source)
        replace(source, *rest, **options)

    monkeypatch.setattr(os, "replace", record)
    for _again in range(2):
        files.replace(str(tmp_path / "state"), "text", Access(0o600))
    assert len(set(drafts)) == 2
    assert all(len(name) >= len(".state.") + 32 for name in drafts)


def test_a_draft_is_never_opened_where_something_is_already(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "urandom", lambda size: b"\xee" * size)
    victim = tmp_path / "passwd"
    victim.write_text("root")
    (tmp_path / f".state.{'ee' * 16}").symlink_to(victim)
    with pytest.raises(FileExistsError):
        files.replace(str(tmp_path / "state"), "new", Access(0o600))
    assert victim.read_text() == "root"


def test_a_file_is_read_up_to_its_limit_and_through_no_link_where_none_is_wanted(tmp_path: pathlib.Path) -> None:
    place, link = tmp_path / "state", tmp_path / "link"
    place.write_text("12345")
    link.symlink_to(place)
    assert files.read(str(link), 5) == b"12345"
    with pytest.raises(OSError, match="it has more than 4 bytes"):
        files.read(str(place), 4)
    with pytest.raises(OSError, match="symbolic link"):
        files.read(str(link), 5, follow=False)


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "state"
    place.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        files.replace(str(place), "\ud800", Access(0o600))
    assert (place.read_text(), os.listdir(tmp_path)) == ("old", ["state"])


@needs_root
def test_a_link_of_another_user_is_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "passwd").write_text("root")
    link = tmp_path / "routes.map"
    link.symlink_to(tmp_path / "passwd")
    assert files.trusted_target(str(link)) == str(tmp_path / "passwd")
    os.lchown(link, NOBODY, NOBODY)
    with pytest.raises(OSError, match="it is a symbolic link made by uid 65534"):
        files.trusted_target(str(link))


@needs_root
def test_a_directory_of_somebody_else_is_refused(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "claims"
    place.mkdir()
    os.chown(place, NOBODY, NOBODY)
    with pytest.raises(RolloutError) as caught:
        files.private_directory(str(place))
    assert caught.value.message == (
        f"{place}: belongs to uid 65534, which could change what is in it; expected uid 0. Find out who made it, then "
        "remove it."
    )


def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "claims"
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(RolloutError) as caught:
        files.private_directory(str(place))
    assert caught.value.message == (
        f"{place}: has mode 0777, so every user can change what is in it. Check its files, then run chmod o-w {place}."
    )


def test_a_link_in_the_place_of_a_directory_is_refused(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "claims"
    place.symlink_to(tmp_path)
    with pytest.raises(RolloutError) as caught:
        files.private_directory(str(place))
    assert caught.value.message == f"{place}: is not a directory. Remove it, then run again."


def test_a_directory_is_made_for_this_user_alone(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "a" / "claims"
    files.private_directory(str(place))
    files.private_directory(str(place))
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_lock_is_for_its_owner_alone(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "shop.lock"
    place.touch(mode=0o666)
    place.chmod(0o666)
    with files.locked(str(place), "service 'shop'"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_lock_that_is_not_released_names_its_holder(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "shop.lock"
    with Holder(place):
        message = refused(place, 0.05)
    assert message == (
        f"{place}: another process has been changing service 'shop' for more than 0.05 s: pid {os.getpid()} "
        f"({processes.program(os.getpid())}). Nothing was changed; wait for that process or end it, then run again."
    )


def test_a_holder_that_cannot_be_seen_is_said_to_be_so(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "shop.lock"
    monkeypatch.setattr(locks, "holder_of", lambda path: None)
    with Holder(place):
        assert " s: an unknown process (run as root to see it). " in refused(place)


def test_what_somebody_writes_into_a_lock_is_never_shown(tmp_path: pathlib.Path) -> None:
    """It named the holder once: whoever may write to the file could name any process for the operator to end."""
    place = tmp_path / "shop.lock"
    place.write_text("1 systemd\n")
    with Holder(place):
        assert f": pid {os.getpid()} (" in refused(place)


def test_a_suspended_holder_is_said_to_be_stopped(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "shop.lock"
    place.touch()
    stops = "import fcntl, os, signal, sys; it = open(sys.argv[1]); fcntl.flock(it, fcntl.LOCK_EX); os.kill(os.getpid(), signal.SIGSTOP)"
    child = subprocess.Popen([sys.executable, "-c", stops, place])
    try:
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        assert f": pid {child.pid} ({processes.program(child.pid)}), which is stopped. " in refused(place)
    finally:
        child.kill()
        child.wait()


def test_a_pipe_in_the_place_of_a_lock_does_not_block(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "shop.lock"
    os.mkfifo(place)
    with pytest.raises(OSError, match="it is not a regular file"), files.locked(str(place), "service 'shop'"):
        pytest.fail("a pipe is no lock")


def refused(place: pathlib.Path, timeout: float = 0.0) -> str:
    with pytest.raises(RolloutError) as caught, files.locked(str(place), "service 'shop'", timeout):
        pytest.fail("the lock is held by somebody else")
    return caught.value.message


class Holder:
    """Somebody else's lock, as flock sees it: another opening of the same file."""

    def __init__(self, path: pathlib.Path) -> None:
        self._stream = path.open("a")

    def __enter__(self) -> None:
        fcntl.flock(self._stream, fcntl.LOCK_EX)

    def __exit__(self, *exception: object) -> None:
        self._stream.close()


def test_a_lock_has_one_holder_at_a_time(tmp_path: pathlib.Path) -> None:
    place = str(tmp_path / "lock")
    with files.locked(place, "the pool"):
        with pytest.raises(RolloutError) as refused, files.locked(place, "the pool", timeout=0.0):
            pytest.fail("two holders")
        assert f"pid {os.getpid()} (" in refused.value.message
