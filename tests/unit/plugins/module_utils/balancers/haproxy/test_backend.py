"""HAProxy's part of the contract, command by command: one too many or another one fails the test."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.backend import HAProxy, open_haproxy
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.state_file import StateFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.workers import Workers
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

RECORDED = pathlib.Path(__file__).parent / "replies" / "2.6.12"
STATE = (RECORDED / "servers_state.txt").read_text().rstrip("\n")
STAT = (RECORDED / "stat.txt").read_text().rstrip("\n")
OLD_STAT = (RECORDED / "old_stat.txt").read_text().rstrip("\n")
PROC = (RECORDED / "proc.txt").read_text().rstrip("\n")
NO_OLD = PROC.replace("13930           worker", "# worker")
LOOK = {"show servers state shop": STATE, "show stat 3 6 -1": STAT}
STATE_ONLY = {"show servers state shop": STATE}
HINT = "the socket's level is operator or user; add 'level admin' to its 'stats socket' line."


class Script:
    """Expects exactly these questions, in this order; a question is a dict of commands and replies."""

    where = "lb1 a.sock"

    def __init__(self, *questions: dict[str, str] | Unreachable) -> None:
        self._questions = list(questions)

    def ask(self, commands: t.Sequence[str]) -> list[str]:
        if not self._questions:
            raise AssertionError(f"not expected: {commands}")
        question = self._questions.pop(0)
        if isinstance(question, Unreachable):
            raise question
        assert list(commands) == list(question)
        return list(question.values())

    def is_over(self) -> bool:
        return not self._questions


def row_of(name: str, stat: str = STAT, **changes: str) -> str:
    """The answer to 'show stat' for one server."""
    head, *rows = stat.split("\n")
    names = head[2:].split(",")
    fields = dict(zip(names, next(row for row in rows if row.startswith(f"shop,{name},")).split(",")))
    return "\n".join([head, ",".join({**fields, **changes}.values())])


ALONE = {"show servers state shop": STATE, "show stat 3 4 3": row_of("heavy")}


def first_look() -> list[dict[str, str] | Unreachable]:
    """The pool's number is not known yet."""
    return [{"show servers state shop": STATE, "show stat shop 6 -1": STAT}]


def test_a_look_costs_one_question() -> None:
    script = Script(*first_look(), LOOK, LOOK)
    balancer = HAProxy("shop", script)
    for dummy in range(3):
        assert balancer.snapshot().members["heavy"].sessions == 2
    assert script.is_over()


@pytest.mark.parametrize("reply", [STAT.split("\n")[0], "No such proxy."])
def test_a_pool_is_read_by_its_number_where_a_frontend_has_its_name(reply: str) -> None:
    script = Script({"show servers state shop": STATE, "show stat shop 6 -1": reply}, LOOK)
    assert HAProxy("shop", script).snapshot().members["heavy"].sessions == 2
    assert script.is_over()


def test_a_reload_may_renumber_the_pool() -> None:
    renumbered = {
        "show servers state shop": STATE.replace("\n3 shop", "\n5 shop"),
        "show stat 3 6 -1": "No such proxy.",
    }
    again = {**renumbered, "show stat 5 6 -1": STAT}
    del again["show stat 3 6 -1"]
    script = Script(*first_look(), renumbered, again)
    balancer = HAProxy("shop", script)
    balancer.snapshot()
    assert balancer.snapshot().members["heavy"].sessions == 2
    assert script.is_over()


def test_a_number_that_never_stays() -> None:
    numbers = [STATE.replace("\n3 shop", f"\n{number} shop") for number in (3, 4, 5)]
    script = Script(
        {"show servers state shop": numbers[0], "show stat shop 6 -1": "No such proxy."},
        {"show servers state shop": numbers[1], "show stat 3 6 -1": STAT},
        {"show servers state shop": numbers[2], "show stat 4 6 -1": STAT},
    )
    with pytest.raises(RolloutError) as caught:
        HAProxy("shop", script).snapshot()
    assert caught.value.message == ("lb1 a.sock: pool 'shop' changes its number at every read. Is it being reloaded?")


def test_a_pool_without_servers() -> None:
    script = Script({"show servers state shop": STATE.split("\n3 shop")[0], "show stat shop 6 -1": STAT})
    assert HAProxy("shop", script).snapshot().members == {}


