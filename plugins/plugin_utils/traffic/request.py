# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shift of traffic is to do, from the settings of the roles."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations

Facts = t.Mapping[str, t.Any]

CANARY = "canary"
MAIN = "main"


def traffic_request(
    settings: Facts, groups: t.Mapping[str, t.Sequence[str]], fleet: t.Sequence[str]
) -> dict[str, t.Any]:
    """The ``shift`` option of the rollout module from the settings of the roles; empty without a way to go."""
    strategy = settings.get("strategy")
    if not strategy:
        return {}
    if strategy == CANARY:
        candidate = _hosts(settings["canary_group"], groups)
        sides = {MAIN: [host for host in fleet if host not in candidate], CANARY: candidate}
        return {"strategy": strategy, "groups": sides, "candidate": CANARY, "steps": settings["steps"]}
    return {
        "strategy": strategy,
        "groups": {str(name): _hosts(hosts, groups) for name, hosts in dict(settings["colours"]).items()},
        "live": settings.get("live_colour") or None,
        "steps": [{"share": 100, "bake": settings["bake_time"]}],
        "rollback_window": str(settings["rollback_window"]),
    }


def _hosts(given: t.Any, groups: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """A group of the inventory, or a list of hosts and groups."""
    names = [given] if isinstance(given, str) else list(given or [])
    return [host for name in names if name for host in groups.get(str(name), [str(name)])]


def bakes(steps: t.Sequence[Facts]) -> list[float]:
    """Seconds that each step bakes."""
    return [durations.seconds("rollout_canary_steps", step.get("bake") or 0) for step in steps]
