# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What an operator has to know at the moment at which a run is interrupted."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import traffic_messages
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import fleet, model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host, Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift

NAMED = 20
"""Hosts that are listed; the others are counted."""


def lines(
    rollout: Rollout,
    in_flight: t.Sequence[Host],
    left_out: t.Collection[str],
    nodes: t.Sequence[dict[str, t.Any]],
    shift: Shift | None = None,
) -> list[str]:
    """Which hosts are drained or half-updated, and what running the same command again does."""
    earlier = sorted(set(left_out) - {host.name for host in in_flight})
    listed = [_host(host, nodes) for host in in_flight] + [
        f"{name}: drained earlier by this rollout" for name in earlier
    ]
    more = [f"and {len(listed) - NAMED} more hosts"] if len(listed) > NAMED else []
    return [*listed[:NAMED], *more, *_traffic(shift), _rerun(rollout, bool(listed))]


def _host(host: Host, nodes: t.Sequence[dict[str, t.Any]]) -> str:
    drained = [lb["host"] for lb in fleet.answered(nodes) if _is_drained(lb["members"].get(host.member or host.name))]
    where = f"drained on {', '.join(drained)}" if drained else "not drained when the balancers were last read"
    at = f" at the step '{host.step}'" if host.step else ""
    return f"{host.name}: {where}; {_changed(host)}{at}"


def _is_drained(member: t.Mapping[str, t.Any] | None) -> bool:
    return bool(member) and (member or {}).get("admin") == fleet.DRAINED


def _changed(host: Host) -> str:
    if host.modified:
        return f"may be half-updated to {host.target_version}"
    if host.drained_by_us:
        return "left by an earlier run, not changed by this one"
    return f"not changed yet, still on {host.from_version or 'its old version'}"


def _traffic(shift: Shift | None) -> list[str]:
    return [traffic_messages.status(shift)] if shift else []


def _rerun(rollout: Rollout, has_hosts: bool) -> str:
    again = "Run the same command again to "
    first = "repair these hosts first and then " if has_hosts else ""
    if rollout.direction == model.RECOVER:
        return f"{again}put the remaining hosts back in service."
    if rollout.status == model.REVERTING:
        return f"{again}{first}finish the rollback of {rollout.what}."
    if rollout.direction == model.BACK:
        return f"{again}{first}resume {rollout.what}."
    only = "; to only put drained hosts back in service, run recover.yml" if has_hosts else ""
    return f"{again}{first}resume the rollout of {rollout.what}; to roll back, add -e rollout_resume=revert{only}."
