# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the whole fleet and every load balancer: what the ledger plans with, and concludes from."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import targets
from ansible_collections.steady.rollout.plugins.plugin_utils.balancer_calls import (
    error_of,
    node_of,
    on_balancer,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.failures import name_of
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, Invocation, Outcome

Row = t.Dict[str, t.Any]
PLACES = {"controller": "localhost"}


class Member(t.NamedTuple):
    """One host of the fleet as its variables describe it; *health* is to be judged for whatever version runs.

    *urls* is where the host is reached past the load balancers.
    """

    name: str
    zone: str
    member: str
    in_scope: bool
    health: Row
    probed_from: str
    urls: tuple[str, ...] = ()
    outdated: bool | None = None
    """Whether the playbook has found it to need the change; None where it has not looked."""
    may_be_added: bool = False
    """Whether the rollout adds it to a pool that does not have it."""


def probe_hosts(members: t.Sequence[Member], executors: Executors) -> tuple[list[Row], str, dict[str, str]]:
    """A row for each host; why not one could be probed, empty where one could; why each unhealthy host is.

    All hosts that are probed from one place are probed in one call. Those out of scope count for the limits only.
    """
    in_scope = [member for member in members if member.in_scope]
    calls = [_probe(place, group) for place, group in _by_place(in_scope).items()]
    seen: dict[str, Row] = {}
    errors: list[str] = []
    for outcome in executors.together(calls):
        if outcome.failed:
            errors.append(error_of(outcome))
        else:
            seen.update(outcome.result["targets"])
    refused = errors[0] if errors and not seen else ""
    reasons = {name: _reason(one) for name, one in seen.items() if not one["healthy"]}
    return [_row(member, seen.get(member.name)) for member in members], refused, reasons


def probe_health(members: t.Sequence[Member], executors: Executors, timeout: float | None = None) -> list[Row]:
    """For each host whether it is healthy, the version it answers with, and why it is not healthy.

    Nothing of hosts that are probed from where there is no answer within *timeout* seconds.
    """
    calls = [_probe(place, group) for place, group in _by_place(members).items()]
    outcomes = executors.together([dataclasses.replace(one, timeout=timeout) for one in calls])
    return [
        {
            "name": name,
            "healthy": seen["healthy"],
            "version": seen["version"],
            "revision": seen["revision"],
            "why": _reason(seen),
        }
        for outcome in outcomes
        if not outcome.failed
        for name, seen in outcome.result["targets"].items()
    ]


def _reason(seen: Row) -> str:
    return str((seen.get("last") or {}).get("reason") or "")


def _by_place(members: t.Sequence[Member]) -> dict[str, list[Member]]:
    places: dict[str, list[Member]] = {}
    for member in members:
        place = member.name if member.probed_from == "host" else PLACES.get(member.probed_from, member.probed_from)
        places.setdefault(place, []).append(member)
    return places


def _probe(place: str, members: t.Sequence[Member]) -> Invocation:
    aims = [targets.any_version_target(member.health, member.name) for member in members]
    return Invocation(place, "health_wait", {"targets": aims, "timeout": 0, "fail": False})


def _row(member: Member, seen: Row | None) -> Row:
    version, revision = (seen or {}).get("version"), (seen or {}).get("revision")
    return {
        "name": member.name,
        "zone": member.zone,
        "member": member.member,
        "in_scope": member.in_scope,
        "healthy": bool(seen and seen["healthy"]) if member.in_scope else None,
        "version": None if version is None else str(version),
        "revision": None if revision is None else str(revision),
        "outdated": member.outdated,
        "may_be_added": member.may_be_added,
    }


def read_balancers(
    balancers: t.Sequence[Row], executors: Executors, require_admin: bool = False, timeout: float | None = None
) -> list[Row]:
    """What each balancer says of its members, or why it cannot be read; one has *timeout* seconds to answer."""
    calls = [on_balancer(one, "lb_member_info", require_admin=require_admin) for one in balancers]
    outcomes = executors.together([dataclasses.replace(one, timeout=timeout) for one in calls])
    return [_balancer(outcome) for outcome in outcomes]


def _balancer(outcome: Outcome) -> Row:
    if outcome.failed:
        return {"host": node_of(outcome), "members": {}, "unreachable": error_of(outcome)}
    return {"host": node_of(outcome), "members": outcome.result["members"]}


def pools_of(balancers: t.Sequence[Row]) -> list[Row]:
    """The pools behind which the fleet stands."""
    return [{"host": name_of(one), "pool": str(one["pool"])} for one in balancers if one.get("pool")]


def read_nodes(nodes: t.Sequence[Row], groups: t.Mapping[str, t.Any], executors: Executors) -> list[Row]:
    """What each node that splits the traffic shows; *groups* for those that do not name the members of their own."""
    seen = read_balancers(nodes, executors)
    return [{**one, "groups": node.get("groups") or groups, "why": ""} for node, one in zip(nodes, seen)]


def unreadable(balancers: t.Sequence[Row]) -> list[str]:
    """A sentence for every balancer that could not be read."""
    return [
        f"Balancer {one['host']} cannot be used: {one['unreachable']}" for one in balancers if one.get("unreachable")
    ]


def out_of_rotation(balancers: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """A sentence that names who is out of rotation where; for when the ledger cannot be asked."""
    out = [
        f"{member} ({state.get('admin')}) on {seen['host']}"
        for seen in balancers
        for member, state in seen["members"].items()
        if not state.get("in_rotation")
    ]
    return f"Out of rotation now: {', '.join(out)}." if out else ""
