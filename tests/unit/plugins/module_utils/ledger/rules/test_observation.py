# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof does not expire unseen (invariant 17), and what could not be measured says nothing (invariant 11)."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ledger_client import DOWN, DRAINED, UP

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, policy
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.observation import (
    Observation,
    Record,
    concerns,
    consequence,
    observed,
)

LIMITS = policy.resolved(policy.validated({}), 6, 6, {"": 6})
PROVEN_AT = 1_790_000_000.0
GOOD = Observation(model.IN_SERVICE, is_good=True)
BAD = Observation(model.IN_SERVICE, is_good=False, why="HTTP 500.")
NOTHING = Observation(None)


def host(phase: str = model.PROVEN, **changes: t.Any) -> Host:
    return Host(rollout=1, name="app1", member="app1", phase=phase, **{"in_service_at": PROVEN_AT, **changes})


def after(*seen: Observation, of: Host | None = None) -> t.Any:
    record = Record()
    for one in seen:
        found = consequence(of or host(), one, record, LIMITS)
        record = found.record
    return found


def node(name: str = "lb1", **member: t.Any) -> dict[str, t.Any]:
    return {"host": name, "members": {"app1": {**UP, **member}}}


def test_three_bad_observations_of_five_are_a_failure_that_names_the_proof():
    found = after(BAD, GOOD, BAD, GOOD, BAD)
    assert (found.failure, found.lb_state) == (
        "proven 2026-09-21 14:13:20 UTC, then 3 of the last 5 observations failed, last: HTTP 500",
        model.DOWN,
    )


def test_two_bad_observations_are_none():
    found = after(BAD, BAD, GOOD, GOOD, GOOD)
    assert (found.failure, found.lb_state) == ("", model.IN_SERVICE)


def test_old_observations_are_forgotten():
    assert after(BAD, BAD, GOOD, GOOD, GOOD, GOOD, BAD, BAD).failure == ""


def test_what_could_not_be_measured_says_nothing():
    """Invariant 11."""
    found = after(BAD, BAD, NOTHING, NOTHING, NOTHING, NOTHING)
    assert (found.record, found.failure, found.lb_state) == (Record("00", "HTTP 500."), "", model.IN_SERVICE)


def test_down_on_one_balancer_is_a_failure_at_once():
    seen = observed("app1", True, "", [node(), node("lb2", **DOWN, check="L7STS/503")], False)
    assert after(seen).failure == "proven 2026-09-21 14:13:20 UTC, then down on lb2 (L7STS/503)"


def test_a_check_that_begins_to_fail_is_a_bad_observation_though_the_probe_passes():
    seen = observed("app1", True, "", [node(operational="going_down")], False)
    assert (seen.is_good, seen.why, seen.down_on, seen.lb_state) == (False, "going_down on lb1", "", model.IN_SERVICE)


def test_a_host_that_an_operator_drains_has_not_failed():
    """Invariant 12: and what was seen of it before is forgotten, for it may be worked on."""
    seen = observed("app1", False, "HTTP 500", [node(**DRAINED)], False)
    found = consequence(host(), seen, Record("00", "HTTP 500"), LIMITS)
    assert (found.failure, found.lb_state, found.record) == ("", model.DRAINED_EXTERNALLY, Record())


def test_a_node_that_does_not_answer_shows_no_host_in_service():
    """Invariant 13: in service means so on every node."""
    silent = {"host": "lb2", "members": None, "unreachable": "no answer"}
    seen = observed("app1", None, "", [node(), silent], False)
    assert seen.lb_state is None
    assert after(seen, of=host(model.WAITING, lb_state=model.DOWN)).lb_state == model.DOWN
    assert after(seen, of=host(model.WAITING)).lb_state == model.IN_SERVICE


def test_who_failed_is_not_counted_as_serving_again():
    seen = observed("app1", None, "", [node()], False)
    assert after(seen, of=host(model.FAILED, lb_state=model.DOWN)).lb_state == model.DOWN
    assert after(seen, of=host(model.WAITING, lb_state=model.DOWN)).lb_state == model.IN_SERVICE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"in_service_at": PROVEN_AT + 1}, False),
        ({"in_service_at": None}, True),
        ({"phase": model.CHANGING}, False),
        ({"phase": model.BACK_WAITING}, False),
        ({"phase": model.FAILED, "lb_state": model.DRAINED_BY_US}, False),
    ],
)
def test_who_is_concerned(changes: dict[str, t.Any], expected: bool):
    """What was read before a host came back shows it as it was then."""
    assert concerns(host(**changes), PROVEN_AT) is expected


RESULTS = st.lists(st.sampled_from([GOOD, BAD, NOTHING]), min_size=1, max_size=30)


@given(RESULTS)
def test_a_failure_is_exactly_three_of_the_last_five_that_were_measured(seen: list[Observation]):
    """Invariant 17."""
    measured = [one.is_good for one in seen if one.is_good is not None][-5:]
    assert bool(after(*seen).failure) == (measured.count(False) >= 3)


@given(RESULTS, st.sampled_from([model.WAITING, model.UP_TO_DATE, model.EXCLUDED, model.REVERTED]))
def test_only_what_this_rollout_has_proven_can_lose_its_proof(seen: list[Observation], phase: str):
    assert after(*seen, of=host(phase)).failure == ""
