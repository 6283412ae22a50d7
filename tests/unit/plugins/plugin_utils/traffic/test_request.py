# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shift of traffic is asked to do, from the settings."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.traffic import request

FLEET = ["app1", "app2", "app3"]
SETTINGS: dict[str, t.Any] = {
    "strategy": "",
    "colours": {"blue": "left", "green": ["app3"]},
    "live_colour": "",
    "canary_group": "few",
    "steps": [{"share": 100}],
    "bake_time": 60,
    "rollback_window": "1h",
}
GROUPS = {"left": ["app1", "app2"], "few": ["app3"]}


def test_nothing_is_requested_without_a_strategy() -> None:
    assert request.traffic_request(SETTINGS, GROUPS, FLEET) == {}


def test_a_canary_is_its_group_and_the_rest_of_the_fleet() -> None:
    assert request.traffic_request({**SETTINGS, "strategy": "canary"}, GROUPS, FLEET) == {
        "strategy": "canary",
        "groups": {"main": ["app1", "app2"], "canary": ["app3"]},
        "candidate": "canary",
        "steps": [{"share": 100}],
    }


def test_colours_are_groups_or_lists() -> None:
    assert request.traffic_request({**SETTINGS, "strategy": "blue_green"}, GROUPS, FLEET) == {
        "strategy": "blue_green",
        "groups": {"blue": ["app1", "app2"], "green": ["app3"]},
        "live": None,
        "steps": [{"share": 100, "bake": 60}],
        "rollback_window": "1h",
    }


def test_every_step_has_its_time() -> None:
    assert request.bakes([{"hosts": 1, "bake": "5m"}, {"hosts": "50%"}]) == [300.0, 0.0]
