# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a failure means: for the rollout, for the version, and what the host is rolled back to."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import Limits

KINDS = (
    "drain",
    "balancer",
    "release",
    "start",
    "health",
    "smoke",
    "restore",
    "unreachable",
    "step",
    "guard",
    "coordinator",
    "drained_externally",
)
LOST = "lost"
DRAINED_EXTERNALLY = "drained_externally"
"""Somebody else took the host out: it is skipped and counts against nothing."""
BALANCER = "balancer"
STOPS_AT_ONCE = (BALANCER, "coordinator")
SPEAKS_AGAINST_THE_VERSION = ("health", "smoke", "start", "gate")
OUT_OF_REACH = ("unreachable", "coordinator", LOST)


def why_stop(limits: Limits, failures: int, kind: str, host: str, error: str) -> str | None:
    """The reason to stop the rollout after a failure; None while the budget lasts."""
    said = what_failed(kind, host, error)
    if kind in STOPS_AT_ONCE:
        return said
    if failures <= limits.max_failures:
        return None
    return f"{said}; that is failure {failures}, {limits.max_failures} allowed" if limits.max_failures else said


def what_failed(kind: str, host: str, error: str) -> str:
    return f"{host} failed ({kind}: {error.rstrip('.')})"


def makes_bad(kinds: t.Iterable[str | None]) -> bool:
    """A version is bad when it failed by itself, not when a host, a network or a disk did."""
    return any(kind in SPEAKS_AGAINST_THE_VERSION for kind in kinds)


def standing(proofs: t.Sequence[str]) -> list[str]:
    """The versions proven on a host as a stack, oldest first: a rollback to one takes off all above it.

    So a rollback after a rollback goes further back and never forward again to what was left.
    """
    stack: list[str] = []
    for version in proofs:
        stack = stack[: stack.index(version)] if version in stack else stack
        stack.append(version)
    return stack


def rollback_target(
    host: Host, proofs: t.Sequence[str], source_version: str | None, bad: t.Container[str]
) -> str | None:
    """What a host of a rollout is rolled back to: what was there before it, which may even be the same version.

    So a host that was only to be repaired is not sent further back than the hosts beside it.
    """
    if versions.known(host.last_good_version) and host.last_good_version not in bad:
        return host.last_good_version
    return last_proven_version(proofs, source_version, bad)


def last_proven_version(proofs: t.Sequence[str], source_version: str | None, bad: t.Container[str]) -> str | None:
    """The last version proven in service on the host, not the one to leave and never a bad one."""
    for version in reversed(standing(proofs)):
        if not versions.covers(source_version, version) and version not in bad and versions.known(version):
            return version
    return None


def is_late_report(host: Host, run: str | None) -> bool:
    """Given up as vanished, while its worker in this very run is still at it."""
    return host.phase == model.FAILED and host.kind == LOST and run is not None and host.run == run


def is_rolled_back_at_once(host: Host, direction: str, kind: str, target: str | None, run: str | None = None) -> bool:
    """A host that failed its update is rolled back automatically, if it is reachable and there is a version to go back to.

    Not one that is healthy on the new version and could not return because a balancer node was lost: that says
    nothing against it, and it must not be changed while it serves on the other nodes.
    """
    is_late = is_late_report(host, run)
    if kind == BALANCER and (host.phase == model.CHANGING or is_late):
        return False
    return (
        direction == model.FORWARD
        and (host.phase in model.GOING_FORWARD or is_late)
        # Whoever comes late was refused its next step, which is no silence of the coordinator.
        and (kind not in OUT_OF_REACH or (is_late and kind == "coordinator"))
        and target not in (None, host.target_version)
    )


def must_go_back(host: Host, run: str | None) -> bool:
    """Part of what a revert undoes: proven on the new version, or left out of service on the way to it.

    What somebody else took out is left alone. A host that got stuck on its way back in this very run is not tried again by it.
    """
    if host.lb_state == model.DRAINED_EXTERNALLY:
        return False
    if host.phase in (model.PROVEN, model.BACK_WAITING):
        return True
    if host.phase in (model.STUCK, *model.IN_FLIGHT):
        return host.run != run
    if host.phase == model.FAILED:
        # In rotation or not: once admitted, it may be on the new version.
        return host.admitted_at is not None or (bool(host.drained_by_us) and not host.is_serving)
    return host.phase == model.WAITING and bool(host.drained_by_us)
