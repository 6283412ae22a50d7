# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The split that lb_weight says it achieved is the one that real requests see. STEADY_LONG sends more of them."""

from __future__ import annotations

import os
import typing as t

import pytest
from support import crowd, figures
from support.caller import Caller, call_core
from support.real_balancer import RealBalancer

from ansible_collections.steady.rollout.plugins.modules import lb_weight

GROUPS = {"blue": ["app1", "app2", "app3"], "green": ["app4"]}
LONG = bool(os.environ.get("STEADY_LONG"))
# Where members are drawn at random, one standard deviation of 50 percent is 0.25 percentage points of 40,000 requests.
REQUESTS, NEAR = (40_000, 1.0) if LONG else (3_000, 4.0)


def test_achieved_split(start: t.Callable[..., RealBalancer]) -> None:
    node = start(crowd.QuickMember)
    shop = Caller(node.settings())
    answered: dict[str, dict[str, float]] = {}
    for green in (5, 25, 50, 100):
        shares = {"blue": 100 - green, "green": green}
        outcome = call_core(lb_weight, balancer=dict(shop.settings), groups=GROUPS, shares=shares)
        assert outcome.error == ""
        assert outcome["achieved"] == pytest.approx(outcome["requested"], abs=1.0)
        seen = crowd.answers(node.place()[0], REQUESTS)
        percent = 100 * sum(seen[name] for name in GROUPS["green"]) / REQUESTS
        answered[str(green)] = {"achieved": outcome["achieved"]["green"], "seen": percent}
    figures.record(node.backend, "split", {"requests": REQUESTS, "green": answered})
    for figure in answered.values():
        assert figure["seen"] == pytest.approx(figure["achieved"], abs=NEAR)
