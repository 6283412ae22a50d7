# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever fails and wherever a run is killed, a release ends with every service new or every service as it was."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, tiers
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.tiers import State, Tier, TieredRelease

OLD, MIXED, NEW = "old", "mixed", "new"
NAMES = ("db", "api", "web", "jobs", "mail")


def state_of(**needs: list[str]) -> State:
    order = tiers.in_order(needs)
    services = tuple(
        Tier(release=1, name=name, service=name, version="2", position=number, needs=json.dumps(needs[name]))
        for number, name in enumerate(order, start=1)
    )
    return TieredRelease(id=1, services=json.dumps(sorted(needs)), run="run"), services


def named(state: State, service: str) -> Tier:
    return next(tier for tier in state[1] if tier.service == service)


def with_planned(state: State, service: str, changes: bool = True) -> State:
    return state[0], tuple(tiers.planned(tier, 7, changes) if tier.service == service else tier for tier in state[1])


THREE: dict[str, list[str]] = {"web": ["api"], "api": ["db"], "db": []}


def test_every_service_comes_after_what_it_needs_and_else_as_it_was_written() -> None:
    assert tiers.in_order(THREE) == ["db", "api", "web"]
    assert tiers.in_order({"web": [], "api": [], "db": []}) == ["web", "api", "db"]


def test_services_that_need_each_other_in_a_circle_are_refused() -> None:
    with pytest.raises(InputError) as refused:
        tiers.in_order({"db": [], "api": ["web", "db"], "web": ["jobs"], "jobs": ["api"]})
    assert refused.value.message == (
        "rollout_tiers has a circular dependency: api needs web needs jobs needs api. Remove one of these needs"
    )


def test_a_service_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        tiers.in_order({"api": [], "web": ["app"]})
    assert refused.value.message == "rollout_tiers.web.needs: expected one of api, web, found app"


def test_a_service_that_was_on_its_version_is_not_rolled_back_with_the_others() -> None:
    state = state_of(**THREE)
    state = tiers.concluded(with_planned(state, "db", changes=False), "db", "done", "nothing to do")
    state = tiers.concluded(with_planned(state, "api"), "api", "done", "done")
    state = tiers.concluded(with_planned(state, "web"), "web", "reverted", "web: 2 rolled back")
    turn = tiers.turn(state)
    assert turn is not None
    assert turn.service == "api"
    state = tiers.concluded(state, "api", "reverted", "api: 2 rolled back")
    assert tiers.turn(state) is None
    assert tiers.outcome_of(state) == "reverted"
    assert [tier.state for tier in state[1]] == ["skipped", "reverted", "reverted"]
    assert state[0].reason == "web: 2 rolled back"


def test_hosts_that_were_changed_before_a_kill_are_rolled_back_although_a_later_plan_had_nothing_to_do() -> None:
    state = with_planned(with_planned(state_of(**THREE), "db"), "db", changes=False)
    assert named(tiers.concluded(state, "db", "done", ""), "db").state == tiers.DONE


def test_a_service_that_is_only_incomplete_stops_the_run_and_turns_nothing() -> None:
    state = tiers.concluded(with_planned(state_of(**THREE), "db"), "db", "incomplete", "the window closed", "window")
    assert tiers.turn(state) is None
    assert (state[0].direction, state[0].stopped, state[0].stopped_kind) == ("forward", "the window closed", "window")
    assert tiers.outcome_of(state) == "incomplete"
    turn = tiers.turn(tiers.resumed(state, "next", revert=False))
    assert turn is not None
    assert turn.service == "db"


def test_what_fails_after_the_last_host_is_tried_again() -> None:
    state = tiers.concluded(with_planned(state_of(**THREE), "db"), "db", "done", "done")
    state = tiers.stopped(state, "db", "the migration failed")
    turn = tiers.turn(tiers.resumed(state, "next", revert=False))
    assert turn is not None
    assert turn.service == "db"


@dataclasses.dataclass
class World:
    """What the services really run, and the release as the ledger has it."""

    state: State
    runs: dict[str, str]

    def check(self) -> None:
        """No service is ahead of what it needs, and what is needed is rolled back last."""
        for tier in self.state[1]:
            if self.runs[tier.service] != OLD:
                assert all(self.runs[other] == NEW for other in tier.needed), self.runs


@st.composite
def services(draw: t.Any) -> dict[str, list[str]]:
    count = draw(st.integers(1, len(NAMES)))
    names = NAMES[:count]
    needs = {
        name: draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        for number, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


FORWARD_ENDS = st.sampled_from(["done", "done", "done", "reverted", "incomplete", "failed", "refused"])
BACK_ENDS = st.sampled_from(["reverted", "reverted", "failed", "refused"])
KILLED = st.sampled_from(["no", "no", "no", "before the plan", "after the plan", "half-way"])


def one_turn(world: World, tier: Tier, draw: t.Any) -> bool:
    """False where the run was killed."""
    service, forward = tier.service, world.state[0].goes_forward
    killed = draw(KILLED)
    if killed == "before the plan":
        return False
    was_there = world.runs[service] == NEW and not tier.changed
    if forward:
        world.state = with_planned(world.state, service, changes=world.runs[service] != NEW)
    if killed == "after the plan":
        return False
    if killed == "half-way":
        world.runs[service] = world.runs[service] if was_there else MIXED
        return False
    outcome = draw(FORWARD_ENDS if forward else BACK_ENDS)
    if was_there and outcome == "reverted":
        outcome = "done"
    if outcome == "refused":
        world.state = tiers.stopped(world.state, service, "refused")
        return True
    if not was_there:
        world.runs[service] = {"done": NEW, "reverted": OLD}.get(outcome, MIXED)
    world.state = tiers.concluded(world.state, service, outcome, outcome)
    return True


def one_run(world: World, draw: t.Any) -> None:
    for dummy in range(100):
        tier = tiers.turn(world.state)
        if tier is None or not one_turn(world, tier, draw):
            return
        world.check()
    raise AssertionError("a run without an end")


@given(needs=services(), data=st.data())
def test_every_release_ends_all_new_or_as_it_was_in_the_order_of_needs(
    needs: dict[str, list[str]], data: t.Any
) -> None:
    """Invariants 12 and 14 for a release: what is on record leads to an end, wherever the runs before were killed."""
    first = tiers.in_order(needs)
    before = dict.fromkeys(needs, OLD)
    for name in first[: data.draw(st.integers(0, len(first)))]:
        before[name] = NEW
    world = World(state_of(**needs), dict(before))
    for dummy in range(data.draw(st.integers(1, 6))):
        revert = data.draw(st.booleans())
        world.state = tiers.resumed(world.state, "next", revert)
        one_run(world, data.draw)
        world.check()
    finished = tiers.resumed(world.state, "last", revert=False)
    while (tier := tiers.turn(finished)) is not None:
        forward = finished[0].goes_forward
        if forward:
            finished = with_planned(finished, tier.service, changes=world.runs[tier.service] != NEW)
        world.runs[tier.service] = NEW if forward else OLD
        finished = tiers.concluded(finished, tier.service, "done" if forward else "reverted", "")
        world.state = finished
        world.check()
    expected = dict.fromkeys(needs, NEW) if finished[0].goes_forward else before
    assert world.runs == expected
    assert tiers.outcome_of(finished) == ("done" if finished[0].goes_forward else "reverted")
    assert finished[0].direction in (model.FORWARD, model.BACK)
