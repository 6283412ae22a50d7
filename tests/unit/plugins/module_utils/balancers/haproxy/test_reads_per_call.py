"""What one call of lb_member asks HAProxy: a read of a pool of 1,000 servers costs it and us milliseconds."""

from __future__ import annotations

import csv
import io
import pathlib
import typing as t

import pytest
from support.cores import params_of
from support.pools import ManualClock

from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.backend import HAProxy
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.change import MemberChange
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.request import Request
from ansible_collections.steady.rollout.plugins.modules import lb_member

RECORDED = pathlib.Path(__file__).parent / "replies" / "2.6.12"
STATE = "show servers state shop"
BY_NAME = "show stat shop 6 -1"
BITS, HEALTH, STATUS = 6, 12, 17
BITS_OF = {"drain": "8", "ready": "0", "maint": "1"}
STATUS_OF = {"drain": "DRAIN", "ready": "UP", "maint": "MAINT"}


class Node:
    """The recorded pool, whose servers can be set; ``asked`` are the commands."""

    where = "lb1 a.sock"

    def __init__(self) -> None:
        self._state = [line.split(" ") for line in (RECORDED / "servers_state.txt").read_text().splitlines()]
        self._stat = list(csv.reader((RECORDED / "stat.txt").read_text().splitlines()))
        self.asked: list[str] = []

    def ask(self, commands: t.Sequence[str]) -> list[str]:
        self.asked += commands
        return [self._answer(command.split()) for command in commands]

    def set(self, name: str, state: str) -> None:
        self._state_of(name)[BITS] = BITS_OF[state]
        self._row(name)[STATUS] = STATUS_OF[state]

    def fails_a_check(self, name: str) -> None:
        self._state_of(name)[HEALTH] = "2"

    def _state_of(self, name: str) -> list[str]:
        return next(row for row in self._state if row[3:4] == [name])

    def _row(self, name: str) -> list[str]:
        return next(row for row in self._stat if row[1:2] == [name])

    def _answer(self, words: list[str]) -> str:
        if words[0] == "set":
            self.set(words[2].partition("/")[2], words[4])
            return ""
        if words[:2] == ["show", "cli"]:
            return "admin"
        if words[:2] == ["show", "servers"]:
            return "\n".join(" ".join(row) for row in self._state).rstrip("\n")
        return _table(self._stat if words[3] == "6" else [self._stat[0], self._stat[int(words[4])]])


def _table(rows: t.Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(row for row in rows if row)
    return text.getvalue().rstrip("\n")


class Calls:
    def __init__(self, directory: pathlib.Path) -> None:
        self.node = Node()
        self.time = ManualClock()
        self._claim = {"service": "shop", "ledger": "ours", "token": 3, "directory": str(directory)}

    def put(self, **options: t.Any) -> list[str]:
        """What was asked, of which what is sent and its permission are left out."""
        options = {"balancer": {"socket": "/a.sock", "pool": "shop"}, "claim": self._claim, **options}
        call = Call(params_of(lb_member, options), False, False, lambda text: None, lambda *args: (0, "", ""))
        self.node.asked = []
        MemberChange(Request.from_params(call.params), HAProxy("shop", self.node), call, self.time.clock).run()
        return [command for command in self.node.asked if command.startswith(("show servers", "show stat"))]


@pytest.fixture
def calls(tmp_path: pathlib.Path) -> Calls:
    return Calls(tmp_path)


def test_one_drain_read_the_whole_pool_five_times(calls: Calls) -> None:
    row = "show stat 3 4 1"
    whole, read_back, decision, confirmed = [STATE, BY_NAME], [STATE, row], [STATE, row], [row, row]
    assert calls.put(members=["up"], state="drained", guard={"min_in_service": 1}) == [
        *whole,
        *read_back,
        *decision,
        *confirmed,
    ]


def test_so_did_one_restore_which_needs_no_other_member(calls: Calls) -> None:
    row = "show stat 3 4 5"
    number, before, read_back, decision, confirmed = [STATE], [STATE, row], [STATE, row], [STATE, row], [row, row]
    assert calls.put(members=["drained"], state="in_service") == [
        *number,
        *before,
        *read_back,
        *decision,
        *confirmed,
    ]


def test_a_wait_for_service_read_the_whole_pool_at_each_poll(calls: Calls) -> None:
    calls.node.set("down", "maint")
    with pytest.raises(RolloutError) as caught:
        calls.put(members=["down"], state="in_service", timeout=3)
    assert caught.value.message == (
        "lb1 a.sock: pool 'shop' did not reach the requested state within 3 s: 'down' is DOWN, last check: L4CON Connection "
        "refused. Check its service and its health check."
    )
    assert calls.node.asked.count(STATE) <= 7
    assert BY_NAME not in calls.node.asked


def test_the_guard_reads_the_whole_pool_again_before_a_restore_is_undone(calls: Calls) -> None:
    """As if the one member that the call is about were the only one in rotation."""
    calls.node.set("up", "maint")
    calls.node.fails_a_check("up")
    with pytest.raises(RolloutError) as caught:
        calls.put(members=["up"], state="in_service", timeout=1, on_timeout="restore", guard={"min_in_service": 4})
    assert caught.value.message.endswith("What this call had changed is restored.")
    assert calls.node.asked.count(BY_NAME) == 1
