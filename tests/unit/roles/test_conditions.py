# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conditions of the roles' steps and of the playbooks, each evaluated by Ansible for what it has to tell apart."""

from __future__ import annotations

import re
import typing as t

import pytest
import yaml
from support.role_tasks import REPOSITORY, ROLES_VARS, Task, all_tasks, evaluated, holds, task, tasks_of

PLAYBOOKS = REPOSITORY / "playbooks"


def plays(name: str) -> list[Task]:
    return list(yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text(encoding="utf-8")))


def play(playbook: str, name: str) -> Task:
    (found,) = (one for one in plays(playbook) if one["name"] == name)
    return found


# Who does what


def test_only_the_first_host_judges_the_last_stage() -> None:
    judge = task("last_gate", "Judge the last stage")
    assert holds(judge, inventory_hostname="app1", ansible_play_hosts=["app1", "app2"])
    assert not holds(judge, inventory_hostname="app2", ansible_play_hosts=["app1", "app2"])


@pytest.mark.parametrize(
    ("name", "act", "moves"), [("app1", "roll", True), ("app2", "roll", False), ("app1", "over", False)]
)
def test_one_host_moves_the_traffic_and_only_until_the_shift_is_over(name: str, act: str, moves: bool) -> None:
    move = task("drive", "Move the traffic")
    assert (
        holds(move, inventory_hostname=name, ansible_play_hosts=["app1", "app2"], __rollout_drive={"act": act}) is moves
    )


def test_the_first_pass_moves_the_traffic_too() -> None:
    assert holds(task("drive", "Move the traffic"), inventory_hostname="app1", ansible_play_hosts=["app1"])


def test_your_steps_judge_the_traffic_where_they_are_due() -> None:
    judge = task("drive", "Have your steps judge it")
    assert holds(judge, __rollout_drive={"hook": {"path": "update.yml"}})
    assert not holds(judge, __rollout_drive={"hook": {}})
    assert not holds(judge, __rollout_drive={"msg": "refused"})


def test_a_host_without_a_step_of_yours_ends_before_the_include_of_one() -> None:
    names = [one.get("name") for one in tasks_of("host")]
    end = task("host", "End where no step of yours is due")
    assert end["ansible.builtin.meta"] == "end_host"
    assert names.index("End where no step of yours is due") + 1 == names.index("Run a step of yours")
    assert not holds(end, __rollout_host={"hook": {"path": "update.yml"}})
    assert holds(end, __rollout_host={"hook": {}})
    assert holds(end, __rollout_host={"msg": "refused"})


# A step of the user's


@pytest.mark.parametrize("file", ["hook", "judge"])
def test_a_step_of_a_suspended_run_changed_hosts_after_another_one_had_taken_over(file: str) -> None:
    """The lookup asks before each task of the file, so it is in the environment of the block around them."""
    (given,) = (one["environment"] for one in tasks_of(file) if "environment" in one)
    assert "lookup('steady.rollout.lease', __rollout_run.run)" in str(given)


@pytest.mark.parametrize("file", ["hook", "judge"])
def test_a_step_has_its_time_limit_and_loses_an_unreachable_host(file: str) -> None:
    includes = [one.get("ansible.builtin.include_tasks") for one in tasks_of(file)]
    (apply,) = (one["apply"] for one in includes if isinstance(one, dict) and "apply" in one)
    assert apply["timeout"] == "{{ rollout_step_timeout | steady.rollout.seconds | int }}"
    assert apply["ignore_unreachable"] is False


@pytest.mark.parametrize(("file", "fact"), [("hook", "__rollout_done"), ("judge", "__rollout_judged")])
def test_a_step_that_failed_is_distinguished_from_one_that_succeeded(file: str, fact: str) -> None:
    went_on, failed = (one["vars"][fact] for one in tasks_of(file) if fact in one.get("vars", {}))
    assert "failure" not in went_on
    assert failed["failure"] == (
        "{{ ansible_failed_task | default({}) | steady.rollout.failure(ansible_failed_result | default(__rollout_not_loaded)) }}"
    )


def test_handlers_of_a_step_run_before_health_is_judged() -> None:
    names = [one.get("name") for one in tasks_of("hook")]
    assert names.index("Run its handlers") < names.index("Go on with the host")


# Plan and conclusion


@pytest.mark.parametrize(
    "name", ["Plan | Leave the claim at every balancer", "Plan | Release the lease", "Release the claims", "Plan | Start the watch"]
)  # fmt: skip
def test_check_mode_plans_and_leaves_nothing_behind(name: str) -> None:
    assert not holds(task("plan", name), ansible_check_mode=True)
    assert holds(task("plan", name), ansible_check_mode=False)


