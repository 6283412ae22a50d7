# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.plays import NOBODY, hosts_to

GROUPS = {"all": ["lb1", "app1", "app2", "app3"], "fleet": ["app1", "app2", "app3"]}
PLAN = {"__rollout_plan": {"order": ["app3", "app1"], "gate": True}}
PLANNED: dict[str, dict[str, t.Any]] = {"app1": {}, "app2": PLAN, "app3": PLAN}


def test_the_plan_of_whichever_host_has_it_says_who_is_rolled() -> None:
    assert hosts_to(GROUPS, "roll", PLANNED, "fleet") == ["app3", "app1"]


def test_without_a_plan_no_host_is_updated() -> None:
    assert hosts_to(GROUPS, "roll", {"app1": {}}, "fleet") == NOBODY
    assert hosts_to(GROUPS, "roll", {"app1": {"__rollout_plan": {"order": []}}}, "fleet") == NOBODY


@pytest.mark.parametrize(
    ("what", "fact"), [("roll_back", {"__rollout_rollback": {"order": ["app2"]}}), ("pass", {"__rollout_drive": {"hosts": ["app2"]}})]
)  # fmt: skip
def test_a_rollback_and_a_pass_have_hosts_of_their_own(what: str, fact: dict[str, t.Any]) -> None:
    assert hosts_to(GROUPS, what, {"app1": {**PLAN, **fact}}, "fleet") == ["app2"]
    assert hosts_to(GROUPS, what, {"app1": PLAN}, "fleet") == NOBODY


@pytest.mark.parametrize("what", ["judge", "shift"])
def test_two_hosts_judge_or_shift_so_that_the_run_survives_the_loss_of_one(what: str) -> None:
    planned = dict.fromkeys(GROUPS["fleet"], PLAN)
    assert hosts_to(GROUPS, what, planned, "fleet") == ["app1", "app2"]
    assert hosts_to(GROUPS, what, PLANNED, "fleet") == ["app2", "app3"]


def test_nobody_judges_where_there_is_no_gate_and_traffic_is_shifted_all_the_same() -> None:
    plan = {"__rollout_plan": {"order": ["app3", "app1"], "gate": False}}
    without = dict.fromkeys(GROUPS["fleet"], plan)
    assert hosts_to(GROUPS, "judge", without, "fleet") == NOBODY
    assert hosts_to(GROUPS, "shift", without, "fleet") == ["app1", "app2"]
    assert hosts_to(GROUPS, "judge", {"app1": {}}, "fleet") == NOBODY


@pytest.mark.parametrize("what", ["roll", "roll_back", "pass", "judge", "shift"])
def test_check_mode_ends_with_the_plan(what: str) -> None:
    facts = {**PLAN, "__rollout_rollback": {"order": ["app2"]}, "__rollout_drive": {"hosts": ["app2"]}}
    assert hosts_to(GROUPS, what, {"app1": facts}, "fleet", check_mode=True) == NOBODY


def test_a_fleet_that_is_no_group_is_all_hosts() -> None:
    assert hosts_to({"all": ["app1"]}, "judge", {"app1": PLAN}, "fleet") == ["app1"]
