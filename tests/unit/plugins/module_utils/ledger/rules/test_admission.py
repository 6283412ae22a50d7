# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May this host go now? Each rule of admission by itself."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import admission, model, policy
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Gate, Group, Host, Rollout, Tally

NOW = 1000.0
OPEN = Rollout(id=1, service="shop", version="2.0.0", progress_at=NOW)


def host(name="app1", **changes):
    return Host(rollout=1, name=name, zone="a", target_version="2.0.0", **changes)


def group(count, phase=model.WAITING, lb_state=model.IN_SERVICE, condition=model.HEALTHY, zone="a"):
    return Group(zone, lb_state, phase, condition, count)


def decide(asker, *groups, rollout=OPEN, gates=None, now=NOW, **settings):
    tally = Tally(groups)
    zones = {found.zone: 0 for found in groups}
    for found in groups:
        zones[found.zone] += found.size
    allowed = policy.validated({"max_unavailable": 2, "min_available": 1, "zone_min_available": 0, **settings})
    limits = policy.resolved(allowed, tally.fleet, tally.in_scope, zones)
    return admission.decide(admission.Inputs(asker, rollout, limits, tally, gates or {}, now))


def said(decision):
    return decision.verdict, decision.reason


def in_flight(count, **changes):
    return group(count, **{"phase": model.CHANGING, "lb_state": model.DRAINED_BY_US, **changes})


def test_a_healthy_host_goes_and_gets_the_next_place():
    decision = decide(host(), group(3), group(2, model.PROVEN), in_flight(1))
    assert (decision.verdict, decision.slot, decision.stage) == ("go", 4, 1)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (model.FAILING, "the rollout of 2.0.0 is stopped: app9 failed"),
        (model.ABORTED, "the rollout of 2.0.0 is aborted: app9 failed"),
        (model.REVERTING, "the rollout of 2.0.0 is stopped and being rolled back: app9 failed"),
        (model.SUPERSEDED, "the rollout of 2.0.0 is replaced by a later one: app9 failed"),
        (model.DONE, "the rollout of 2.0.0 is done: app9 failed"),
    ],
)
def test_nothing_starts_once_it_has_stopped(status, reason):
    """Invariant 6."""
    rollout = dataclasses.replace(OPEN, status=status, reason="app9 failed")
    assert said(decide(host(), group(4), rollout=rollout)) == ("stop", reason)


def test_who_lets_others_pass_waits_for_those_earlier_in_the_plan():
    inputs = admission.Inputs(
        host(), OPEN, policy.resolved(policy.validated({}), 4, 4, {"a": 4}), Tally([group(4)]), {}, NOW
    )
    behind = dataclasses.replace(inputs, yields=True, is_first=False)
    assert said(admission.decide(behind)) == ("wait", "waiting for hosts earlier in the plan")
    assert admission.decide(dataclasses.replace(behind, yields=False)).verdict == "go"
    assert admission.decide(dataclasses.replace(behind, is_first=True)).verdict == "go"


def test_while_paused_everybody_waits():
    """Invariant 6."""
    rollout = dataclasses.replace(OPEN, paused_at=NOW)
    assert said(decide(host(), group(4), rollout=rollout)) == ("wait", "shop is paused")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"phase": model.PROVEN}, "app1 has nothing to do: it is proven (2.0.0)"),
        (
            {"phase": model.EXCLUDED, "error": "drained on lb1"},
            "app1 has nothing to do: it is skipped: drained on lb1",
        ),
        ({"phase": model.OUTSIDE}, "app1 has nothing to do: it is not in scope"),
    ],
)
def test_a_host_with_nothing_to_do_gets_the_reason(changes, reason):
    assert said(decide(host(**changes), group(4))) == ("stop", reason)


@pytest.mark.parametrize("condition", model.WEAK)
def test_the_weakest_go_first(condition):
    """Invariant 4."""
    weak = group(1, condition=condition)
    assert said(decide(host(), group(3), weak)) == (
        "wait",
        "1 host that is down, unknown or half-updated is repaired first",
    )
    assert decide(host("app2", condition=condition), group(3), weak).verdict == "go"


