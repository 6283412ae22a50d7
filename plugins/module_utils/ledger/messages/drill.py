# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The result of a rollback drill: how long it took, and how long the host was out of service in all."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.endings import Ending
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session

NEWEST = 200
"""Events; a drill of one host writes about ten."""


def has_passed(session: Session) -> bool:
    """One host failed on purpose, nothing else failed, and it was rolled back by itself."""
    if not versions.is_drill(session.rollout.version):
        return False
    return _on_purpose(session) == _rolled_back(session) != []


def message(session: Session, endings: t.Sequence[Ending]) -> str:
    names = _on_purpose(session)
    at = {(event.kind, event.host): event for event in session.records.events(session.service, NEWEST)}
    parts = []
    for name in names:
        reverted = at[("reverted", name)]
        seconds = reverted.at - at[("failed", name)].at
        out_for = json.loads(reverted.data).get("out_for")
        out = f"; it was out of service for {out_for:.1f} s in all" if out_for is not None else ""
        parts.append(f"{name} failed on purpose and was rolled back in {seconds:.1f} s{out}")
    kept = sum(1 for ending in endings if ending.host.name not in names and ending.is_back)
    return (
        f"{session.service}: the drill of {versions.plain(session.rollout.version)} has passed: {', '.join(parts)}. "
        f"{kept} other {'host' if kept == 1 else 'hosts'} stayed as they were. A release that never becomes healthy is "
        "noticed later, by rollout_healthy_deadline."
    )


def _on_purpose(session: Session) -> list[str]:
    hosts = session.records.hosts(session.rollout.id)
    return sorted(host.name for host in hosts if host.kind == "health" and host.error == versions.ON_PURPOSE)


def _rolled_back(session: Session) -> list[str]:
    """Every host that this rollout has counted as a failure, if it is back."""
    hosts = [host for host in session.records.hosts(session.rollout.id) if host.counted]
    return sorted(host.name for host in hosts if host.phase == model.REVERTED) if hosts else []
