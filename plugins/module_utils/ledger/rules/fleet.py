# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the balancers and the hosts show, read as one fleet."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, versions

DRAINED = "drained"
"""The only state we take a host out with; any other was set by somebody else."""
TAKEN_OUT = (DRAINED, "maintenance")
HOW_TAKEN_OUT = {DRAINED: "drained", "maintenance": "put into maintenance"}
IN_SERVICE = "in_service"
"""The admin state of a member that nobody has drained."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """One member of the fleet as it was seen just now."""

    name: str
    zone: str
    member: str
    in_scope: bool
    healthy: bool | None
    version: str | None
    lb_state: str
    revision: str | None = None
    """What the host itself says of it; None where it does not."""
    is_unclear: bool = False
    """It was left between two revisions of the version that it shows."""
    outdated: bool | None = None
    """Whether it was found to need the change, whatever is on record; None where nobody has looked."""
    note: str = ""
    """Where it is out of service, in words."""


def read_fleet(
    hosts: t.Sequence[dict[str, t.Any]],
    balancers: t.Sequence[dict[str, t.Any]],
    left_out: t.Container[str],
    strict: bool = True,
) -> list[Seen]:
    """The union of the inventory's hosts and of all members the balancers know, each exactly once.

    *strict*: a host in scope that a balancer does not know, and that is not to be added, is an InputError, else it is seen as down.
    """
    names = [host["name"] for host in hosts]
    _refuse_doubles(names, "host")
    members = [host.get("member") or host["name"] for host in hosts]
    _refuse_doubles(members, "member", ", by rollout_member")
    known = dict(zip(members, hosts))
    if strict:
        _refuse_unknown_members(known, balancers)
    fleet = [_seen(host, member, balancers, left_out) for member, host in known.items()]
    others = sorted({member for lb in balancers for member in lb["members"]} - set(known))
    outsiders = [{"name": member, "in_scope": False} for member in others]
    return fleet + [_seen(host, host["name"], balancers, left_out) for host in outsiders]


def answered(balancers: t.Sequence[dict[str, t.Any]] | None) -> list[dict[str, t.Any]]:
    """The balancer nodes that reported their members."""
    return [lb for lb in balancers or [] if not lb.get("unreachable") and lb.get("members") is not None]


def unreachable(balancers: t.Sequence[dict[str, t.Any]] | None) -> list[str]:
    """The nodes that should have reported their members and did not."""
    heard = answered(balancers)
    return [lb["host"] for lb in balancers or [] if lb not in heard]


def refuse_unreachable(balancers: t.Sequence[dict[str, t.Any]] | None) -> None:
    names = unreachable(balancers)
    if names:
        raise InputError(
            f"balancers: {', '.join(names)} did not report its members; max_unavailable and min_available can be judged only when "
            "every node answers, so nothing is planned."
        )


def _seen(
    host: dict[str, t.Any], member: str, balancers: t.Sequence[dict[str, t.Any]], left_out: t.Container[str]
) -> Seen:
    lb_state, note = lb_state_of(host, member, balancers, host["name"] in left_out)
    return Seen(
        name=host["name"],
        zone=host.get("zone") or "",
        member=member,
        in_scope=host.get("in_scope") is not False,
        healthy=host.get("healthy"),
        version=versions.single(host.get("version")),
        lb_state=lb_state,
        revision=None if host.get("revision") is None else (versions.single(host["revision"]) or ""),
        outdated=host.get("outdated"),
        note=note,
    )


def lb_state_of(
    host: t.Mapping[str, t.Any], member: str, balancers: t.Sequence[dict[str, t.Any]], is_left_out: bool
) -> tuple[str, str]:
    """In service only where every balancer node shows that; out of service by whoever set it on any of them."""
    if not balancers:
        return (model.DOWN, "not healthy") if host.get("healthy") is False else (model.IN_SERVICE, "")
    states = [(lb["host"], lb["members"].get(member)) for lb in balancers]
    taken_out = [(node, state["admin"]) for node, state in states if state and state.get("admin") in TAKEN_OUT]
    for node, admin in sorted(taken_out, key=lambda found: found[1] == DRAINED):
        is_by_us = is_left_out and admin == DRAINED
        lb_state = model.DRAINED_BY_US if is_by_us else model.DRAINED_EXTERNALLY
        return lb_state, f"{HOW_TAKEN_OUT[admin]} on {node}"
    for node, state in states:
        if not state:
            return model.DOWN, f"{'to be added to' if host.get('may_be_added') else 'not in'} the pool of {node}"
        if not state.get("in_rotation"):
            return model.DOWN, f"{state.get('operational') or 'not in rotation'} on {node}"
    return (model.DOWN, "not healthy") if host.get("healthy") is False else (model.IN_SERVICE, "")


def condition_of(
    seen: Seen, target: str | None, was_left: bool, proven: str | None = None, needs_change: bool | None = None
) -> str:
    """How far a host can be trusted: down, half_updated, unknown, healthy, or current (already on the target).

    *proven* is the version proven there last; it stands for one that the health check does not report. *needs_change* is
    what else is known of whether the host is as it should be; None leaves it to the version.
    """
    if seen.healthy is False:
        return model.DOWN
    if was_left or seen.lb_state == model.DRAINED_BY_US:
        return model.HALF_UPDATED
    if seen.lb_state == model.DOWN:
        return model.DOWN
    if seen.healthy is None:
        return model.UNKNOWN
    if needs_change is not None:
        return model.HEALTHY if needs_change else model.CURRENT
    version = seen.version or proven
    return model.CURRENT if version is not None and version == target else model.HEALTHY


def _refuse_doubles(names: t.Sequence[str], what: str, advice: str = "") -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(
                f"hosts: the {what} {name} is named twice; each host of the fleet has one of its own{advice}."
            )
        seen.add(name)


def _refuse_unknown_members(known: dict[str, dict[str, t.Any]], balancers: t.Sequence[dict[str, t.Any]]) -> None:
    for member, host in known.items():
        for lb in balancers:
            if host.get("in_scope") is not False and member not in lb["members"] and not host.get("may_be_added"):
                raise InputError(
                    f"{host['name']}: its member '{member}' is not in the pool of {lb['host']}, which has "
                    f"{', '.join(sorted(lb['members'])) or 'no members'}; set rollout_member to the host's name in the pool, "
                    "correct the pool, or let the rollout add it (rollout_add_members)."
                )