def test_a_weak_host_that_was_admitted_holds_up_no_host():
    """Invariant 4."""
    assert decide(host(), group(3), in_flight(1, condition=model.DOWN)).verdict == "go"


def test_the_window_counts_everybody_who_is_out():
    """Invariant 3."""
    foreign = group(1, model.EXCLUDED, model.DRAINED_EXTERNALLY)
    assert said(decide(host(), group(4), in_flight(1), foreign)) == ("wait", "2 of at most 2 hosts are out of service")
    assert decide(host(), group(4), foreign).verdict == "go"


def test_a_host_that_is_out_already_makes_nothing_lower_and_may_be_repaired():
    """Invariants 1 and 3."""
    out = group(3, lb_state=model.DOWN, condition=model.DOWN)
    asker = host(lb_state=model.DOWN, condition=model.DOWN)
    assert decide(asker, group(1), out, min_available=1).verdict == "go"


def test_repairs_are_no_more_than_the_window_at_a_time():
    """Invariant 3."""
    asker = host(lb_state=model.DOWN, condition=model.DOWN)
    out = group(1, lb_state=model.DOWN, condition=model.DOWN)
    assert said(decide(asker, group(4), out, in_flight(2))) == ("wait", "2 of at most 2 hosts are being changed")


def test_the_floor_holds():
    """Invariant 1."""
    decision = decide(host(), group(3), in_flight(1), min_available=3)
    assert said(decision) == ("wait", "3 in service, minimum is 3")
    assert decide(host(), group(4), in_flight(1), min_available=3).verdict == "go"


def test_the_floor_of_a_zone_holds():
    """Invariant 1."""
    decision = decide(host(), group(1), group(4, zone="b"), in_flight(1), zone_min_available=1)
    assert said(decision) == ("wait", "1 in service in zone a, minimum is 1")
    assert decide(host(), group(2), group(4, zone="b"), in_flight(1), zone_min_available=1).verdict == "go"


def test_without_anything_on_its_way_a_refused_host_is_passed_over():
    decision = decide(host(), group(3), min_available=3)
    assert said(decision) == (
        "refuse",
        "3 in service, minimum is 3, and no recovery is in progress",
    )


def test_a_host_waits_for_one_that_will_be_repaired():
    unsure = host(condition=model.UNKNOWN)
    repair = group(1, lb_state=model.DOWN, condition=model.DOWN)
    assert decide(unsure, group(2), repair, min_available=2).verdict == "wait"


STAGES = {"stages": ["1", "100%"]}


def test_a_stage_waits_for_the_one_before():
    """Invariant 5."""
    assert decide(host(), group(4), **STAGES).stage == 1
    assert said(decide(host(), group(3), in_flight(1), **STAGES)) == ("wait", "stage 1: 0 of 1 hosts are proven")


def test_a_host_that_failed_gives_its_place_to_the_next():
    """Invariant 5: a stage is complete when its places are proven, whoever holds them."""
    decision = decide(host(), group(3), group(1, model.REVERTED), max_failures=1, **STAGES)
    assert (decision.verdict, decision.slot, decision.stage) == ("go", 1, 1)


def complete(**changes):
    return {1: Gate(1, 1, complete_at=NOW - 10, slots=1, **changes)}


def test_a_stage_bakes():
    """Invariant 5."""
    passed = complete(status="passed")
    decision = decide(host(), group(3), group(1, model.PROVEN), gates=passed, bake_time=60, **STAGES)
    assert said(decision) == ("wait", "stage 1 bakes for 50 s more")
    assert decide(host(), group(3), group(1, model.PROVEN), gates=passed, bake_time=10, **STAGES).verdict == "go"


def test_each_stage_bakes_for_its_own_time():
    """Every stage of a canary by hosts baked for the longest time of all."""
    passed = complete(status="passed")
    asked = {"gates": passed, "stages": ["1", "50%", "100%"]}
    decision = decide(host(), group(3), group(1, model.PROVEN), bake_time=[15, 600, 0], **asked)
    assert said(decision) == ("wait", "stage 1 bakes for 5 s more")
    assert decide(host(), group(3), group(1, model.PROVEN), bake_time=[5, 600, 0], **asked).verdict == "go"


