# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The plan: who goes in which order and stage, how low capacity can fall, and what is refused beforehand."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import Limits, Policy

RANK = {model.DOWN: 0, model.UNKNOWN: 1, model.HALF_UPDATED: 2, model.HEALTHY: 3, model.CURRENT: 4}


def ordered(hosts: t.Sequence[Host]) -> list[Host]:
    """Out of service first, then weakest first; alike ones with their zones evenly mixed."""
    groups: dict[tuple[bool, int], list[Host]] = {}
    for host in hosts:
        groups.setdefault((host.is_serving, RANK[host.condition]), []).append(host)
    return [host for rank in sorted(groups) for host in interleaved(groups[rank])]


def interleaved(hosts: t.Sequence[Host]) -> list[Host]:
    """Spreads each zone evenly over the whole row, keeping the given order within a zone."""
    zones: dict[str, list[Host]] = {}
    for host in hosts:
        zones.setdefault(host.zone, []).append(host)
    spread = [
        ((number + 0.5) / len(members), zone, host)
        for zone, members in sorted(zones.items())
        for number, host in enumerate(members)
    ]
    return [host for dummy, dummy2, host in sorted(spread, key=lambda item: item[:2])]


def zone_sizes(hosts: t.Iterable[Host]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for host in hosts:
        sizes[host.zone] = sizes.get(host.zone, 0) + 1
    return sizes


def refuse_impossible(policy: Policy, limits: Limits, hosts: t.Sequence[Host], behind_balancer: bool) -> None:
    """Raises InputError when some host could never be taken out, however well everything goes."""
    to_take_out = [host for host in hosts if host.phase == model.WAITING and host.is_serving]
    if not to_take_out:
        return
    lost = [host for host in hosts if not _can_serve(host)]
    _refuse_fleet_of_one(hosts, behind_balancer)
    _refuse_floor(policy, limits, lost)
    _refuse_zone_floors(policy, limits, zone_sizes(hosts), lost, to_take_out)
    _refuse_window(policy, limits, lost)


def _can_serve(host: Host) -> bool:
    return host.is_serving or host.phase == model.WAITING


def _refuse_fleet_of_one(hosts: t.Sequence[Host], behind_balancer: bool) -> None:
    if behind_balancer and len(hosts) == 1:
        raise InputError(
            f"{hosts[0].name} is the only member behind the balancers: taking it out leaves no host in service. "
            "Add a second host, or update it in a maintenance window without a rolling deployment."
        )


def _refuse_floor(policy: Policy, limits: Limits, lost: t.Sequence[Host]) -> None:
    serving = limits.fleet - len(lost)
    if serving - 1 >= limits.min_available:
        return
    floor = policy.min_available.explained(limits.fleet, limits.min_available)
    raise InputError(
        f"rollout_min_available {floor} means that no host could be drained: {serving} of {limits.fleet} hosts can be in service"
        f"{_but_for(lost)}. Allow at most {max(serving - 1, 0)}, or bring more hosts into service."
    )


def _refuse_zone_floors(
    policy: Policy,
    limits: Limits,
    sizes: dict[str, int],
    lost: t.Sequence[Host],
    to_take_out: t.Sequence[Host],
) -> None:
    for zone in sorted({host.zone for host in to_take_out}):
        floor = limits.zone_floors.get(zone, 0)
        lost_there = [host for host in lost if host.zone == zone]
        serving = sizes[zone] - len(lost_there)
        if serving - 1 < floor:
            raise InputError(
                f"rollout_zone_min_available {policy.zone_min_available.explained(sizes[zone], floor)} means that no host could be drained "
                f"in zone {zone}: {serving} of its {sizes[zone]} hosts can be in service{_but_for(lost_there)}. "
                f"Allow at most {serving - 1} there, or bring more of its hosts into service."
            )


def _refuse_window(policy: Policy, limits: Limits, lost: t.Sequence[Host]) -> None:
    if len(lost) + 1 <= limits.max_unavailable:
        return
    window = policy.max_unavailable.explained(limits.fleet, limits.max_unavailable)
    raise InputError(
        f"rollout_max_unavailable {window} means that no host could be drained: {len(lost)} of {limits.fleet} hosts are out of service "
        f"already and were not drained by this rollout ({_named(lost)}). Bring them into service or allow more."
    )


def _but_for(lost: t.Sequence[Host]) -> str:
    return f" (without {_named(lost)})" if lost else ""


def _named(hosts: t.Sequence[Host]) -> str:
    return ", ".join(host.name for host in hosts[:5]) + (", ..." if len(hosts) > 5 else "")


def width(limits: Limits, hosts: t.Sequence[Host], forks: int) -> int:
    """How many hosts will be out at once for the update, in addition to those that are out for good."""
    lost = sum(1 for host in hosts if not host.is_serving and host.phase != model.WAITING)
    hopeful = len(hosts) - lost
    free = min(limits.max_unavailable - lost, hopeful - limits.min_available)
    pending = sum(1 for host in hosts if host.in_scope and host.phase in model.ASKING)
    return max(min(free, pending, forks or free), 0)


def lowest_capacity(limits: Limits, hosts: t.Sequence[Host], forks: int) -> int:
    """The fewest hosts in service at any moment if nothing fails."""
    serving = sum(1 for host in hosts if host.is_serving)
    pending = sum(1 for host in hosts if host.in_scope and host.phase in model.ASKING and host.is_serving)
    return max(serving - min(width(limits, hosts, forks), pending), min(serving, limits.min_available))


def predicted_seconds(
    limits: Limits, hosts: t.Sequence[Host], forks: int, seconds_per_host: float | None
) -> int | None:
    """From how long hosts took before; None without a history."""
    pending = sum(1 for host in hosts if host.in_scope and host.phase in model.ASKING)
    if seconds_per_host is None or not pending:
        return None
    rounds = math.ceil(pending / max(width(limits, hosts, forks), 1))
    return round(rounds * seconds_per_host + sum(limits.bake_times[:-1]))


def notes(hosts: t.Sequence[Host], inventory: t.Sequence[t.Mapping[str, t.Any]], is_first: bool) -> list[str]:
    """What the operator should know of the fleet itself."""
    found = ["first deployment: no host serves yet, so all of them may be deployed at once"] if is_first else []
    known = {str(host["name"]) for host in inventory}
    strangers = sorted(host.name for host in hosts if host.name not in known)
    if strangers:
        found.append(
            f"the balancers have members that the inventory lacks: {', '.join(strangers)}. They count for the limits and are not "
            "updated: add them to the inventory, or remove them from the pool."
        )
    return found


def warnings(limits: Limits, hosts: t.Sequence[Host], forks: int) -> list[str]:
    usable = width(limits, hosts, 0)
    if forks and forks < usable:
        return [
            f"forks is {forks}, below the {usable} hosts that may be out of service at once: at most {forks} are changed at the same time. "
            f"Run with --forks {usable} or more."
        ]
    return []
