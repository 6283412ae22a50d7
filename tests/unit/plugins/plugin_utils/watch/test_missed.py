# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.watch.missed import with_missed_failures

UP = {"admin": "in_service", "operational": "up", "in_rotation": True, "check": "L7OK"}
FOR_A_MOMENT = {**UP, "operational": "down", "check": "for a moment, between two observations", "went_down": 3}


def node(**counts: t.Any) -> dict[str, t.Any]:
    return {"host": "lb1", "members": {name: {**UP, "went_down": count} for name, count in counts.items()}}


def test_a_crash_that_was_over_within_two_seconds_was_missed() -> None:
    """A release that crashed after two minutes and was restarted took two more hosts before one crash was seen."""
    seen = with_missed_failures([node(app1=3, app2=1)], [node(app1=2, app2=1)], ["app1", "app2"])
    assert seen == [{"host": "lb1", "members": {"app1": FOR_A_MOMENT, "app2": {**UP, "went_down": 1}}}]


def test_a_host_that_is_being_updated_goes_down_without_failing() -> None:
    assert with_missed_failures([node(app1=3)], [node(app1=2)], ["app2"]) == [node(app1=3)]


def test_a_node_that_restarted_its_counters_or_has_none_gives_no_figures() -> None:
    for before in ([node(app1=9)], [node(app1=None)], [node()], [], [{"host": "lb1", "unreachable": "gone"}]):
        assert with_missed_failures([node(app1=3)], before, ["app1"]) == [node(app1=3)]
    silent = {"host": "lb1", "members": {}, "unreachable": "gone"}
    assert with_missed_failures([silent], [node(app1=3)], ["app1"]) == [silent]
    assert with_missed_failures([node(app1=None)], [node(app1=3)], ["app1"]) == [node(app1=None)]


def test_one_that_is_down_still_says_why() -> None:
    down = {"host": "lb1", "members": {"app1": {**UP, "operational": "down", "check": "L4CON", "went_down": 3}}}
    assert with_missed_failures([down], [node(app1=2)], ["app1"]) == [down]
