# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.load.model import BASELINE, CANDIDATE, Group, Load
from ansible_collections.steady.rollout.plugins.module_utils.load.schedule import slots

BLUE = Group(BASELINE, "blue", ("http://b1", "http://b2"))
GREEN = Group(CANDIDATE, "green", ("http://g1", "http://g2", "http://g3"))


def load(rate: float = 10, seconds: float = 2, warm_up: float = 0.0) -> Load:
    return Load(rate, seconds, warm_up, connections=2, timeout=5)


def test_both_groups_are_asked_the_same_in_turns_that_change() -> None:
    found = list(slots(load(), (BLUE, GREEN), 2))[:6]
    assert [(slot.at, slot.group.name, slot.recipe) for slot in found] == [
        (0.0, "blue", 0), (0.05, "green", 0), (0.1, "green", 1), (0.15, "blue", 1), (0.2, "blue", 0), (0.25, "green", 0),
    ]  # fmt: skip


@given(st.floats(1, 50), st.floats(1, 5), st.floats(0, 3), st.integers(1, 4))
def test_every_group_gets_its_share(rate: float, seconds: float, warm_up: float, recipes: int) -> None:
    asked = load(rate, seconds, warm_up)
    found = list(slots(asked, (BLUE, GREEN), recipes))
    for group in (BLUE, GREEN):
        own = [slot for slot in found if slot.group is group]
        assert (len(own), sum(slot.counts for slot in own)) == (asked.total, asked.measured)
        hosts = collections.Counter(slot.url for slot in own)
        assert max(hosts.values()) - min([hosts[url] for url in group.urls]) <= recipes
    assert [slot.at for slot in found] == sorted(slot.at for slot in found)
    assert all(not slot.counts for slot in found[: 2 * (asked.total - asked.measured)])


def test_a_second_look_goes_on_where_the_first_one_ended() -> None:
    asked = load(rate=10, seconds=1, warm_up=0.5)
    first, second = (list(slots(asked, (BLUE, GREEN), 2, analysis)) for analysis in (0, 1))
    assert (len(first), len(second)) == (30, 20)
    assert second[0].at == 0.0
    assert all(slot.counts for slot in second)
    # Round 14 of the first analysis is followed by round 15.
    assert [(slot.group.name, slot.recipe) for slot in first[-2:] + second[:2]] == [
        ("blue", 0), ("green", 0), ("green", 1), ("blue", 1),
    ]  # fmt: skip


def test_each_host_gets_every_recipe() -> None:
    found = {(slot.url, slot.recipe) for slot in slots(load(), (BLUE,), 2)}
    assert found == {(url, recipe) for url in BLUE.urls for recipe in (0, 1)}
