# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the continuous observation of a host means: proof does not expire unseen (invariant 17).

A host that was proven and fails afterwards is a failure of its version. A host that somebody else drains is not.
Where nothing could be measured nothing follows: the proof stands, and no host is counted as in service again.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import fleet, model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import moment
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import Limits

DOWN = "down"
FAILING = (DOWN, "going_down")
"""Operational states of a member whose last check failed; the first one takes no traffic any more."""
GOOD, BAD = "1", "0"


@dataclasses.dataclass(frozen=True)
class Observation:
    """What was seen of one host at one moment."""

    lb_state: str | None
    """None where no balancer reported it."""
    note: str = ""
    """Where it is out of service, in words."""
    down_on: str = ""
    """The balancer's word for it, where a node's own check has taken it out of rotation."""
    is_good: bool | None = None
    """None where its health was not measured."""
    why: str = ""


@dataclasses.dataclass(frozen=True)
class Record:
    """The newest health observations of a host since it was proven, oldest first, and why the last bad one was bad."""

    results: str = ""
    why: str = ""


@dataclasses.dataclass(frozen=True)
class Consequence:
    record: Record
    lb_state: str
    failure: str = ""
    """Why the host's version has failed on it; empty while its proof stands."""


def observed(
    member: str,
    healthy: bool | None,
    why: str,
    balancers: t.Sequence[dict[str, t.Any]] | None,
    drained_by_us: bool,
) -> Observation:
    """One member as the health probe and all balancer nodes show it. A node that did not answer says nothing."""
    nodes = fleet.answered(balancers)
    lb_state, note = fleet.lb_state_of({}, member, nodes, drained_by_us) if nodes else (None, "")
    if lb_state == model.IN_SERVICE and fleet.unreachable(balancers):
        lb_state = None
    failing = [(lb["host"], lb["members"].get(member) or {}) for lb in nodes]
    failing = [(node, state) for node, state in failing if _fails_its_check(state)]
    for node, state in sorted(failing, key=lambda found: found[1]["operational"] != DOWN):
        said = f"{state['operational']} on {node}" + (f" ({state['check']})" if state.get("check") else "")
        return Observation(lb_state, note, said if state["operational"] == DOWN else "", False, said)
    return Observation(lb_state, note, "", healthy, why)


def _fails_its_check(member: t.Mapping[str, t.Any]) -> bool:
    return member.get("admin") == fleet.IN_SERVICE and member.get("operational") in FAILING


def concerns(host: Host, observed_at: float) -> bool:
    """Not a host in flight or one that waits to be restored: these are reported by the run that works on them.

    Nor what was read before the host came back: it shows the host as it was then.
    """
    if host.phase in (*model.IN_FLIGHT, model.BACK_WAITING) or host.lb_state == model.DRAINED_BY_US:
        return False
    return host.in_service_at is None or observed_at >= host.in_service_at


def consequence(host: Host, seen: Observation, record: Record, limits: Limits) -> Consequence:
    if seen.lb_state == model.DRAINED_EXTERNALLY:
        return Consequence(Record(), model.DRAINED_EXTERNALLY)
    lb_state = seen.lb_state or host.lb_state
    if host.phase == model.FAILED and lb_state == model.IN_SERVICE:
        # In rotation or not, it was measured bad and is not counted as serving again in this run.
        lb_state = host.lb_state
    if host.phase != model.PROVEN:
        return Consequence(record, lb_state)
    record = _added(record, seen, limits.after_proof_of)
    failure = _failure(seen, record, limits)
    if not failure:
        return Consequence(record, lb_state)
    proven = f"proven {moment(host.in_service_at)}, then " if host.in_service_at is not None else "proven, then "
    return Consequence(record, model.DOWN, proven + failure)


def _added(record: Record, seen: Observation, kept: int) -> Record:
    if seen.is_good is None:
        return record
    return Record(
        (record.results + (GOOD if seen.is_good else BAD))[-kept:],
        record.why if seen.is_good else seen.why,
    )


def _failure(seen: Observation, record: Record, limits: Limits) -> str:
    if seen.down_on:
        return seen.down_on
    bad = record.results.count(BAD)
    if bad < limits.after_proof_failures:
        return ""
    why = f", last: {record.why.rstrip('.')}" if record.why else ""
    return f"{bad} of the last {len(record.results)} observations failed{why}"
