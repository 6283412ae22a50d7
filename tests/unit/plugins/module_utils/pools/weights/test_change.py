# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call of lb_weight on a pool in memory: what is set, what is put back, what is returned."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from support.cores import params_of
from support.pools import FakePool, ManualClock, member

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights import change as weights
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights import split
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.plan import parse_groups
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.report import nothing_done
from ansible_collections.steady.rollout.plugins.modules import lb_weight

GROUPS = {"blue": ["a", "b"], "green": ["c", "d"]}
CLAIM = {"service": "shop", "ledger": "one", "token": 3}


class WeighedPool(FakePool):
    """*fails_after* weights set, a change fails; *keeps* are members whose weight it accepts and does not set."""

    capabilities = FakePool.capabilities | {contract.CAN_WEIGH}

    def __init__(self, *members: contract.Member) -> None:
        super().__init__(*members)
        self.fails_after: int | None = None
        self.error: RolloutError = RolloutError("lb1: no.")
        self.keeps: set[str] = set()

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        self.asked.append(("set_weights", dict(weights)))
        for place, (name, weight) in enumerate(weights.items()):
            if place == self.fails_after:
                self.fails_after = None
                raise self.error
            if name not in self.keeps:
                self.change(name, weight=weight, usable=weight > 0, in_rotation=weight > 0)


@pytest.fixture(autouse=True)
def state_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.steady.rollout.plugins.module_utils.claims.claims_directory", lambda: str(tmp_path)
    )


@pytest.fixture
def pool() -> WeighedPool:
    return WeighedPool(*(member(name, weight=100 if name in "ab" else 0) for name in "abcd"))


