# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer that is reloaded or restarted, does not answer, or denies; and many calls at once."""

from __future__ import annotations

import threading

from support.caller import Caller
from support.real_balancer import SHOP, WIDE, RealBalancer, SlowRequests

ALL = set(SHOP)


def test_drain_sees_old_workers(node: RealBalancer, shop: Caller) -> None:
    slow = SlowRequests(node, "app1", seconds=3)
    node.reload()
    outcome = shop.put("app1", state="drained")
    assert outcome.error == ""
    assert node.members["app1"].in_flight == 0
    assert slow.finish() == {200}


def test_reload_midway(node: RealBalancer, shop: Caller) -> None:
    slow = SlowRequests(node, "app1", seconds=4)
    reload = threading.Timer(1.0, node.reload)
    reload.start()
    outcome = shop.put("app1", state="drained")
    reload.join()
    assert outcome.error == ""
    assert node.members["app1"].in_flight == 0
    assert slow.finish() == {200}
    assert shop.states()["app1"] == "drained"
    assert node.answered_by() == ALL - {"app1"}
    assert shop.put("app1", state="in_service").error == ""
    node.reload()
    assert node.answered_by() == ALL


def test_restart(node: RealBalancer, shop: Caller) -> None:
    shop.put("app1", state="drained")
    node.restart()
    assert shop.states() == {**dict.fromkeys(SHOP, "in_service"), "app1": "drained"}
    assert node.answered_by() == ALL - {"app1"}
    again = shop.put("app1", state="drained")
    assert (again.error, again["changed"]) == ("", False)


def test_fifty_changes_at_once(node: RealBalancer) -> None:
    wide = Caller(node.settings("wide"))
    errors = wide.put_each(WIDE[1:], state="drained", timeout=60)
    assert {name: error for name, error in errors.items() if error} == {}
    assert wide.states() == {**dict.fromkeys(WIDE, "drained"), WIDE[0]: "in_service"}


def test_the_floor_holds_for_all_together(node: RealBalancer, shop: Caller) -> None:
    errors = shop.put_each(SHOP, state="drained", guard={"min_in_service": 2})
    assert sum(not error for error in errors.values()) == 2
    assert sorted(shop.states().values()) == ["drained", "drained", "in_service", "in_service"]


def test_permission_denied(node: RealBalancer, shop: Caller) -> None:
    with node.denied() as denial:
        caller = Caller(denial.settings, denial.uid)
        for outcome in (
            caller.put("app1", state="drained"),
            caller.put("app1", state="drained", check_mode=True),
            caller.info(require_admin=True),
        ):
            assert outcome.error.startswith("lb1 ")
            assert any(word in outcome.error for word in ("denied", "may not", "allowed", "not permitted"))
            assert outcome.result.get("changed", False) in (False, True)
    assert set(shop.states().values()) == {"in_service"}
    assert node.answered_by() == ALL


def test_unreachable(node: RealBalancer) -> None:
    caller = Caller(node.silent_settings())
    for outcome in (caller.put("app1", state="drained"), caller.info()):
        assert outcome.error.startswith("lb1 ")
        assert "running" in outcome.error
    assert node.answered_by() == ALL
