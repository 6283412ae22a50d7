"""The file that brings drains back after a reload."""

from __future__ import annotations

import os
import pathlib
import stat
import threading

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.state_file import StateFile
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

HEAD = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight\n"


def row(pool: str, name: str, bits: int) -> str:
    return f"3 {pool} 1 {name} 192.0.2.1 2 {bits} 1\n"


def test_states_of_one_pool(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state"
    path.write_text(HEAD + row("shop", "a", 8) + row("shop", "b", 0) + row("other", "a", 1))
    assert StateFile(str(path)).own_states("shop") == {"a": "drained", "b": "in_service"}


@pytest.mark.parametrize("content", [None, "", "garbage\n"])
def test_a_file_that_is_none_brings_nothing_back(tmp_path: pathlib.Path, content: str | None) -> None:
    path = tmp_path / "state"
    if content is not None:
        path.write_text(content)
    assert StateFile(str(path)).own_states("shop") == {}


def test_the_file_keeps_its_mode(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state"
    path.write_text("old")
    path.chmod(0o640)
    StateFile(str(path)).rewrite(lambda: "new")
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_may_be_read_by_haproxy(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state"
    old_mask = os.umask(0o077)
    try:
        StateFile(str(path)).rewrite(lambda: "new")
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_failing_read_leaves_the_file_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state"
    path.write_text("old")

    def fail() -> str:
        raise RolloutError("lb1: gone.")

    with pytest.raises(RolloutError, match="gone"):
        StateFile(str(path)).rewrite(fail)
    assert path.read_text() == "old"


def test_the_state_is_read_in_turn(tmp_path: pathlib.Path) -> None:
    """A writer that read early and wrote late would put the other's change back."""
    path = tmp_path / "state"
    reading, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def slow() -> str:
        reading.set()
        go_on.wait(5)
        order.append("slow read")
        return "slow"

    def fast() -> str:
        order.append("fast read")
        return "fast"

    first = threading.Thread(target=StateFile(str(path)).rewrite, args=(slow,))
    first.start()
    reading.wait(5)
    second = threading.Thread(target=StateFile(str(path)).rewrite, args=(fast,))
    second.start()
    go_on.set()
    first.join(5)
    second.join(5)
    assert order == ["slow read", "fast read"]
    assert path.read_text() == "fast\n"


def test_a_folder_that_is_missing_is_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "missing" / "state"
    with pytest.raises(RolloutError) as caught:
        StateFile(str(path)).rewrite(lambda: "new")
    assert caught.value.message == (
        f"{path}: cannot keep HAProxy's server state: No such file or directory. The change itself is made; a reload "
        "would lose it. Make balancer.state_file writable for this user, then run again."
    )


def test_a_link_planted_under_the_drafts_old_name_is_not_followed(tmp_path: pathlib.Path) -> None:
    """HAProxy's user owns the directory; root wrote to and gave it whatever '<state_file>.new' led to."""
    victim = tmp_path / "passwd"
    victim.write_text("root")
    (tmp_path / "state").write_text("old")
    (tmp_path / "state.new").symlink_to(victim)
    StateFile(str(tmp_path / "state")).rewrite(lambda: "new")
    assert (victim.read_text(), (tmp_path / "state").read_text()) == ("root", "new\n")


@pytest.mark.parametrize("name", ["state", "state.lock"])
def test_a_link_in_place_of_the_file_or_its_lock_is_refused(tmp_path: pathlib.Path, name: str) -> None:
    victim = tmp_path / "passwd"
    victim.write_text("root")
    (tmp_path / name).symlink_to(victim)
    with pytest.raises(RolloutError) as caught:
        StateFile(str(tmp_path / "state")).rewrite(lambda: "new")
    assert caught.value.message.startswith(f"{tmp_path}/state: cannot keep HAProxy's server state: ")
    assert victim.read_text() == "root"


def test_a_pipe_in_place_of_the_file_does_not_block(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "state")
    with pytest.raises(RolloutError) as caught:
        StateFile(str(tmp_path / "state")).own_states("shop")
    assert "cannot keep HAProxy's server state: it is not a regular file." in caught.value.message
