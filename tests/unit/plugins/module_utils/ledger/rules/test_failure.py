# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What failures mean, and where hosts go back to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, model, policy
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host


def limits(max_failures):
    return policy.resolved(policy.validated({"max_failures": max_failures}), 10, 10, {})


def why(max_failures, failures, kind="health"):
    return failure.why_stop(limits(max_failures), failures, kind, "app3", "HTTP 500")


def test_the_budget():
    """Invariant 6."""
    assert why(0, 1) == "app3 failed (health: HTTP 500)"
    assert why(2, 2) is None
    assert why(2, 3) == "app3 failed (health: HTTP 500); that is failure 3, 2 allowed"
    assert why("10%", 1) is None


@pytest.mark.parametrize("kind", ["balancer", "coordinator"])
def test_what_stops_at_once(kind):
    assert why(5, 1, kind) == f"app3 failed ({kind}: HTTP 500)"


@pytest.mark.parametrize("kind", [*failure.KINDS, "lost", "gate"])
def test_only_a_version_that_failed_by_itself_is_bad(kind):
    assert failure.makes_bad(["drain", kind]) is (kind in ("health", "smoke", "start", "gate"))


@pytest.mark.parametrize(
    ("proofs", "standing"),
    [
        ([], []),
        (["1", "2"], ["1", "2"]),
        (["1", "2", "1"], ["1"]),
        (["1", "2", "1", "2"], ["1", "2"]),
        (["1", "2", "3", "2", "3", "1"], ["1"]),
        (["1", "1"], ["1"]),
    ],
)
def test_going_back_takes_off_what_stood_above(proofs, standing):
    assert failure.standing(proofs) == standing


def test_the_way_back():
    """Invariant 9."""
    assert failure.last_proven_version(["1", "2"], "3", {}) == "2"
    assert failure.last_proven_version(["1", "2"], "2", {}) == "1"
    assert failure.last_proven_version(["1", "2"], "3", {"2"}) == "1"
    assert failure.last_proven_version(["1", "2"], "3", {"1", "2"}) is None
    assert failure.last_proven_version([], "3", {}) is None


@given(st.lists(st.sampled_from("1234")), st.sampled_from("1234"), st.sets(st.sampled_from("1234")))
def test_a_way_back_is_proven_and_good(proofs, source_version, bad):
    """Invariant 9: never one marked bad, never the one left, never one that was not proven there."""
    target = failure.last_proven_version(proofs, source_version, bad)
    assert target is None or (target in proofs and target != source_version and target not in bad)


def test_going_back_again_and_again_comes_to_an_end():
    """Invariant 9: never round in circles."""
    proofs = ["1", "2", "3", "4"]
    seen = []
    while True:
        target = failure.last_proven_version(proofs, proofs[-1], {})
        if target is None:
            break
        seen.append(target)
        proofs.append(target)
    assert seen == ["3", "2", "1"]


def host(phase, **changes):
    return Host(rollout=1, name="app1", phase=phase, target_version="2", **changes)


def test_the_rollback_target_is_what_stood_there_before_even_if_it_is_the_same_version():
    assert failure.rollback_target(host(model.FAILED, last_good_version="2"), ["1", "2"], "2", {}) == "2"
    assert failure.rollback_target(host(model.FAILED, last_good_version="2"), ["1", "2"], "2", {"2"}) == "1"
    assert failure.rollback_target(host(model.FAILED), ["1"], "2", {}) == "1"


@pytest.mark.parametrize(
    ("phase", "direction", "kind", "target", "goes"),
    [
        (model.CHANGING, model.FORWARD, "health", "1", True),
        (model.ADMITTED, model.FORWARD, "drain", "1", True),
        (model.CHANGING, model.FORWARD, "unreachable", "1", False),
        (model.CHANGING, model.FORWARD, "coordinator", "1", False),
        (model.CHANGING, model.FORWARD, "health", None, False),
        (model.CHANGING, model.FORWARD, "health", "2", False),
        (model.WAITING, model.FORWARD, "unreachable", "1", False),
        (model.PROVEN, model.FORWARD, "health", "1", False),
        (model.CHANGING, model.BACK, "health", "1", False),
    ],
)
def test_who_is_rolled_back_at_once(phase, direction, kind, target, goes):
    assert failure.is_rolled_back_at_once(host(phase), direction, kind, target) is goes


OUT = {"lb_state": model.DRAINED_BY_US}


@pytest.mark.parametrize(
    ("found", "goes"),
    [
        (host(model.PROVEN), True),
        (host(model.UP_TO_DATE), False),
        (host(model.WAITING), False),
        (host(model.WAITING, drained_by_us=1, **OUT), True),
        (host(model.REVERTED), False),
        (host(model.FAILED), False),
        (host(model.FAILED, admitted_at=1.0, **OUT), True),
        (host(model.FAILED, admitted_at=1.0), True),
        (host(model.FAILED, drained_by_us=1), False),
        (host(model.FAILED, lb_state=model.DOWN), False),
        (host(model.CHANGING, run="run-0", **OUT), True),
        (host(model.CHANGING, run="run-1", **OUT), False),
        (host(model.STUCK, run="run-0", **OUT), True),
        (host(model.STUCK, run="run-1", **OUT), False),
        (host(model.PROVEN, lb_state=model.DRAINED_EXTERNALLY), False),
    ],
)
def test_what_a_revert_rolls_back(found, goes):
    assert failure.must_go_back(found, "run-1") is goes