def run(pool: WeighedPool, green: float, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    given = {"shares": {"blue": 100 - green, "green": green}, "groups": GROUPS, **options}
    params = params_of(lb_weight, {"balancer": {"socket": "/s", "pool": "shop"}, **given})
    call = Call(params, check_mode, True, lambda text: None, lambda *args: (0, "", ""))
    shares = split.parse_shares(params["shares"])
    groups = parse_groups(params["groups"], shares)
    return weights.WeightChange(call, pool, groups, shares, ManualClock().clock).run()


def failure(pool: WeighedPool, green: float, **options: t.Any) -> RolloutError:
    with pytest.raises(RolloutError) as caught:
        run(pool, green, **options)
    assert set(nothing_done("shop")) | {"diff"} == set(caught.value.result)
    return caught.value


def weights_in(pool: WeighedPool) -> dict[str, int]:
    return {name: one.weight for name, one in pool.members.items()}


def test_weights_are_set_once_read_back_and_saved(pool: WeighedPool) -> None:
    result = run(pool, 5)
    assert pool.asked == [("set_weights", {"c": 5, "d": 5, "a": 95, "b": 95}), ("save", None)]
    assert result["changed"] is True
    assert (result["before"], result["requested"], result["achieved"]) == (
        {"blue": 100.0, "green": 0.0},
        {"blue": 95.0, "green": 5.0},
        {"blue": 95.0, "green": 5.0},
    )
    assert result["groups"]["green"] == {"members": ["c", "d"], "counted": 2, "healthy": 2}
    assert result["members"]["c"]["before"] == 0
    assert result["members"]["c"]["after"] == 5
    assert result["at_once"] is False
    assert result["diff"]["before"] == {"a": 100, "b": 100, "c": 0, "d": 0}
    assert result["diff"]["after"] == {"a": 95, "b": 95, "c": 5, "d": 5}
    assert result["actions"][0] == "set the weight of 'c' of pool 'shop' from 0 to 5"


def test_a_second_run_asks_for_nothing(pool: WeighedPool) -> None:
    run(pool, 5)
    pool.asked.clear()
    result = run(pool, 5)
    assert (pool.asked, result["changed"], result["actions"]) == ([], False, [])


def test_check_mode_asks_for_nothing_and_shows_what_would_be(pool: WeighedPool) -> None:
    result = run(pool, 5, check_mode=True)
    assert (pool.asked, result["changed"], result["achieved"]["green"]) == ([], True, 5.0)
    assert result["members"]["a"]["after"] == 95


def test_leave_is_asked_for_before_anything_changes(pool: WeighedPool) -> None:
    pool.read_only = True
    assert failure(pool, 5).message == "lb1: no change is allowed here."
    assert pool.asked == []


def test_a_change_that_failed_half_way_is_restored(pool: WeighedPool) -> None:
    pool.fails_after = 2
    error = failure(pool, 5)
    assert error.message == "lb1: no. The weights of 'c', 'd', set before that, are restored."
    assert weights_in(pool) == {"a": 100, "b": 100, "c": 0, "d": 0}
    assert (error.result["changed"], error.result["achieved"]["green"]) == (False, 0.0)


def test_a_change_that_failed_at_once_needs_no_undoing(pool: WeighedPool) -> None:
    pool.fails_after = 0
    error = failure(pool, 5)
    assert (error.message, error.result["changed"]) == ("lb1: no.", False)
    assert len(pool.asked) == 1


def test_what_cannot_be_restored_is_named(pool: WeighedPool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.fails_after = 1
    first = pool.set_weights

    def once(weights: t.Mapping[str, int]) -> None:
        monkeypatch.setattr(pool, "set_weights", never)
        first(weights)

    def never(weights: t.Mapping[str, int]) -> None:
        raise RolloutError("lb1: not any more.")

    monkeypatch.setattr(pool, "set_weights", once)
    error = failure(pool, 5)
    assert error.message == "lb1: no. The weights of 'c' were set before that and could not be restored."
    assert error.result["changed"] is True


def test_a_node_that_fell_silent_is_judged_by_what_it_shows(pool: WeighedPool) -> None:
    pool.fails_after, pool.error = 4, Unreachable("lb1: does not answer.")
    assert run(pool, 5)["achieved"]["green"] == 5.0
    pool.fails_after = 1
    assert failure(pool, 50).message.startswith("lb1: pool 'shop' accepted the weights but does not show them: ")


def test_a_weight_that_is_accepted_and_not_set_is_an_error(pool: WeighedPool) -> None:
    pool.keeps = {"d"}
    error = failure(pool, 5)
    assert error.message == (
        "lb1: pool 'shop' accepted the weights but does not show them: 'd' has 0, not 5. Check for an agent check or "
        "another tool that sets them."
    )
    assert error.result["changed"] is True


def test_refusals_change_nothing(pool: WeighedPool) -> None:
    for name in "cd":
        pool.operator_sets(name, contract.DRAINED)
    error = failure(pool, 5)
    assert error.message == (
        "lb1: refused to split pool 'shop': group 'green' is to get 5 % and has no healthy member ('c' drained, "
        "'d' drained). Nothing was changed; bring its members in service first, or give it 0."
    )
    assert (error.result["refused"], pool.asked) == (True, [])


def test_members_in_no_group_are_an_error(pool: WeighedPool) -> None:
    pool.members["e"] = member("e")
    assert failure(pool, 5).message == (
        "lb1: pool 'shop' also sends traffic to 'e', in no group. Put every member of the pool in a group; one with "
        "share 0 gets nothing."
    )


def test_an_unknown_member_is_an_error(pool: WeighedPool) -> None:
    error = failure(pool, 5, groups={"blue": ["a", "b"], "green": ["c", "dd"]})
    assert error.message.startswith("lb1: pool 'shop' has no member 'dd'; it has 'a', 'b', 'c', 'd'.")


def test_a_type_without_weights_is_refused(pool: WeighedPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WeighedPool, "capabilities", frozenset())
    assert failure(pool, 5).message == "lb1: pool 'shop' has no weights."


def test_a_claim_of_a_later_run_is_obeyed(pool: WeighedPool, tmp_path: pathlib.Path) -> None:
    claims.acquire(Claim(service="shop", ledger="one", token=4, coordinator="laptop"))
    error = failure(pool, 5, claim=CLAIM)
    assert "a later run of 'shop' (token 4, ours is 3) has taken over" in error.message
    assert pool.asked == []


def test_failures_before_anything_is_opened_have_all_keys() -> None:
    given = {"balancer": {"socket": "/nowhere.sock", "pool": "shop"}, "shares": {"blue": 50}}
    call = Call(params_of(lb_weight, given), False, False, lambda text: None, lambda *args: (0, "", ""))
    with pytest.raises(RolloutError) as caught:
        weights.core(call)
    assert caught.value.message == "shares: blue: 50 add up to 50, not to 100."
    assert caught.value.result == nothing_done("shop")
