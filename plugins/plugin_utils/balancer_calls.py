# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the lb_ modules, each where its balancer is."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.failures import name_of
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Invocation, Outcome

Balancer = t.Mapping[str, t.Any]

OF_THE_ROLES = ("groups", "connection")
"""What the roles' settings say of a balancer beside the options of the modules."""


def on_balancer(balancer: Balancer, module: str, check_mode: bool = False, **options: t.Any) -> Invocation:
    settings = {name: value for name, value in balancer.items() if name not in OF_THE_ROLES}
    return Invocation(place_of(balancer), module, {"balancer": settings, **options}, check_mode=check_mode)


def place_of(balancer: Balancer) -> str:
    """The host that the balancer's modules run on."""
    return str(balancer.get("host") or "localhost")


def balancer_of(outcome: Outcome) -> dict[str, t.Any]:
    return dict(outcome.invocation.arguments["balancer"])


def node_of(outcome: Outcome) -> str:
    """The balancer as messages name it."""
    return name_of(balancer_of(outcome))


def error_of(outcome: Outcome) -> str:
    return str(outcome.result.get("msg") or "no reason given")
