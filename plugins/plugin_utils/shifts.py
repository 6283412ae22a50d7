# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles need to know of a shift of traffic beside what the ledger says."""

from __future__ import annotations

import math
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.failures import failure_text, is_bad, name_of

Facts = t.Mapping[str, t.Any]

CANARY = "canary"
MAIN = "main"
TURNS_BESIDE_LOOKS = 12
"""Splits are checked, set, and set again; the ways forward and home have a dozen of them at most."""
LOOKS_AT_LEAST = 3
TURNS_IN_A_STRETCH = 8 * 8
"""Rounds of turns: once all is decided the rest of a round, and of a stretch, is passed over one by one, further stretches as
a whole."""


def shift_wish(settings: Facts, groups: t.Mapping[str, t.Sequence[str]], fleet: t.Sequence[str]) -> dict[str, t.Any]:
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


def share_of(things: t.Sequence[t.Any], number: int, workers: int) -> list[t.Any]:
    """The part of the things that this one of the workers sees to."""
    return list(things[number :: max(workers, 1)])


def nodes_seen(
    drivers: t.Sequence[str], hostvars: t.Mapping[str, Facts], groups: Facts, answers: t.Sequence[str] = ()
) -> list[dict[str, t.Any]]:
    """What each node that splits the traffic showed, or why it could not be read or set.

    *groups* are the members of both groups, for nodes that do not name their own; *answers* the names of the results
    where a node may have said what it has against the split.
    """
    read = [result for host in drivers for result in _results(hostvars[host].get("__rollout_read"))]
    failed = {}
    for name in answers:
        for host in drivers:
            for result in _results(hostvars[host].get(name)):
                if is_bad(result):
                    failed[name_of(result["item"])] = failure_text(result)
    return [_node(result, failed, groups) for result in read]


def _node(result: Facts, failed: t.Mapping[str, str], groups: Facts) -> dict[str, t.Any]:
    node = result["item"]
    name = name_of(node)
    seen = {"host": name, "groups": node.get("groups") or groups, "why": failed.get(name, "")}
    if is_bad(result):
        return {**seen, "members": {}, "unreachable": failure_text(result)}
    return {**seen, "members": result["members"]}


def results_of(drivers: t.Sequence[str], hostvars: t.Mapping[str, Facts], name: str) -> list[Facts]:
    """The results of the drivers' loops of that name, in one list."""
    return [result for host in drivers for result in _results(hostvars[host].get(name))]


def counts_needed(metrics: t.Sequence[Facts]) -> bool:
    """Whether what the load balancers count is asked for; it is where no metric is named at all."""
    return not metrics or any(metric.get("source", "balancer") == "balancer" for metric in metrics)


def verdict_of(measured: Facts) -> dict[str, t.Any]:
    """What a look of metric_gate, or a comparison, tells the ledger; nothing while there is no verdict.

    No measure is no good news.
    """
    if is_bad(measured):
        return {"verdict": "no_data", "reason": failure_text(measured)}
    if measured.get("verdict", "wait") == "wait":
        return {}
    metrics = [{key: one.get(key) for key in ("name", "verdict", "reason")} for one in measured.get("metrics") or []]
    return {
        "verdict": measured["verdict"],
        "reason": measured.get("reason") or measured.get("msg") or "",
        "evidence": {"metrics": metrics},
    }


def stretches_needed(steps: t.Sequence[Facts], interval: t.Any) -> int:
    """How many stretches of turns a shift may take: a turn sets a split, or looks once while a step bakes."""
    try:
        every = durations.positive("rollout_analysis_interval", interval)
    except InputError as error:
        raise AnsibleFilterError(error.message) from error
    looks = sum(math.ceil(float(step.get("bake") or 0) / every) + LOOKS_AT_LEAST for step in steps)
    return math.ceil((2 * looks + TURNS_BESIDE_LOOKS) / TURNS_IN_A_STRETCH)


def bakes(steps: t.Sequence[Facts]) -> list[float]:
    """Seconds that each step bakes."""
    return [durations.seconds("rollout_canary_steps", step.get("bake") or 0) for step in steps]


def urls_of(group: str, shift: Facts, hostvars: t.Mapping[str, Facts]) -> dict[str, t.Any]:
    """Where the hosts of a group are reached past the balancers, as http_compare takes it."""
    targets = [target for host in shift["groups"][group] for target in hostvars[host].get("__rollout_base_urls") or []]
    return {"name": group, "urls": [target["url"] for target in targets]}


def members_of(shift: Facts) -> dict[str, list[str]]:
    """The members of both groups of a planned shift."""
    return {name: list(hosts.values()) for name, hosts in (shift.get("groups") or {}).items()}


def _results(loop: t.Any) -> list[Facts]:
    return list((loop or {}).get("results") or [])
