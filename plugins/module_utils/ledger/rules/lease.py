# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The lease of a service: who holds it, until when, and who may take it."""

from __future__ import annotations

import dataclasses
import json
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Lease

BEAT_EVERY = 5.0
"""Seconds between two heartbeats of calls that wait."""


WATCH_REPORTS_WITHIN = 15.0
"""Seconds after which a watch that has not reported is taken to be gone."""
LOST = "lease_lost"
"""The kind of a failure that ends the run, whatever it is at."""


HELD = "held"
"""The kind of a refusal because another run holds the lease."""


class LeaseLost(RolloutError):
    """The run no longer owns its service; it starts nothing any more."""


def runs_out_at(lease: Lease) -> float:
    return max(lease.heartbeat_at + lease.ttl, lease.held_until)


def is_watched(lease: Lease, now: float) -> bool:
    """Whether the run's watch is alive: it beats for the run, so that no step has to hold the lease in advance."""
    return lease.watch_at is not None and now <= lease.watch_at + WATCH_REPORTS_WITHIN


def is_held(lease: Lease, now: float) -> bool:
    return lease.run is not None and now <= runs_out_at(lease)


def may_take(lease: Lease, now: float, take_over: bool, gone_run: str | None) -> bool:
    """*gone_run* is a run whose process was proven dead; it opens only the lease of that very run."""
    return take_over or not is_held(lease, now) or (gone_run is not None and gone_run == lease.run)


def may_end_writer(leases: t.Sequence[Lease], service: str, now: float, take_over: bool, gone_run: str | None) -> bool:
    """Whether a process that is stopped in a change of the ledger can only be of a run that may lose its lease.

    Which service's run it is of, nobody can see; so every other lease has to be free.
    """
    return all(may_take(lease, now, take_over and lease.service == service, gone_run) for lease in leases)


def proven_gone(params: dict[str, t.Any]) -> str | None:
    """The run whose process the caller has proven dead, if any."""
    return params.get("previous_run") if params.get("owner_gone") else None


def taken(lease: Lease, run: str, owner: dict[str, t.Any], ttl: float, now: float) -> Lease:
    return Lease(
        service=lease.service,
        token=lease.token + 1,
        run=run,
        owner=json.dumps(owner, sort_keys=True),
        taken_at=now,
        heartbeat_at=now,
        ttl=ttl,
        held_until=0.0,
    )


def released(lease: Lease) -> Lease:
    """Free, or returned to the release of several services that reserved it."""
    return dataclasses.replace(lease, run=lease.reserved_for, held_until=0.0)


def reserved(lease: Lease, run: str) -> Lease:
    return dataclasses.replace(lease, reserved_for=run)


def refuse_unreserved(lease: Lease, run: str) -> None:
    """Raises LeaseLost if the release of several services with this run has lost the lease."""
    if not is_reserved_for(lease, run):
        raise LeaseLost(
            f"lease lost: another run has taken the lease of {lease.service}, so this release stops. Run the same command again "
            "when that run has ended.",
            kind=LOST,
            holder=holder(lease),
        )


def is_reserved_for(lease: Lease, run: str | None) -> bool:
    """Whether the release of several services with this run may still pass the lease to one of its rollouts."""
    return run is not None and lease.run is not None and lease.reserved_for == run


def beat_is_due(lease: Lease, now: float) -> bool:
    return now >= lease.heartbeat_at + BEAT_EVERY


def refuse_stale(lease: Lease | None, run: str | None, token: int | None) -> None:
    """Raises LeaseLost unless the run still owns the service under this token."""
    if lease is not None and lease.run is not None and lease.run == run and lease.token == token:
        return
    if lease is None or lease.run is None:
        raise LeaseLost(
            f"lease lost: run {run} does not hold {lease.service if lease else 'this service'} any more: "
            "the lease expired; run again to resume.",
            kind=LOST,
        )
    raise LeaseLost(
        f"lease lost: {lease.service} is now held by {owner_text(lease)} since {moment(lease.taken_at)}; "
        "this run makes no further changes.",
        kind=LOST,
        holder=holder(lease),
    )


def refusal(lease: Lease, what: str, now: float) -> RolloutError:
    """The answer to a second run of a service."""
    return RolloutError(
        f"{lease.service}: {what} is being run by {owner_text(lease)} since {moment(lease.taken_at)}; "
        f"last heartbeat {max(now - lease.heartbeat_at, 0):.0f} s ago, the lease expires at "
        f"{moment(runs_out_at(lease))} unless renewed. Wait for it, or, if that run is dead for good, "
        "take over with -e rollout_take_over=true.",
        kind=HELD,
        holder=holder(lease),
    )


def holder(lease: Lease | None) -> dict[str, t.Any] | None:
    """The lease as results show it; None when nobody holds it."""
    if lease is None or lease.run is None:
        return None
    return {
        "run": lease.run,
        "token": lease.token,
        "owner": json.loads(lease.owner),
        "since": moment(lease.taken_at),
        "heartbeat": moment(lease.heartbeat_at),
        "runs_out": moment(runs_out_at(lease)),
    }


def owner_text(lease: Lease) -> str:
    owner = json.loads(lease.owner)
    pid = f" (pid {owner['pid']})" if owner.get("pid") else ""
    return f"{owner.get('user') or 'somebody'} on {owner.get('controller') or 'an unnamed controller'}{pid}"


def moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