def test_a_plan_that_was_refused_gives_back_lease_and_claims_and_fails() -> None:
    (read,) = (one for one in tasks_of("plan") if one.get("name") == "Read, claim and plan under the lease")
    assert [one["name"] for one in read["rescue"]] == [
        "Plan | Release the lease",
        "Release the claims",
        "Plan | Say why nothing was started",
    ]
    assert "refused" in read["rescue"][0]["steady.rollout.rollout"]
    assert "ansible.builtin.fail" in read["rescue"][2]


def test_balancers_are_read_with_the_rights_to_change_them_before_the_claims_are_left() -> None:
    (read,) = (one for one in tasks_of("plan") if one.get("name") == "Read, claim and plan under the lease")
    names = [one["name"] for one in read["block"]]
    assert names[0] == "Read the fleet and the load balancers"
    assert read["block"][0]["vars"]["__rollout_require_admin"] is True
    assert read["block"][0]["vars"]["__rollout_refuse_unreadable"] is True
    assert names.index("Plan | Leave the claim at every balancer") < names.index("Plan | Decide order and stages")


FLAG_LEFT_ON = {"failures": ["The flag checkout is still on."]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"succeeded": False}, "2 hosts are left."),
        ({"succeeded": True, "migration": "no database"},
         "2 hosts are left. The migration failed: no database Fix this, then run the same playbook again."),
        ({"succeeded": False, "migration": "no database"}, "2 hosts are left."),
        ({"succeeded": True, "flags": FLAG_LEFT_ON}, "2 hosts are left. The flag checkout is still on."),
        ({"succeeded": False, "flags": FLAG_LEFT_ON}, "2 hosts are left. The flag checkout is still on."),
        ({"succeeded": True}, None),
    ],
)  # fmt: skip
def test_only_a_rollout_that_left_something_to_do_fails_the_run(given: dict[str, t.Any], message: str | None) -> None:
    """The message of a conclusion that failed contains why the migration did."""
    fail = task("conclude", "Conclude | Fail the run where something is left to do")
    variables: dict[str, t.Any] = {
        "__rollout_conclusion": {"succeeded": given["succeeded"], "message": "2 hosts are left."}
    }
    if "migration" in given:
        variables["__rollout_migration_failure"] = given["migration"]
    if "flags" in given:
        variables["__rollout_flags_set"] = given["flags"]
    assert holds(fail, **variables) is (message is not None)
    if message:
        assert evaluated(fail["ansible.builtin.fail"]["msg"], **variables, **fail["vars"]) == message


def test_what_is_put_back_at_the_end_is_what_was_not_taken_out_by_others() -> None:
    restore = task("restore_left_out", "Restore | Put them back into service")
    assert restore["steady.rollout.lb_member"]["expected_states"] == ["in_service", "drained"]
    assert restore["steady.rollout.lb_member"]["claim"] == "{{ __rollout_claim }}"
    assert restore["ignore_errors"] is True
    assert holds(restore, __rollout_names=["app1"])
    assert not holds(restore, __rollout_names=[])


def test_the_fleet_is_read_again_only_after_something_was_put_back() -> None:
    read_again = task("restore_left_out", "Read the fleet and the load balancers again")
    assert holds(read_again, __rollout_restorable={"restorable": {"lb1": ["app1"]}})
    assert not holds(read_again, __rollout_restorable={"restorable": {}})
    assert not holds(read_again, __rollout_restorable={"failed": True})


def test_the_ledger_is_asked_what_can_be_put_back_only_where_somebody_is_out_of_rotation() -> None:
    put_back = task("conclude_optional", "Put hosts that are still drained back in service")
    assert put_back["ansible.builtin.include_tasks"] == "restore_left_out.yml"
    for one in (task("conclude", "Finish what only some rollouts need"), put_back):
        assert holds(one, __rollout_survey={"out_of_rotation": "Out of rotation now: app1 (drained) on lb1."})
        assert not holds(one, __rollout_survey={"out_of_rotation": ""})


def test_one_balancer_whose_claim_stays_does_not_keep_the_run_from_its_end() -> None:
    assert task("release_claims", "Release the claims at every balancer")["failed_when"] is False


def test_the_survey_reads_in_check_mode_too() -> None:
    assert task("survey", "Survey | Read the fleet and the load balancers")["check_mode"] is False


OPTIONAL = "rollout_smoke_tests|rollout_window|rollout_flags|rollout_migrations|rollout_veto|rollout_metrics"


