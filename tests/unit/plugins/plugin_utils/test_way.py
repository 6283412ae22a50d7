# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import way

RELEASE: dict[str, t.Any] = {"artifact": True, "unit": True, "balancers": True, "smoke": False, "hooks": {}}
ALL_HOOKS = {name: f"{name}.yml" for name in
             ("before_drain", "after_drain", "before_update", "update", "after_update", "before_restore", "after_restore")}  # fmt: skip
FRESH: dict[str, t.Any] = {"interrupted_run": None}


def names(steps: list[dict[str, str]]) -> list[str]:
    return [step["hook"] or step["tasks"].rpartition("/")[2].partition(".")[0] for step in steps]


def test_all_that_can_fail_in_service_comes_before_the_drain() -> None:
    assert names(way.way_forward(RELEASE, FRESH)) == [
        "stage_release", "drain", "intent", "activate_release", "health", "restore", "proven",
    ]  # fmt: skip


def test_a_host_of_an_interrupted_run_is_waited_for_first() -> None:
    assert names(way.way_forward(RELEASE, {"interrupted_run": "4711"}))[:2] == ["quiesce", "stage_release"]


def test_each_hook_has_its_place_and_update_replaces_the_release() -> None:
    means = {**RELEASE, "artifact": False, "hooks": ALL_HOOKS}
    assert names(way.way_forward(means, FRESH)) == [
        "reach", "before_drain.yml", "drain", "after_drain.yml", "intent", "before_update.yml", "update.yml",
        "handlers", "after_update.yml", "health", "before_restore.yml", "restore", "after_restore.yml", "proven",
    ]  # fmt: skip


def test_smoke_tests_come_between_health_and_the_return_and_only_on_the_way_forward() -> None:
    means = {**RELEASE, "smoke": True, "hooks": {"before_restore": "warm_up.yml"}}
    assert names(way.way_forward(means, FRESH))[5:] == ["health", "smoke", "warm_up.yml", "restore", "proven"]
    for steps in (way.way_back(means, True), way.way_of_recovery(means, FRESH), way.way_out(means, FRESH)):
        assert "smoke" not in names(steps)


def test_without_a_unit_commands_restart_the_service() -> None:
    assert "restart_by_command" in names(way.way_forward({**RELEASE, "unit": False}, FRESH))


def test_without_balancers_nothing_is_drained_or_restored() -> None:
    assert not {"drain", "restore"} & set(names(way.way_forward({**RELEASE, "balancers": False}, FRESH)))


def test_a_host_on_which_nothing_was_changed_only_returns() -> None:
    assert names(way.way_back(RELEASE, was_changed=False)) == ["health", "restore", "reverted"]


def test_the_way_back_changes_under_a_recorded_intent_and_before_health() -> None:
    assert names(way.way_back(RELEASE, was_changed=True)) == [
        "intent", "stage_home", "activate_release", "health", "restore", "reverted",
    ]  # fmt: skip


def test_recovery_waits_for_what_a_killed_run_left_at_work() -> None:
    """The orphaned step of a killed run restarted the service after recover had put it in rotation."""
    assert names(way.way_of_recovery(RELEASE, {"interrupted_run": "4711"}))[0] == "quiesce"


def test_what_may_serve_somewhere_is_drained_before_it_is_changed_back() -> None:
    assert names(way.way_back(RELEASE, was_changed=True, may_serve=True))[:3] == ["drain", "intent", "stage_home"]
    assert "drain" not in names(way.way_back(RELEASE, was_changed=False, may_serve=True))
    assert "drain" not in names(way.way_back({**RELEASE, "balancers": False}, was_changed=True, may_serve=True))


def test_recovery_installs_nothing() -> None:
    assert names(way.way_of_recovery(RELEASE, FRESH)) == ["health", "restore", "proven"]


def test_the_way_out_ends_with_the_drain() -> None:
    assert names(way.way_out(RELEASE, FRESH)) == ["reach", "stage_home", "drain"]


ADMITTED: dict[str, t.Any] = {
    "verdict": "go", "direction": "forward", "target": {"version": "2"}, "previous": {"version": "1"},
}  # fmt: skip


def test_the_answer_says_which_tasks_follow() -> None:
    assert way.tasks_of_answer(ADMITTED) == "forward.yml"
    assert way.tasks_of_answer({**ADMITTED, "direction": "back"}) == "back.yml"
    assert way.tasks_of_answer({**ADMITTED, "verdict": "gate"}) == "gate.yml"


def test_a_host_that_somebody_else_took_out_is_not_brought_home() -> None:
    lost = {"failed": True, "kind": "coordinator"}
    assert way.way_home(lost, ADMITTED, {}, foreign=True)["go_back"] is False


def test_the_longest_way_counts_every_balancer_and_every_step() -> None:
    """A host at work was declared vanished because only one balancer and two steps were counted."""
    times = {"step": 10.0, "drain": 5.0, "healthy": 7.0, "restore": 3.0}
    one = way.longest_way({**RELEASE, "balancers": 1}, times)
    assert way.longest_way({**RELEASE, "balancers": 3}, times) == one + 2 * (2 * 5.0 + 3.0)
    assert way.longest_way({**RELEASE, "balancers": 1, "hooks": {"after_drain": "a.yml"}}, times) > one + 10.0


def test_the_ledger_says_whether_a_failed_host_goes_back() -> None:
    verdict = {"go_back": True, "was_changed": True, "target": {"version": "1"}, "msg": "..."}
    assert way.way_home(verdict, ADMITTED, {"changed": True}) == {
        "go_back": True, "was_changed": True, "target": {"version": "1"},
    }  # fmt: skip


def test_without_a_coordinator_an_unchanged_host_returns_and_a_changed_one_is_left() -> None:
    lost = {"failed": True, "kind": "coordinator"}
    as_it_was = {"go_back": True, "was_changed": False, "target": {"version": "1"}}
    assert way.way_home(lost, ADMITTED, {}) == as_it_was
    assert way.way_home(lost, ADMITTED, lost) == as_it_was
    assert way.way_home(lost, ADMITTED, {"changed": True})["go_back"] is False
    assert way.way_home(lost, {**ADMITTED, "previous": None}, {})["go_back"] is False
