# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: who may take it, and how the others are refused."""

from __future__ import annotations

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import lease as leases
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Lease

NOON = 1_790_000_000.0
OWNER = {"user": "ops", "controller": "laptop", "pid": 4711}


def held(**changes):
    taken = leases.taken(Lease("shop", token=6), "run-1", OWNER, 60.0, NOON)
    return Lease(**{**vars(taken), **changes})


def test_the_token_grows_with_each_lease():
    assert held().token == 7
    assert leases.taken(leases.released(held()), "run-2", {}, 60.0, NOON).token == 8


def test_it_is_held_for_its_time_to_live_and_for_declared_steps():
    assert leases.is_held(held(), NOON + 60)
    assert not leases.is_held(held(), NOON + 60.1)
    assert leases.is_held(held(held_until=NOON + 1800), NOON + 1800)
    assert not leases.is_held(leases.released(held()), NOON)


@pytest.mark.parametrize(
    ("now", "take_over", "gone_run", "may"),
    [
        (NOON, False, None, False),
        (NOON + 61, False, None, True),
        (NOON, True, None, True),
        (NOON, False, "run-1", True),
        (NOON, False, "run-0", False),
    ],
)
def test_who_may_take_it(now, take_over, gone_run, may):
    assert leases.may_take(held(), now, take_over, gone_run) is may


def test_a_second_run_is_refused_with_who_holds_it_and_how_to_take_over():
    refusal = leases.refusal(held(), "a rollout of 2.0.0", NOON + 12)
    assert refusal.message == (
        "shop: a rollout of 2.0.0 is being run by ops on laptop (pid 4711) since 2026-09-21 14:13:20 UTC; last "
        "heartbeat 12 s ago, the lease expires at 2026-09-21 14:14:20 UTC unless renewed. Wait for it, or, if that "
        "run is dead for good, take over with -e rollout_take_over=true."
    )
    assert refusal.result["holder"]["run"] == "run-1"
    assert refusal.result["holder"]["owner"] == OWNER


@pytest.mark.parametrize(("run", "token"), [("run-0", 7), ("run-1", 6), (None, None)])
def test_a_stale_run_learns_who_has_it_now(run, token):
    """Invariant 8."""
    with pytest.raises(leases.LeaseLost) as caught:
        leases.refuse_stale(held(), run, token)
    assert caught.value.message == (
        "lease lost: shop is now held by ops on laptop (pid 4711) since 2026-09-21 14:13:20 UTC; this run makes no "
        "further changes."
    )


def test_a_run_whose_lease_was_given_back_learns_that():
    with pytest.raises(leases.LeaseLost) as caught:
        leases.refuse_stale(leases.released(held()), "run-1", 7)
    assert caught.value.message == (
        "lease lost: run run-1 does not hold shop any more: the lease expired; run again to resume."
    )


def test_the_holder_passes():
    leases.refuse_stale(held(), "run-1", 7)


def test_an_owner_without_a_name_is_somebody():
    assert leases.owner_text(held(owner="{}")) == "somebody on an unnamed controller"