def test_an_unknown_pool() -> None:
    unknown = {"show servers state shup": "Can't find backend.", "show stat shup 6 -1": "No such proxy."}
    script = Script(unknown, {"show backend": "# name\nshop\nother"})
    with pytest.raises(InputError) as caught:
        HAProxy("shup", script).snapshot()
    assert caught.value.message == "lb1 a.sock: no pool 'shup'; its pools are 'shop', 'other'."


def test_an_answer_that_is_no_table() -> None:
    with pytest.raises(RolloutError) as caught:
        HAProxy(
            "shop", Script({"show servers state shop": "Permission denied", "show stat shop 6 -1": STAT})
        ).snapshot()
    assert caught.value.message == (
        f"lb1 a.sock: HAProxy answered 'Permission denied' to 'show servers state shop': {HINT}"
    )


def test_all_members_are_set_in_one_question() -> None:
    script = Script(
        {
            "set server shop/a state drain": "",
            "set server shop/b state maint": "",
            "set server shop/c state ready": "",
        }
    )
    HAProxy("shop", script).set_admin({"a": "drained", "b": "maintenance", "c": "in_service"})
    assert script.is_over()


def test_one_refusal_among_many_is_an_error() -> None:
    script = Script({"set server shop/a state drain": "", "set server shop/b state drain": "No such server."})
    with pytest.raises(RolloutError) as caught:
        HAProxy("shop", script).set_admin({"a": "drained", "b": "drained"})
    assert caught.value.message == "lb1 a.sock: HAProxy answered 'No such server' to 'set server shop/b state drain'."


def test_weights_and_sessions() -> None:
    script = Script({"set server shop/a weight 10": ""}, {"shutdown sessions server shop/a": ""})
    balancer = HAProxy("shop", script)
    balancer.set_weights({"a": 10})
    balancer.end_sessions(["a"])
    assert script.is_over()


@pytest.mark.parametrize("level", ["operator", "user", "Permission denied"])
def test_a_level_that_allows_no_change(level: str) -> None:
    with pytest.raises(RolloutError) as caught:
        HAProxy("shop", Script({"show cli level": level})).require_admin()
    assert caught.value.message == f"lb1 a.sock: no change is allowed here ('{level}'): {HINT}"


def test_the_admin_level_is_asked_for_without_changing_anything() -> None:
    script = Script({"show cli level": "admin"})
    HAProxy("shop", script).require_admin()
    assert script.is_over()


def test_version() -> None:
    assert HAProxy("shop", Script({"show info": "Name: HAProxy\nVersion: 3.2.21-1\nPid: 7"})).version() == "3.2.21-1"
    assert HAProxy("shop", Script({"show info": "nothing"})).version() == ""


def workers(*questions: dict[str, str] | Unreachable) -> Workers:
    return Workers(Script(*questions))


def test_old_processes_are_asked_first() -> None:
    order: list[str] = []

    class Recorder(Script):
        def ask(self, commands: t.Sequence[str]) -> list[str]:
            order.extend(commands)
            return super().ask(commands)

    master = Recorder({"show proc": PROC}, {"@!13930 show stat -1 6 -1": OLD_STAT})
    snapshot = HAProxy("shop", Recorder(*first_look()), Workers(master)).snapshot()
    assert (snapshot.members["heavy"].old_sessions, snapshot.members["heavy"].busy) == (2, 4)
    assert snapshot.notes == ()
    assert order[0] == "show proc"


def test_without_old_processes_only_the_current_one_is_read() -> None:
    snapshot = HAProxy("shop", Script(*first_look()), workers({"show proc": NO_OLD})).snapshot()
    assert snapshot.members["heavy"].old_sessions == 0


def test_without_the_master_nothing_is_claimed_about_old_processes() -> None:
    snapshot = HAProxy("shop", Script(*first_look())).snapshot()
    assert snapshot.members["heavy"].old_sessions is None
    assert snapshot.notes == (
        "Requests in a process that a reload left behind are not counted: give balancer.master_socket to see them.",
    )


@pytest.mark.parametrize("answer", [{"@!13930 show stat -1 6 -1": "Can't find the target PID"}, Unreachable("cut off")])
def test_a_process_that_is_gone_meanwhile_has_no_sessions(answer: dict[str, str] | Unreachable) -> None:
    assert workers({"show proc": PROC}, answer, {"show proc": NO_OLD}).old_sessions("shop") == {}


