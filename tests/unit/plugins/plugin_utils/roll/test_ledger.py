# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from support.scripted_executors import ScriptedExecutors

from ansible_collections.steady.rollout.plugins.plugin_utils.roll import ledger as host_ledger
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import RunOver, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.ledger import HostLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable

COMMON = {"ledger": None, "service": "shop", "run": "r1", "token": 7}


class Clock:
    """Time passes only in sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def ledger_with(*answers: t.Any) -> tuple[HostLedger, ScriptedExecutors]:
    """A remote coordinator that answers in turn; None is one that cannot be reached."""
    queue = list(answers)

    def answer(host: str, module: str, given: dict[str, t.Any]) -> t.Any:
        found = queue.pop(0)
        return Unreachable("db1", "connection reset") if found is None else found

    executors = ScriptedExecutors(answer)
    return HostLedger(t.cast("t.Any", executors.on("db1")), "app1", COMMON), executors


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(host_ledger, "time", clock)
    return clock


def test_every_call_names_the_run_and_the_host() -> None:
    ledger, executors = ledger_with({})
    ledger.changing("update")
    assert executors.calls == [
        ("db1", "rollout_host", {**COMMON, "host": "app1", "state": "changing", "step": "update"})
    ]


def test_a_remote_coordinator_is_asked_again_until_it_answers_something_else_than_wait() -> None:
    ledger, executors = ledger_with({"verdict": "wait"}, {"verdict": "wait"}, {"verdict": "go"})
    assert ledger.admit(60.0)["verdict"] == "go"
    assert {given["timeout"] for dummy, given in executors.done("rollout_host")} == {host_ledger.ASK_FOR}


def test_one_lost_connection_does_not_drop_a_host_that_waits() -> None:
    ledger, dummy = ledger_with({"verdict": "wait"}, None, {"verdict": "wait"}, None, {"verdict": "go"})
    assert ledger.admit(60.0)["verdict"] == "go"


def test_a_coordinator_that_stays_unreachable_is_given_up(clock: Clock) -> None:
    ledger, dummy = ledger_with({"verdict": "wait"}, *[None] * 100)
    with pytest.raises(StepFailed) as failure:
        ledger.admit(60.0)
    assert failure.value.kind == "coordinator"
    assert clock.now > host_ledger.UNREACHABLE_FOR


def test_a_lost_lease_ends_the_run_and_is_no_failure_of_the_host() -> None:
    ledger, dummy = ledger_with({"failed": True, "kind": "lease_lost", "msg": "lease lost: shop is now held by ana."})
    with pytest.raises(RunOver, match=r"^lease lost: shop is now held by ana\.$"):
        ledger.proven("2.0.0", {})


def test_a_step_that_cannot_be_noted_is_done_all_the_same() -> None:
    ledger, executors = ledger_with(None)
    ledger.note_step("drain")
    assert executors.done("rollout_host")[0][1]["modifies"] is False


def test_a_lost_lease_is_noticed_before_the_next_step() -> None:
    ledger, dummy = ledger_with({"failed": True, "kind": "lease_lost", "msg": "lease lost."})
    with pytest.raises(RunOver):
        ledger.note_step("drain")


def test_a_claim_on_a_gate_that_was_lost_is_no_failure() -> None:
    ledger, dummy = ledger_with({"failed": True, "kind": "gate_claim_lost", "msg": "given away"})
    assert ledger.judge({"stage": 1, "claim": "c"}, {"verdict": "pass"})["kind"] == "gate_claim_lost"
