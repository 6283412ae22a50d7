# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""May this phase of a migration run now, and may this host go to that version? Functions of rows, without clock or I/O."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import (
    EXCLUDED,
    OUTSIDE,
    WAITING,
    Host,
)

EXPAND, MIGRATE, CONTRACT = "expand", "migrate", "contract"
PHASES = (EXPAND, MIGRATE, CONTRACT)
RUNNING, DONE, FAILED = "running", "done", "failed"
NAMED = 5


@dataclasses.dataclass(frozen=True)
class Migration:
    """One phase of a migration in one run."""

    id: int
    service: str
    database: str
    rollout: int
    run: str
    phase: str
    status: str
    version_before: str
    version: str
    at: float
    ended_at: float | None = None
    error: str = ""


@dataclasses.dataclass(frozen=True)
class DatabaseClaim:
    """The one run that may migrate a database, whichever service it belongs to."""

    database: str
    service: str
    run: str
    at: float


@dataclasses.dataclass(frozen=True)
class Boundary:
    """A point of no return: *forbidden* are the versions that need what a contract removed, as a JSON list."""

    id: int
    service: str
    database: str
    rollout: int
    version: str
    forbidden: str
    lost: str
    at: float

    @property
    def versions(self) -> set[str]:
        return set(json.loads(self.forbidden))


class Proof(t.NamedTuple):
    """The version that a host was last proven on, and since when without a break."""

    version: str | None
    since: float | None


def why_no_contract(
    hosts: t.Sequence[Host], proofs: t.Mapping[str, Proof], seen: t.Mapping[str, str | None], allowed: t.Collection[str]
) -> str:
    """Why old things must still be kept, in words; empty where every host of the service is known not to need them.

    A host that cannot be looked at, is excluded, out of scope or gone from the inventory counts by its last proof and,
    where it has none, as one that needs them.
    """
    states = {host.name: host for host in hosts}
    needing = []
    for name in sorted({*states, *proofs}):
        version = seen.get(name) or (versions.plain(proofs[name].version) if name in proofs else None)
        if version in allowed:
            continue
        needing.append(f"{name}{_note(states.get(name), name in seen)} is on {version or 'an unknown version'}")
    if not needing:
        return ""
    more = f" and {len(needing) - NAMED} more" if len(needing) > NAMED else ""
    return f"{', '.join(needing[:NAMED])}{more}; it needs every host on {' or '.join(sorted(allowed))}"


def _note(host: Host | None, is_seen: bool) -> str:
    if host is None:
        return " (not in the inventory)"
    if host.phase == EXCLUDED:
        return " (skipped)"
    if host.phase == OUTSIDE or not host.in_scope:
        return " (not in scope)"
    return "" if is_seen else " (not seen)"


def kept_until(proofs: t.Mapping[str, Proof], keep_for: float) -> float:
    """Old things are kept for a time after the last host has left them."""
    return max((proof.since for proof in proofs.values() if proof.since is not None), default=0.0) + keep_for


def forbidden_by_contract(proven: t.Iterable[str], allowed: t.Collection[str]) -> list[str]:
    """The versions that once ran in service and are not among those that can do without what was removed."""
    return sorted({versions.plain(one) or "" for one in proven} - set(allowed))


class Crossing(t.NamedTuple):
    boundary: Boundary
    version: str
    hosts: list[str]


def crossing(hosts: t.Sequence[Host], boundaries: t.Sequence[Boundary], reverting: bool) -> Crossing | None:
    """The newest point of no return that a plan would cross, with the hosts that would."""
    goals = {host.name: _goal(host, reverting) for host in hosts}
    for boundary in reversed(boundaries):
        version = next((goal for goal in goals.values() if goal in boundary.versions), None)
        if version is not None:
            return Crossing(boundary, version, [name for name, goal in goals.items() if goal == version])
    return None


def _goal(host: Host, reverting: bool) -> str | None:
    """The version that the plan leads to; None for a host that it does not touch."""
    if not host.in_scope or host.phase in (EXCLUDED, OUTSIDE):
        return None
    if reverting:
        return None if host.phase == WAITING else versions.plain(host.last_good_version)
    return versions.plain(host.target_version)