@pytest.mark.parametrize(("file", "count"), [("begin", 1), ("plan", 2), ("conclude", 1)])
def test_what_a_rollout_does_not_have_cost_it_seconds(file: str, count: int) -> None:
    """Ansible forks a worker for a task that it skips, some 70 ms each: one condition stands before all that is optional."""
    asked = [one for one in tasks_of(file) if re.search(rf"\b({OPTIONAL})\b", str(one.get("when", "")))]
    assert len(asked) == count
    assert all("ansible.builtin.include_tasks" in one for one in asked)


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({}, False),
        ({"rollout_smoke_tests": [{"url": "/"}]}, True),
        ({"rollout_window": {"windows": []}}, True),
        ({"rollout_balancers": [{"host": "lb1"}, {"host": "lb2", "connection": {"host": "10.0.0.2"}}]}, True),
        ({"rollout_balancers": [{"host": "lb1"}]}, False),
    ],
)
def test_the_checks_that_only_some_rollouts_have_run_where_one_is_due(given: dict[str, t.Any], needed: bool) -> None:
    assert holds(task("begin", "Check what only some rollouts have"), **given) is needed


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({}, False),
        ({"__rollout_plan": {"shift": {}}}, True),
        ({"rollout_metrics": [{"name": "errors"}]}, True),
        ({"rollout_veto": [{"url": "http://ci"}]}, False),
        ({"rollout_veto": [{"url": "http://ci"}], "ansible_check_mode": True}, True),
    ],
)
def test_the_outlook_is_shown_where_rules_object_or_metrics_judge(given: dict[str, t.Any], needed: bool) -> None:
    look = task("plan", "Look ahead where rules object or metrics judge")
    assert holds(look, **{"__rollout_plan": {}, "ansible_check_mode": False, **given}) is needed


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("plan", "Prepare the feature flags and the database"),
        ("conclude", "Finish what only some rollouts need"),
    ],
)
def test_flags_and_migrations_are_prepared_and_finished_where_there_are_some(file: str, name: str) -> None:
    nothing_left = {"__rollout_survey": {"out_of_rotation": ""}}
    assert not holds(task(file, name), **nothing_left)
    assert holds(task(file, name), **nothing_left, rollout_flags=[{"name": "checkout"}])
    assert holds(task(file, name), **nothing_left, rollout_migrations=[{"tool": "sql"}])


# Settings


def test_claims_are_left_at_the_balancers_that_split_the_traffic_too() -> None:
    balancers = {
        "rollout_balancers": [{"host": "lb1"}, {"socket": "/run/x"}],
        "rollout_traffic_balancers": [{"host": "dns1"}],
    }
    assert evaluated(ROLES_VARS["__rollout_claimed_hosts"], **balancers) == ["lb1", "localhost", "dns1"]


@pytest.mark.parametrize(
    ("given", "gate"),
    [({}, False), ({"rollout_gate_tasks": "gate.yml"}, True), ({"rollout_metrics": [{"name": "errors"}]}, True)],
)
def test_steps_or_metrics_make_a_gate(given: dict[str, t.Any], gate: bool) -> None:
    assert evaluated(ROLES_VARS["__rollout_policy"]["gate"], **given) is gate


def test_each_setting_of_the_policy_is_the_one_of_its_name() -> None:
    names = {name: text for name, text in ROLES_VARS["__rollout_policy"].items() if name not in ("gate", "gate_limit")}
    assert names == {name: f"{{{{ rollout_{name} }}}}" for name in names}


def test_a_shift_has_the_strategy_of_its_playbook() -> None:
    strategy = ROLES_VARS["__rollout_traffic_settings"]["strategy"]
    assert evaluated(strategy, __rollout_strategy="canary") == "canary"
    assert evaluated(strategy) == ""


# Plays


@pytest.mark.parametrize("playbook", ["rolling", "shift", "shift_pass"])
def test_whatever_changes_hosts_carries_the_mark_of_its_run(playbook: str) -> None:
    """By it an interrupted run's processes are found on the hosts."""
    for one in plays(playbook):
        for each in one.get("tasks", []):
            if each.get("ansible.builtin.import_role", {}).get("tasks_from") in ("host", "last_gate", "drive"):
                assert one.get("environment") == {"STEADY_ROLLOUT_RUN": "{{ __rollout_run.run }}"}, one["name"]


@pytest.mark.parametrize(
    ("playbook", "name"), [("rolling", "Roll"), ("rolling", "Roll back"), ("shift_pass", "Roll the hosts without traffic")]
)  # fmt: skip
def test_each_host_goes_at_its_own_pace_and_a_lost_one_stops_no_other(playbook: str, name: str) -> None:
    assert play(playbook, name)["strategy"] == "ansible.builtin.host_pinned"
    assert play(playbook, name)["ignore_unreachable"] is True


def test_the_rollback_is_planned_after_the_roll_and_before_it_is_made() -> None:
    names = [one["name"] for one in plays("rolling")]
    assert names == [
        "Find the fleet", "Begin", "Roll", "Judge the last stage", "Plan the rollback", "Roll back", "Conclude",
    ]  # fmt: skip


