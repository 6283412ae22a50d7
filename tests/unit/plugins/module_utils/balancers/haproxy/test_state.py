"""HAProxy's tables, as real and as documented, made into members."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Member
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import state as haproxy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.state import BadReply
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.workers import old_workers

REPLIES = pathlib.Path(__file__).parent / "replies"
VERSIONS = sorted(path.name for path in REPLIES.iterdir() if path.is_dir())


def reply(version: str, name: str) -> str:
    return (REPLIES / version / f"{name}.txt").read_text()


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def members(version: str) -> dict[str, Member]:
    state = haproxy_state.state_rows(reply(version, "servers_state"))
    return haproxy_state.members(state, haproxy_state.stat_rows(reply(version, "stat")))


# name: own, admin, operational, in_rotation
EXPECTED = {
    "up": ("in_service", "in_service", "up", True),
    "nocheck": ("in_service", "in_service", "no_check", True),
    "heavy": ("in_service", "in_service", "up", True),
    "down": ("in_service", "in_service", "down", False),
    "drained": ("drained", "drained", "up", False),
    "drained_down": ("drained", "drained", "down", False),
    "maint": ("maintenance", "maintenance", "paused", False),
    "config_disabled": ("maintenance", "maintenance", "paused", False),
    "tracks": ("in_service", "maintenance", "paused", False),
    "tracks_up": ("in_service", "in_service", "up", True),
    "unresolved": ("in_service", "maintenance", "paused", False),
    "slow": ("in_service", "in_service", "starting", True),
    "stopping": ("in_service", "in_service", "stopping", False),
    "agent": ("drained", "drained", "up", False),
    "weightless": ("in_service", "in_service", "up", False),
    "backup": ("in_service", "in_service", "up", False),
    "six": ("in_service", "in_service", "no_check", True),
}


def test_states(members: dict[str, Member]) -> None:
    seen = {name: (one.own, one.admin, one.operational, one.in_rotation) for name, one in members.items()}
    assert seen == EXPECTED


def test_the_rest(members: dict[str, Member]) -> None:
    assert (members["heavy"].sessions, members["heavy"].weight) == (2, 100)
    assert members["up"].sessions == 0
    assert members["six"].address == "[::1]:9001"
    assert members["up"].address == "127.0.0.1:9001"
    assert members["unresolved"].address == "-:9001"
    assert [name for name, one in members.items() if one.inherited] == ["tracks", "unresolved"]
    assert [name for name, one in members.items() if one.agent] == ["agent"]
    assert [name for name, one in members.items() if one.backup] == ["backup"]
    assert {name: one.tracks for name, one in members.items() if one.tracks} == {
        "tracks": "shop/maint",
        "tracks_up": "shop/up",
    }
    assert members["down"].check == "L4CON Connection refused"
    assert members["up"].check == "L7OK 200 Layer7 check passed"
    assert members["nocheck"].check == ""
    assert {one.old_sessions for one in members.values()} == {None}


def test_a_backup_takes_over_when_the_others_are_gone(version: str) -> None:
    state = haproxy_state.state_rows(reply(version, "servers_state"))
    for row in state:
        if row["srv_name"] != "backup":
            row["srv_op_state"] = "0"
    members = haproxy_state.members(state, haproxy_state.stat_rows(reply(version, "stat")))
    assert [name for name, one in members.items() if one.in_rotation] == ["backup"]


def test_old_processes(version: str) -> None:
    old = haproxy_state.old_sessions(haproxy_state.stat_rows(reply(version, "old_stat")), "shop")
    assert {name: count for name, count in old.items() if count} == {"heavy": 2}
    assert haproxy_state.old_sessions(haproxy_state.stat_rows(reply(version, "old_stat")), "other") == {}
    state = haproxy_state.state_rows(reply(version, "servers_state"))
    members = haproxy_state.members(state, haproxy_state.stat_rows(reply(version, "stat")), {"heavy": 2})
    assert (members["heavy"].old_sessions, members["up"].old_sessions) == (2, 0)


def test_what_old_processes_have_queued_counts() -> None:
    rows = [{"pxname": "shop", "svname": "a", "type": "2", "scur": "2", "qcur": "3"}]
    assert haproxy_state.old_sessions(rows, "shop") == {"a": 5}


def test_a_check_that_has_not_passed_since_is_not_up(version: str) -> None:
    state = haproxy_state.state_rows(reply(version, "servers_state"))
    up = next(row for row in state if row["srv_name"] == "up")
    up["srv_check_health"] = "2"  # What 'state ready' after maintenance leaves: UP 1/3.
    stat = haproxy_state.stat_rows(reply(version, "stat"))
    assert haproxy_state.members(state, stat)["up"].operational == "going_down"
    up["srv_check_state"] = "2"  # Configured, but switched off by 'disable health'.
    assert haproxy_state.members(state, stat)["up"].operational == "no_check"


def test_a_check_under_way_has_no_details(version: str) -> None:
    state = haproxy_state.state_rows(reply(version, "servers_state"))
    stat = haproxy_state.stat_rows(reply(version, "stat"))
    up = next(row for row in stat if row["svname"] == "up")
    up.update(check_status="* L7STS", check_code="0", last_chk="", check_desc="")
    assert haproxy_state.members(state, stat)["up"].check == "L7STS"


@pytest.mark.parametrize(
    ("bits", "own", "in_force"),
    [
        (0x00, "in_service", "in_service"),
        (0x04, "in_service", "in_service"),  # 'disabled' in the configuration, made ready since
        (0x05, "maintenance", "maintenance"),
        (0x01, "maintenance", "maintenance"),
        (0x02, "in_service", "maintenance"),
        (0x20, "in_service", "maintenance"),
        (0x40, "in_service", "in_service"),  # the name was set on the socket
        (0x08, "drained", "drained"),
        (0x10, "in_service", "drained"),
        (0x09, "maintenance", "maintenance"),
        (0x0A, "drained", "maintenance"),
        (0x12, "in_service", "maintenance"),
    ],
)
def test_admin_bits(bits: int, own: str, in_force: str) -> None:
    assert (haproxy_state.own_state(bits), haproxy_state.state_in_force(bits)) == (own, in_force)


def test_the_queue_of_the_pool() -> None:
    rows: list[dict[str, t.Any]] = [{"type": "1", "qcur": "7"}, {"type": "2", "qcur": "3"}]
    assert haproxy_state.pool_queue(rows) == 7


@pytest.mark.parametrize(
    "text", ["", "Permission denied", "Can't find backend.", "1\n", "1\n# be_id be_name\n3 shop", "# pxname,svname"]
)
def test_not_a_state_table(text: str) -> None:
    with pytest.raises(BadReply):
        haproxy_state.state_rows(text)


@pytest.mark.parametrize("text", ["", "No such proxy.", "Permission denied", "Can't find the target PID"])
def test_not_a_stat_table(text: str) -> None:
    with pytest.raises(BadReply):
        haproxy_state.stat_rows(text)


@pytest.mark.parametrize(
    ("version_name", "pids"), [("2.4-documented", ["1233", "1240"]), ("2.6.12", ["13930"]), ("3.2-documented", ["96"])]
)
def test_old_workers(version_name: str, pids: list[str]) -> None:
    assert old_workers(reply(version_name, "proc")) == pids


def test_programs_are_no_workers() -> None:
    text = "#<PID> <type>\n1 master 0\n# workers\n2 worker 0\n# old workers\n# programs\n# old programs\n3 worker -\n"
    assert old_workers(text) == []
