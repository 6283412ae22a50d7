# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A service may object to losing a host: who must not be missing together, and what an objection means for the host."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import Limits
from ansible_collections.steady.rollout.plugins.module_utils.plurals import are

VETO = "veto"
QUORUM = "quorum"
FORM = "{name: replica set 1, hosts: [db1, db2, db3], max_out: 1}"


class Quorum(t.NamedTuple):
    """Hosts of which only so many may be missing at a time."""

    name: str
    hosts: tuple[str, ...]
    max_out: int


class Taken(t.NamedTuple):
    """A quorum with the hosts beside the asker that are *missing*; *changing* are those of them that are in flight."""

    quorum: Quorum
    missing: tuple[str, ...]
    changing: tuple[str, ...]


class Deferral(t.NamedTuple):
    """What becomes of a host that may not go now."""

    changes: dict[str, t.Any]
    is_over: bool
    """Whether the objection has lasted for longer than it is waited for."""
    reason: str


def quorums(raw: t.Any, host: str) -> tuple[Quorum, ...]:
    """Those that *host* belongs to. Raises InputError where one is not understood."""
    return tuple(one for one in map(_quorum, raw or ()) if host in one.hosts)


def _quorum(raw: t.Any) -> Quorum:
    given = raw if isinstance(raw, dict) else {}
    name, hosts, most = given.get("name"), given.get("hosts"), given.get("max_out")
    named = isinstance(name, str) and isinstance(hosts, (list, tuple)) and all(isinstance(one, str) for one in hosts)
    if not named or isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InputError(
            f"quorums: {raw!r:.200} is not of the form {FORM}; expected a name, hosts, and at least 1 for max_out."
        )
    return Quorum(str(name), tuple(t.cast("t.Sequence[str]", hosts)), most)


def taken(found: t.Iterable[Quorum], away: t.Sequence[Host], asker: str) -> list[Taken]:
    """*away* are the hosts that are out of service or in flight."""
    return [
        Taken(
            quorum,
            tuple(host.name for host in away if host.name in quorum.hosts and host.name != asker),
            tuple(
                host.name
                for host in away
                if host.name in quorum.hosts and host.name != asker and host.phase in model.IN_FLIGHT
            ),
        )
        for quorum in found
    ]


def too_many(found: t.Iterable[Taken], is_serving: bool) -> str:
    """Why the asker may not be missing too; empty where it may. One that is out already makes nothing worse."""
    for one in found:
        counted = one.missing if is_serving else one.changing
        if len(counted) + 1 > one.quorum.max_out:
            return (
                f"{', '.join(counted)} of {one.quorum.name} {are(len(counted))} out of service, and at most "
                f"{one.quorum.max_out} may be"
            )
    return ""


class Objection(t.NamedTuple):
    """What was said at *now*, and how long objections that follow each other are waited for."""

    said: str
    now: float
    wait: float
    poll: float
    counts: bool = True
    """False where the host only waits for its turn, which may take as long as the others need."""
    is_last_word: bool = False
    """Whether *wait* is over by the clock of the caller."""
    standstill: float | None = None
    """Seconds for which nobody has made progress, where that is for too long."""


def deferred(host: Host, objection: Objection) -> Deferral:
    """The place is given back, and the host is as it was before its admission."""
    said, now, wait, poll, counts, is_last_word, standstill = objection
    since = (host.vetoed_at if host.vetoed_at is not None else now) if counts else None
    is_over = is_last_word or (since is not None and now - since >= wait)
    lasted = wait if since is None or is_last_word else now - since
    limit = "rollout_veto_wait"
    if not counts and standstill is not None:
        is_over, lasted, limit = True, standstill, "rollout_progress_deadline"
    changes = {
        "phase": model.BACK_WAITING if host.phase in model.GOING_BACK else model.WAITING,
        "lb_state": host.lb_before or host.lb_state,
        "veto": said,
        "vetoed_at": since,
        "vetoed_until": now + poll,
        "slot": host.slot if host.phase in model.GOING_BACK else None,
        # A host that is rolled back was changed by this rollout, whatever becomes of it now.
        "admitted_at": host.admitted_at if host.phase in model.GOING_BACK else None,
        "deadline_at": None,
        "drained_at": None,
        "step": None,
        "step_at": None,
    }
    reason = f"{host.name} was left unchanged because of an objection that lasted {lasted:.0f} s ({limit}): {said}"
    return Deferral(changes, is_over, reason)


def standstill(limits: Limits, in_flight: int, progress_at: float, now: float) -> float | None:
    """Seconds without progress where the host waits for others that do not come; a stage may bake and be judged meanwhile."""
    allowed = limits.progress_deadline + max(limits.bake_times) + (limits.gate_limit if limits.gate else 0.0)
    return now - progress_at if in_flight <= 1 and now - progress_at > allowed else None


def is_deferrable(host: Host) -> bool:
    """Only a host that was admitted and on which nothing was done."""
    return host.phase in (model.ADMITTED, model.BACK_ADMITTED) and not host.modified


def given_up(host: Host, deferral: Deferral) -> dict[str, t.Any]:
    """A rollback goes on with its other hosts, and names this one; elsewhere the host stays as it is, for the next run."""
    if deferral.changes["phase"] != model.BACK_WAITING:
        return {**deferral.changes, "vetoed_until": None}
    stuck = {"phase": model.STUCK, "kind": host.kind or VETO, "error": deferral.reason, "vetoed_until": None}
    return {**deferral.changes, **stuck}


def was_weak(host: Host) -> bool:
    """Whether the host was to be repaired when it asked."""
    lb_state = host.lb_before if host.phase in model.IN_FLIGHT else host.lb_state
    return host.condition in model.WEAK or lb_state != model.IN_SERVICE


def is_recorded_in_service(host: Host) -> bool:
    """Whether it is off the list of those that this ledger keeps out of service: an earlier run's drain stays on it."""
    return host.lb_before != model.DRAINED_BY_US and not host.drained_by_us
