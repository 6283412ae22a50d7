# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the steps, by a host that only notes what it is asked to do."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.roll import host as rollout_of_host
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.reports import Verdict

FORWARD = [
    "stage_before_admission", "connect_before_admission", "admit", "fence_older_runs", "wait_for_interrupted_run", "stage", "before_drain", "is_objected_to",
    "add_to_pools", "drain",
    "mark_changing", "after_drain",
    "record_intent", "before_update", "update", "activate_release", "after_update", "wait_until_healthy", "smoke_test", "fail_on_purpose",
    "before_restore", "put_back_in_service", "after_restore", "report_proven",
]  # fmt: skip
BACK = [
    "stage_before_admission", "connect_before_admission", "admit", "fence_older_runs", "wait_for_interrupted_run",
    "stage_if_missing", "before_drain", "is_objected_to",
    "drain",
    "mark_changing", "after_drain", "record_intent", "before_update", "update", "activate_release", "after_update", "wait_until_healthy",
    "before_restore", "put_back_in_service", "after_restore", "report_reverted",
]  # fmt: skip
CHANGED_ROLLBACK = [
    "report_failed", "aim_at", "serves_target_again", "drain_again", "record_intent", "stage_if_missing", "before_update",
    "update", "activate_release", "after_update", "wait_until_healthy", "before_restore", "put_back_in_service",
    "after_restore", "report_reverted",
]  # fmt: skip
RETURN_ONLY = ["before_restore", "put_back_in_service", "after_restore"]


class Noting:
    """Notes every step; *fails* names steps that fail, once for each time they are named."""

    def __init__(
        self,
        direction: str = "forward",
        fails: t.Sequence[str] = (),
        verdict: Verdict | None = None,
        hooks: t.Sequence[str] = (),
        serves_again: bool = False,
        retries: int = 0,
    ) -> None:
        self.steps: list[str] = []
        self._direction = direction
        self._fails = list(fails)
        self._verdict = verdict or Verdict(False)
        self._hooks = hooks
        self._serves_again = serves_again
        self._retries = retries

    def _note(self, step: str) -> None:
        self.steps.append(step)
        if step in self._fails:
            self._fails.remove(step)
            raise StepFailed("step", f"{step} failed")

    def __getattr__(self, step: str) -> t.Callable[..., None]:
        return lambda *args: self._note(step)

    def admit(self) -> str:
        self._note("admit")
        return self._direction

    def run_hook(self, name: str) -> bool:
        self._note(name)
        return name in self._hooks

    def tries_again(self, failure: StepFailed) -> bool:
        self._retries -= 1
        return self._retries >= 0

    def serves_target_again(self) -> bool:
        self._note("serves_target_again")
        return self._serves_again

    def report_failed(self, failure: StepFailed) -> Verdict:
        self._note("report_failed")
        return self._verdict


def rolled(**options: t.Any) -> list[str]:
    host = Noting(**options)
    rollout_of_host.roll(t.cast("t.Any", host))
    return host.steps


def test_forward_all_that_can_fail_while_the_host_serves_comes_before_the_drain() -> None:
    assert rolled() == FORWARD


@pytest.mark.parametrize("step", ["before_update", "activate_release", "wait_until_healthy", "smoke_test"])
def test_a_flaky_host_is_updated_once_more_while_it_is_drained(step: str) -> None:
    tried = FORWARD[FORWARD.index("before_update") : FORWARD.index(step) + 1]
    before, rest = FORWARD[: FORWARD.index("before_update")], FORWARD[FORWARD.index("before_update") :]
    assert rolled(fails=[step], retries=1) == [*before, *tried, *rest]
    assert "report_failed" in rolled(fails=[step, step], retries=1)


def test_an_update_of_the_user_replaces_the_release() -> None:
    assert rolled(hooks=["update"]) == [step for step in FORWARD if step != "activate_release"]


def test_a_host_that_is_not_admitted_is_left_as_it_is() -> None:
    assert rolled(direction="") == ["stage_before_admission", "connect_before_admission", "admit"]


@pytest.mark.parametrize("step", ["stage_before_admission", "connect_before_admission", "admit"])
def test_a_host_that_fails_before_it_is_admitted_never_leaves_service(step: str) -> None:
    steps = rolled(fails=[step])
    assert steps == [*FORWARD[: FORWARD.index(step) + 1], "report_failed"]


@pytest.mark.parametrize("step", FORWARD[3:])
def test_every_step_that_fails_is_reported_and_the_ledger_says_what_follows(step: str) -> None:
    steps = rolled(fails=[step], verdict=Verdict(False))
    assert steps == [*FORWARD[: FORWARD.index(step) + 1], "report_failed"]


@pytest.mark.parametrize("step", FORWARD[3:])
def test_a_changed_host_is_rolled_back_completely(step: str) -> None:
    steps = rolled(fails=[step], verdict=Verdict(True, True, "1.0.0"))
    assert steps == [*FORWARD[: FORWARD.index(step) + 1], *CHANGED_ROLLBACK]


def test_an_unchanged_host_is_only_returned_after_it_proved_healthy() -> None:
    steps = rolled(fails=["after_drain"], verdict=Verdict(True, False, "1.0.0"))
    assert steps[12:] == ["report_failed", "aim_at", "wait_until_healthy", *RETURN_ONLY, "report_reverted"]


def test_a_host_whose_hook_failed_before_it_changed_anything_is_returned_without_that_hook() -> None:
    steps = rolled(fails=["before_update"], verdict=Verdict(True, True, "1.0.0"), serves_again=True)
    expected = ["report_failed", "aim_at", "serves_target_again", "wait_until_healthy", *RETURN_ONLY, "report_reverted"]
    assert steps[14:] == expected


def test_a_rollback_that_fails_is_reported_as_stuck() -> None:
    steps = rolled(fails=["smoke_test", "put_back_in_service"], verdict=Verdict(True, True, "1.0.0"))
    assert steps[-2:] == ["put_back_in_service", "report_stuck"]


def test_back_needs_no_smoke_test_and_ends_as_reverted() -> None:
    assert rolled(direction="back") == BACK


@pytest.mark.parametrize("step", BACK[3:])
def test_a_host_that_cannot_go_back_is_reported_as_stuck(step: str) -> None:
    assert rolled(direction="back", fails=[step])[-2:] == [step, "report_stuck"]


def test_recovery_installs_nothing() -> None:
    assert rolled(direction="recover") == [
        "stage_before_admission", "connect_before_admission", "admit", "fence_older_runs", "wait_for_interrupted_run",
        "wait_until_healthy", *RETURN_ONLY, "report_proven",
    ]  # fmt: skip


@pytest.mark.parametrize("direction", ["forward", "back"])
def test_a_host_that_somebody_objects_to_before_the_drain_is_left_as_it_is(direction: str) -> None:
    class ObjectedTo(Noting):
        def is_objected_to(self) -> bool:
            self._note("is_objected_to")
            return True

    host = ObjectedTo(direction)
    rollout_of_host.roll(t.cast("t.Any", host))
    assert host.steps[-2:] == ["before_drain", "is_objected_to"]
