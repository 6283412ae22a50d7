# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.plays import NOBODY
from ansible_collections.steady.rollout.plugins.plugin_utils.tiers.plays import hosts_of_turn

API = {"fleet": "api", "first": "api1", "hosts": ["api1", "api2"]}
WEB = {"fleet": "web", "first": "web1", "hosts": ["web1"]}
CHECKED = {"__rollout_tiers": {"tiers": [API, WEB]}}
BEGUN = {
    **CHECKED,
    "__rollout_turn": {"number": 2, "fleet": "api", "over": False},
    "__rollout_begun": 2,
    "__rollout_plan": {"order": ["api2", "api1"], "gate": True},
    "__rollout_rollback": {"order": ["api1"]},
}
KNOWN: dict[str, dict[str, t.Any]] = {"lb1": CHECKED, "api1": BEGUN, "api2": BEGUN, "web1": BEGUN}


def hosts(what: str, known: dict[str, dict[str, t.Any]] | None = None, check_mode: bool = False) -> list[str]:
    return hosts_of_turn(known or KNOWN, what, 2, check_mode)


def test_each_play_of_a_turn_has_its_hosts() -> None:
    assert hosts("first") == ["api1", "web1"]
    assert hosts("all") == ["api1", "api2", "web1"]
    assert hosts("begin") == ["api1", "api2"]
    assert hosts("roll") == ["api2", "api1"]
    assert hosts("judge") == ["api1", "api2"]
    assert hosts("roll_back") == ["api1"]
    assert hosts("conclude") == ["api1", "api2"]


def test_hosts_judged_the_last_stage_of_a_service_without_a_gate() -> None:
    without = {**BEGUN, "__rollout_plan": {"order": ["api2", "api1"], "gate": False}}
    known = {**KNOWN, "api1": without, "api2": without}
    assert hosts("judge", known) == NOBODY
    assert hosts("roll", known) == ["api2", "api1"]


def test_a_drill_rolls_one_host_of_each_service() -> None:
    checked = {"__rollout_tiers": {"tiers": [{**API, "first": "api2", "hosts": ["api2"]}, WEB]}}
    known = {name: {**values, **checked} for name, values in KNOWN.items()}
    assert hosts("all", known) == ["api2", "web1"]
    assert hosts("begin", known) == ["api2"]


def test_check_mode_ends_a_turn_with_its_plan() -> None:
    assert hosts("begin", check_mode=True) == ["api1", "api2"]
    for what in ("roll", "judge", "roll_back", "conclude"):
        assert hosts(what, check_mode=True) == NOBODY


def test_a_turn_that_could_not_begin_touches_nobody_although_an_earlier_one_left_a_plan() -> None:
    stopped = {**BEGUN, "__rollout_begun": 0}
    known = {**KNOWN, "api1": stopped, "api2": stopped}
    for what in ("roll", "judge", "roll_back", "conclude"):
        assert hosts(what, known) == NOBODY


def test_the_plan_of_a_host_that_was_lost_in_an_earlier_turn_does_not_count() -> None:
    lost = {
        **BEGUN,
        "__rollout_turn": {"number": 1, "fleet": "api"},
        "__rollout_begun": 1,
        "__rollout_plan": {"order": ["x"]},
    }
    assert hosts("roll", {**KNOWN, "api1": lost}) == ["api2", "api1"]


def test_a_service_is_chosen_until_none_is_left() -> None:
    assert hosts_of_turn(dict.fromkeys(KNOWN, CHECKED), "choose", 1) == ["api1", "api2", "web1"]
    assert hosts_of_turn(KNOWN, "choose", 3) == ["api1", "api2", "web1"]
    over = {**BEGUN, "__rollout_turn": {"number": 2, "fleet": "", "over": True}}
    known = dict.fromkeys(KNOWN, over)
    for number in (3, 4, 15):
        assert hosts_of_turn(known, "choose", number) == NOBODY
        assert hosts_of_turn(known, "begin", number) == NOBODY


def test_without_services_nobody_is_named() -> None:
    assert hosts_of_turn({}, "first") == NOBODY
    assert hosts_of_turn({}, "all") == NOBODY