def test_a_gate_is_given_to_whoever_asks():
    """Invariant 5."""
    decision = decide(host(), group(3), group(1, model.PROVEN), gates=complete(), gate=True, **STAGES)
    assert said(decision) == ("gate", "stage 1 is complete; its gate is due")
    assert decision.stage == 1


def test_a_claimed_gate_is_waited_for_until_the_claim_runs_out():
    claimed = complete(status="claimed", claimed_by="app2", until=NOW + 1)
    asked = {"gates": claimed, "gate": True, **STAGES}
    assert said(decide(host(), group(3), group(1, model.PROVEN), **asked)) == (
        "wait",
        "app2 is running the gate of stage 1",
    )
    assert decide(host(), group(3), group(1, model.PROVEN), now=NOW + 2, **asked).verdict == "gate"


def test_a_passed_gate_opens_the_next_stage():
    decision = decide(host(), group(3), group(1, model.PROVEN), gates=complete(status="passed"), gate=True, **STAGES)
    assert (decision.verdict, decision.stage, decision.slot) == ("go", 2, 2)


def test_a_gate_that_is_never_judged_ends_the_rollout():
    decision = decide(host(), group(3), group(1, model.PROVEN), gates=complete(), gate=True, now=NOW + 1000, **STAGES)
    assert said(decision) == (
        "give_up",
        "no progress for 600 s (rollout_progress_deadline) while stage 1 is complete; its gate is due",
    )


def test_a_revert_has_no_stages():
    """Invariant 9: never slower than the way forward."""
    reverting = dataclasses.replace(OPEN, status=model.REVERTING)
    asker = host(phase=model.BACK_WAITING)
    back = group(3, model.BACK_WAITING)
    assert decide(asker, back, rollout=reverting, bake_time=60, **STAGES).verdict == "go"
    assert decide(asker, group(1), in_flight(2), back, rollout=reverting).verdict == "wait"
    assert decide(host(), group(3), rollout=reverting).verdict == "stop"


def test_a_rollback_has_no_stages():
    rollout = dataclasses.replace(OPEN, direction=model.BACK)
    assert decide(host(), group(3), in_flight(1), rollout=rollout, **STAGES).verdict == "go"


def test_a_stage_that_bakes_for_longer_than_the_progress_deadline_is_no_standstill():
    weak, proven = group(1, condition=model.DOWN), group(1, model.PROVEN)
    baking = {1: Gate(1, 1, complete_at=NOW, slots=1, status="passed")}
    asked = {"gates": baking, "bake_time": 900, **STAGES}
    assert decide(host(), group(3), weak, proven, now=NOW + 601, **asked).verdict == "wait"
    assert decide(host(), group(3), weak, proven, now=NOW + 901, **asked).verdict == "wait"
    assert decide(host(), group(3), weak, proven, now=NOW + 1501, **asked).verdict == "give_up"


def test_a_gate_that_runs_for_longer_than_the_progress_deadline_is_no_standstill():
    weak, proven = group(1, condition=model.DOWN), group(1, model.PROVEN)
    claimed = {1: Gate(1, 1, complete_at=NOW, slots=1, status="claimed", claimed_by="app2", until=NOW + 700)}
    asked = {"gates": claimed, "gate": True, **STAGES}
    assert decide(host(), group(3), weak, proven, now=NOW + 650, **asked).verdict == "wait"
    assert decide(host(), group(3), weak, proven, now=NOW + 1301, **asked).verdict == "give_up"


def test_no_progress_ends_the_rollout():
    weak = group(1, condition=model.DOWN)
    late = NOW + 601
    assert said(decide(host(), group(3), weak, now=late)) == (
        "give_up",
        "no progress for 600 s (rollout_progress_deadline) while 1 host that is down, unknown or half-updated is repaired first",
    )
    assert decide(host(), group(3), weak, now=NOW + 600).verdict == "wait"
    assert decide(host(), group(3), weak, in_flight(2), now=late).verdict == "wait"
