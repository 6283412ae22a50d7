# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of a large fleet the watch probes in one observation."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.plugin_utils.watch.portions import CLOSELY, Portions

FLEET = {f"app{number}": "2.0.0" for number in range(1, 8)}


def row(name: str, healthy: bool) -> dict[str, object]:
    return {"name": name, "healthy": healthy}


def test_a_small_fleet_is_probed_as_a_whole_each_time() -> None:
    portions = Portions()
    assert [portions.next(FLEET) for dummy in range(3)] == [FLEET] * 3


def test_the_watch_took_a_whole_processor_in_a_fleet_of_a_thousand_hosts() -> None:
    portions = Portions(3)
    assert [list(portions.next(FLEET)) for dummy in range(3)] == [
        ["app1", "app2", "app3"],
        ["app4", "app5", "app6"],
        ["app7", "app1", "app2"],
    ]


def test_a_host_that_fails_now_and_then_does_not_wait_for_its_turn() -> None:
    portions = Portions(3)
    portions.next(FLEET)
    portions.add([row("app1", True), row("app2", False)])
    assert list(portions.next(FLEET)) == ["app2", "app4", "app5"]
    for dummy in range(CLOSELY):
        assert "app2" in portions.next(FLEET)
        portions.add([row("app2", True)])
    assert "app2" not in portions.next(FLEET)


def test_a_host_that_has_just_been_proven_is_probed_in_the_next_observation() -> None:
    portions = Portions(3)
    for dummy in range(5):
        portions.next(FLEET)
    assert "app8" in portions.next({**FLEET, "app8": "2.0.0"})


@given(st.integers(1, 30), st.integers(2, 10), st.booleans())
def test_no_host_goes_unobserved_invariant_17(hosts: int, most: int, fails: bool) -> None:
    fleet = {f"app{number}": "2.0.0" for number in range(hosts)}
    portions = Portions(most)
    portions.add([row("app0", not fails)])
    seen: set[str] = set()
    for dummy in range(math.ceil(hosts / (most - fails))):
        portion = portions.next(fleet)
        assert len(portion) == min(hosts, most)
        seen |= set(portion)
    assert seen == set(fleet)
