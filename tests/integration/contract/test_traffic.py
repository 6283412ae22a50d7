# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drain after drain and weight after weight under mixed traffic, members killed in between: no request fails.

What the clients saw is written to build/contract-traffic.json. STEADY_LONG runs the whole series.
"""

from __future__ import annotations

import os
import pathlib
import time
import typing as t

import pytest
from support import background, figures
from support.caller import Caller
from support.real_balancer import SHOP, RealBalancer
from support.shop_member import ShopMember

CYCLES = 20 if os.environ.get("STEADY_LONG") else 4
MIX = {"rate": 200, "keepalive": 8, "close": 4, "slow": 2, "slow_seconds": 1, "uploads": 2, "upload_seconds": 1}
KEPT = 8 + 1
"""Clients that keep their connection: the quick ones and half of the slow ones."""
BARE_RELOADS = CYCLES
BREATH = 0.4
"""Seconds between changes, for idle connections to be there again."""


@pytest.fixture
def node(start: t.Callable[..., RealBalancer]) -> RealBalancer:
    return start(ShopMember)


@pytest.fixture
def users(node: RealBalancer, directory: pathlib.Path) -> t.Iterator[background.Background]:
    port, path = node.place()
    assert path == "/"
    with background.traffic([f"http://127.0.0.1:{port}"], directory / "traffic.json", **MIX) as users:
        yield users


def test_drain_cycles_under_traffic(node: RealBalancer, shop: Caller, users: background.Background) -> None:
    for number in range(CYCLES):
        member = SHOP[number % len(SHOP)]
        assert shop.put(member, state="drained").error == ""
        node.members[member].replace()
        assert shop.put(member, state="in_service").error == ""
    judge(node, users, "drain_cycles", changes=2 * CYCLES)


def test_weight_changes_under_traffic(node: RealBalancer, shop: Caller, users: background.Background) -> None:
    balancer = shop.balancer()
    for number in range(CYCLES):
        weights = {name: 1 + (number * place) % 5 for place, name in enumerate(SHOP, 1)}
        weights[SHOP[number % len(SHOP)]] = 0
        balancer.set_weights(weights)
        assert shop.weights() == weights
        time.sleep(BREATH)
    judge(node, users, "weight_changes", changes=CYCLES)


def test_bare_reloads_under_traffic(node: RealBalancer, users: background.Background) -> None:
    for _number in range(BARE_RELOADS):
        node.reload()
        time.sleep(BREATH)
    judge(node, users, "bare_reloads", changes=BARE_RELOADS, reload=True)


def judge(node: RealBalancer, users: background.Background, series: str, changes: int, reload: bool = False) -> None:
    report = users.stop()
    seen = {name: report[name] for name in ("requests", "failed", "reconnects", "kinds", "seconds")}
    figures.record(
        node.backend, series, {**seen, "changes": changes, "reconnects_a_change": report["reconnects"] / changes}
    )
    assert (report["failed"], report["failures"]) == (0, [])
    assert report["requests"] > 100
    # An idle connection can be closed once by each reload; a change without one closes none.
    assert report["reconnects"] <= (changes * KEPT if reload or node.closes_idle_on_change else 0)