@pytest.mark.parametrize("answer", [{"@!13930 show stat -1 6 -1": "Some error"}, Unreachable("cut off")])
def test_a_process_that_is_there_and_does_not_say_is_not_taken_for_idle(answer: dict[str, str] | Unreachable) -> None:
    with pytest.raises(Unreachable) as caught:
        workers({"show proc": PROC}, answer, {"show proc": PROC}).old_sessions("shop")
    assert caught.value.message == "lb1 a.sock: old worker 13930 does not report what it has in flight."


def test_several_old_processes_are_added_up() -> None:
    two = PROC.replace("# programs", "13931 worker 2 0d 2.6\n# programs")
    script = workers(
        {"show proc": two}, {"@!13930 show stat -1 6 -1": OLD_STAT}, {"@!13931 show stat -1 6 -1": OLD_STAT}
    )
    assert script.old_sessions("shop")["heavy"] == 4


def test_unsaved_are_those_that_a_reload_would_bring_back_otherwise(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state"
    balancer = HAProxy("shop", Script(*first_look()), None, StateFile(str(path)))
    snapshot = balancer.snapshot()
    out = ["drained", "drained_down", "maint", "config_disabled", "agent"]
    assert balancer.unsaved(snapshot) == out  # Without a file everything comes back in service.
    path.write_text(STATE)
    assert balancer.unsaved(snapshot) == []
    path.write_text(STATE.replace("2 8", "2 0"))
    assert balancer.unsaved(snapshot) == ["drained", "agent"]


def test_without_a_state_file_nothing_is_unsaved() -> None:
    balancer = HAProxy("shop", Script(*first_look()))
    assert balancer.unsaved(balancer.snapshot()) == []


def test_save_writes_all_pools(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state"
    HAProxy("shop", Script({"show servers state": STATE}), None, StateFile(str(path))).save()
    assert path.read_text() == STATE + "\n"


@pytest.mark.parametrize("pool", ["a b", "a;b", "a/b", "", "a\nb"])
def test_names_that_no_backend_has(pool: str) -> None:
    with pytest.raises(InputError):
        open_haproxy({"pool": pool, "timeout": 1.0, "socket": "/a.sock"})


def test_where_names_host_and_socket() -> None:
    assert open_haproxy({"pool": "shop", "timeout": 1.0, "socket": "/a.sock", "host": "lb1"}).where == "lb1 /a.sock"
    assert open_haproxy({"pool": "shop", "timeout": 1.0, "socket": "/a.sock", "host": ""}).where == "/a.sock"


def read_once(script: Script, old: Workers | None = None) -> tuple[HAProxy, contract.Snapshot]:
    balancer = HAProxy("shop", script, old)
    return balancer, balancer.snapshot()


def test_a_poll_reads_one_row_for_each_member() -> None:
    script = Script(
        *first_look(),
        {"show stat 3 4 3": row_of("heavy", scur="5", qcur="1"), "show stat 3 4 5": row_of("drained")},
    )
    balancer, snapshot = read_once(script)
    fresh = balancer.refreshed(snapshot, ["heavy", "drained"])
    assert (fresh.members["heavy"].sessions, fresh.members["heavy"].queue, fresh.members["drained"].busy) == (5, 1, 0)
    assert fresh.members["up"] is snapshot.members["up"]
    assert script.is_over()


@pytest.mark.parametrize(
    "reply",
    [
        row_of("heavy", status="DRAIN"),
        row_of("heavy", weight="3"),
        row_of("up"),
        STAT.split("\n")[0],
        "No such proxy.",
        "",
    ],
    ids=["other_state", "other_weight", "other_server", "no_row", "renumbered", "empty"],
)
def test_a_row_that_is_not_as_it_was_is_a_reason_to_read_the_pool(reply: str) -> None:
    script = Script(*first_look(), {"show stat 3 4 3": reply}, ALONE)
    balancer, snapshot = read_once(script)
    assert balancer.refreshed(snapshot, ["heavy"]).members["heavy"].sessions == 2
    assert script.is_over()


def test_the_end_of_a_slow_start_shows_in_no_row() -> None:
    ended = STATE.replace("12 slow 127.0.0.1 1", "12 slow 127.0.0.1 2")
    row = {"show stat 3 4 12": row_of("slow")}
    balancer, snapshot = read_once(Script(*first_look(), row, {"show servers state shop": ended, **row}))
    assert snapshot.members["slow"].operational == "starting"
    assert balancer.refreshed(snapshot, ["slow"]).members["slow"].operational == "up"


def test_a_member_read_alone_is_as_in_the_whole_pool() -> None:
    names = [name for name in read_once(Script(*first_look()))[1].members if name != "backup"]
    for name in names:
        number = next(line.split()[2] for line in STATE.split("\n") if line.split()[3:4] == [name])
        alone = {"show servers state shop": STATE, f"show stat 3 4 {number}": row_of(name)}
        script = Script({"show servers state shop": STATE}, alone, alone, *first_look())
        balancer = HAProxy("shop", script)
        for _again in range(2):
            seen = balancer.snapshot_of([name])
        assert seen.members == {name: balancer.snapshot().members[name]}
        assert script.is_over()


@pytest.mark.parametrize(
    ("names", "questions"),
    [
        (["heavy", "shup"], [{"show servers state shop": STATE}]),
        (["backup"], [{"show servers state shop": STATE}, {**STATE_ONLY, "show stat 3 4 16": row_of("backup")}]),
        ([f"app{number}" for number in range(21)], []),
        ([], []),
        (["heavy"], [STATE_ONLY, {**STATE_ONLY, "show stat 3 4 3": row_of("up")}]),
        (["heavy"], [STATE_ONLY, {**STATE_ONLY, "show stat 3 4 3": "No such proxy."}]),
    ],
    ids=["missing", "backup", "many", "none", "other_server", "no_table"],
)
def test_where_one_row_does_not_tell_all_of_the_pool_is_read(
    names: list[str], questions: list[dict[str, str] | Unreachable]
) -> None:
    script = Script(*questions, *first_look())
    assert list(HAProxy("shop", script).snapshot_of(names).members) == list(read_once(Script(*first_look()))[1].members)
    assert script.is_over()


def test_a_reload_may_renumber_a_member_that_is_read_alone() -> None:
    renumbered = STATE.replace("\n3 shop", "\n5 shop")
    script = Script(
        *first_look(),
        {"show servers state shop": renumbered, "show stat 3 4 3": "No such proxy."},
        {"show servers state shop": renumbered, "show stat 5 4 3": row_of("heavy", scur="7", iid="5")},
    )
    balancer, dummy = read_once(script)
    assert balancer.snapshot_of(["heavy"]).members["heavy"].sessions == 7
    assert script.is_over()


def test_old_processes_are_not_asked_while_the_new_one_has_something_in_flight() -> None:
    script = Script(*first_look(), {"show stat 3 4 3": row_of("heavy")})
    balancer, snapshot = read_once(script, workers({"show proc": NO_OLD}))
    assert balancer.refreshed(snapshot, ["heavy"]).members["heavy"].busy == 2


def test_old_processes_are_asked_once_the_new_one_is_idle() -> None:
    idle = {"show stat 3 4 3": row_of("heavy", scur="0")}
    old = {"@!13930 show stat -1 6 -1": OLD_STAT}
    master = Workers(Script({"show proc": NO_OLD}, {"show proc": PROC}, old, {"show proc": NO_OLD}), lambda: 0.0)
    balancer, snapshot = read_once(Script(*first_look(), idle, idle), master)
    assert balancer.refreshed(snapshot, ["heavy"]).members["heavy"].old_sessions == 2
    assert balancer.refreshed(snapshot, ["heavy"]).members["heavy"].old_sessions == 0


def test_old_processes_that_are_slow_to_answer_are_asked_less_often() -> None:
    """A read that took a second is not repeated within ten."""
    now = [0.0]

    class Slow(Script):
        def ask(self, commands: t.Sequence[str]) -> list[str]:
            now[0] += 0.5
            return super().ask(commands)

    old = {"@!13930 show stat -1 6 -1": OLD_STAT}
    slow = Slow({"show proc": PROC}, old, {"show proc": NO_OLD})
    found = Workers(slow, lambda: now[0])
    assert found.old_sessions_for_a_poll("shop")["heavy"] == 2
    now[0] = 10.9
    assert found.old_sessions_for_a_poll("shop")["heavy"] == 2
    now[0] = 11.0
    assert found.old_sessions_for_a_poll("shop") == {}
