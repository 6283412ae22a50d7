# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members that a pool gets and loses."""

from __future__ import annotations

import pytest
from support.caller import Caller
from support.haproxy import wait_until
from support.real_balancer import SHOP, BusyMember, RealBalancer, SlowRequests

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.modules import lb_pool

ALL = set(SHOP)


@pytest.fixture
def can(shop: Caller) -> None:
    balancer = shop.balancer()
    if contract.CAN_ADD not in balancer.capabilities:
        pytest.skip(balancer.lacks[contract.CAN_ADD])


@pytest.fixture
def new(node: RealBalancer) -> str:
    """A process that is behind the balancer under this name, once it is added."""
    process = BusyMember("new")
    name = node.new_name(process.port)
    process.name = name
    node.members[name] = process
    return name


def asked(node: RealBalancer, new: str) -> dict[str, str]:
    return {"member": new, "address": f"127.0.0.1:{node.members[new].port}"}


@pytest.mark.usefixtures("can")
def test_added_and_removed(node: RealBalancer, shop: Caller, new: str) -> None:
    outcome = shop.run(lb_pool, **asked(node, new))
    assert outcome.error == ""
    assert shop.states() == {**dict.fromkeys(SHOP, "in_service"), new: "drained"}
    assert node.answered_by() == ALL
    assert shop.put(new, state="in_service").error == ""
    assert node.answered_by(requests=30) == {*ALL, new}
    held = SlowRequests(node, new, seconds=1)
    removed = shop.run(lb_pool, member=new, state="absent")
    assert (removed.error, removed["changed"], node.members[new].in_flight) == ("", True, 0)
    assert held.finish() == {200}
    balancer = shop.balancer()
    assert balancer.is_gone(balancer.snapshot(), new)
    assert node.answered_by() == ALL


@pytest.mark.usefixtures("can")
def test_pool_idempotence_and_check_mode(node: RealBalancer, shop: Caller, new: str) -> None:
    wanted = asked(node, new)
    would = shop.run(lb_pool, check_mode=True, diff=True, **wanted)
    assert (would.error, would["changed"], set(shop.states())) == ("", True, ALL)
    assert set(would["diff"]["after"]) - set(would["diff"]["before"]) == {new}
    assert shop.run(lb_pool, **wanted)["changed"] is True
    again = shop.run(lb_pool, **wanted)
    assert (again.error, again["changed"], again["actions"], again["to_configure"]) == ("", False, [], "")
    gone = {"member": new, "state": "absent"}
    would = shop.run(lb_pool, check_mode=True, diff=True, **gone)
    assert (would.error, would["changed"]) == ("", True)
    assert set(would["diff"]["before"]) - set(would["diff"]["after"]) == {new}
    assert new in shop.states()
    assert shop.run(lb_pool, **gone)["changed"] is True
    again = shop.run(lb_pool, **gone)
    assert (again.error, again["changed"], again["actions"]) == ("", False, [])


@pytest.mark.usefixtures("can")
def test_pool_refusals(node: RealBalancer, shop: Caller) -> None:
    known = node.name("app1")
    other = shop.run(lb_pool, member=known, address="127.0.0.1:1")
    assert f"expected '{known}' of pool 'shop' to have the address 127.0.0.1:1, found " in other.error
    refused = shop.run(lb_pool, member=known, state="absent", guard={"min_in_service": len(SHOP)})
    assert "refused to take" in refused.error
    assert shop.states()[known] == "in_service"
    assert node.answered_by() == ALL


@pytest.mark.usefixtures("can")
def test_pool_after_reload(node: RealBalancer, shop: Caller, new: str) -> None:
    """What a reload undoes is said beforehand; what it keeps stays."""
    outcome = shop.run(lb_pool, **asked(node, new))
    assert shop.put(new, state="in_service").error == ""
    node.reload()
    if outcome["to_configure"]:
        wait_until(lambda: set(shop.states()) == ALL, "the reload has undone it")
    else:
        assert set(shop.states()) == {*ALL, new}
        assert node.answered_by(requests=30) == {*ALL, new}


def test_pool_of_a_type_that_cannot(node: RealBalancer, shop: Caller) -> None:
    balancer = shop.balancer()
    if contract.CAN_ADD in balancer.capabilities:
        pytest.skip("it can")
    outcome = shop.run(lb_pool, member="app5", address="127.0.0.1:1")
    assert outcome.error == (
        f"{balancer.where}: cannot add or remove members of pool '{balancer.pool}': "
        f"{balancer.lacks[contract.CAN_ADD]}. Nothing was changed."
    )