def test_there_are_enough_passes_for_a_shift_and_its_way_back() -> None:
    names = [one["name"] for one in plays("shift")]
    assert len([name for name in names if name.endswith(" pass")]) == 5
    assert names[-1] == "Conclude"


@pytest.mark.parametrize("playbook", ["rolling", "shift"])
def test_check_mode_concludes_nothing(playbook: str) -> None:
    (conclude,) = play(playbook, "Conclude")["tasks"]
    assert not holds(conclude, ansible_check_mode=True)
    assert holds(conclude, ansible_check_mode=False)


@pytest.mark.parametrize("playbook", ["rolling", "shift", "shift_pass", "canary", "blue_green"])
def test_no_play_is_left_out_by_tags_or_gathers_facts(playbook: str) -> None:
    for one in plays(playbook):
        if "hosts" in one:
            assert (one["tags"], one["gather_facts"]) == (["always"], False), one["name"]


def test_a_run_in_view_of_no_host_of_the_fleet_is_refused() -> None:
    (refuse,) = play("rolling", "Find the fleet")["tasks"]
    groups = {"fleet": ["app1"]}
    assert holds(refuse, groups=groups, ansible_play_hosts_all=["lb1"])
    assert not holds(refuse, groups=groups, ansible_play_hosts_all=["lb1", "app1"])
    assert holds(refuse, groups=groups, ansible_play_hosts_all=["app1"], rollout_fleet="other")


def test_a_canary_by_hosts_is_rolled_in_stages_and_any_other_shifts_traffic() -> None:
    by_share, by_hosts = {"rollout_canary_steps": [{"share": 5}]}, {"rollout_canary_steps": [{"hosts": 1}]}
    shift, roll = play("canary", "Shift the traffic"), play("canary", "Roll in stages")
    assert [holds(shift, **by_share), holds(roll, **by_share)] == [True, False]
    assert [holds(shift, **by_hosts), holds(roll, **by_hosts)] == [False, True]


def test_colours_are_switched_back_and_all_else_is_rolled_back() -> None:
    colours = {"rollout_colours": {"blue": ["app1"], "green": ["app2"]}}
    roll, switch = play("rollback", "Roll back"), play("rollback", "Switch back")
    assert [holds(roll), holds(switch)] == [True, False]
    assert [holds(roll, **colours), holds(switch, **colours)] == [False, True]
    assert roll["vars"]["__rollout_direction"] == switch["vars"]["__rollout_direction"] == "back"


FLAGS = {"rollout_flags": [{"name": "a"}], "ansible_check_mode": False, "__rollout_run": {"operation": ""}}


@pytest.mark.parametrize(
    ("given", "turns"),
    [
        ({}, True),
        ({"rollout_flags": []}, False),
        ({"ansible_check_mode": True}, False),
        ({"__rollout_direction": "recover"}, False),
        ({"__rollout_run": {"operation": "restart friday"}}, False),
        ({"__rollout_plan": {"nothing_to_do": True}}, False),
        ({"__rollout_plan": {"nothing_to_do": True}, "__rollout_direction": "back"}, False),
    ],
)
def test_flags_are_turned_off_before_hosts_that_get_another_version(given: dict[str, t.Any], turns: bool) -> None:
    step = task("plan_optional", "Plan | Turn the feature flags off before any host")
    assert holds(step, **{**FLAGS, "__rollout_plan": {"nothing_to_do": False}, **given}) is turns


def test_a_switch_back_between_two_colours_left_the_flag_on() -> None:
    """It changes no host, so there was nothing to do."""
    step = task("plan_optional", "Plan | Turn the feature flags off before any host")
    given = {"__rollout_plan": {"nothing_to_do": True}, "__rollout_direction": "back"}
    assert holds(step, **FLAGS, **given, __rollout_strategy="blue_green")


@pytest.mark.parametrize("playbook", ["rolling", "shift", "shift_pass", "tier_turn"])
def test_the_specification_was_read_for_each_play_that_has_nothing_to_validate(playbook: str) -> None:
    """Only its entry points begin and tiers have options; seven imports of the role read all of them, at the start."""
    for each in tasks_in(plays(playbook)):
        loaded = each.get("ansible.builtin.import_role") or each.get("ansible.builtin.include_role") or {}
        if loaded.get("name") == "steady.rollout.rollout":
            assert loaded["rolespec_validate"] is False, (playbook, loaded["tasks_from"])


def tasks_in(found: t.Sequence[Task]) -> t.Iterator[Task]:
    for one in found:
        yield from all_tasks(one.get("tasks", []))
