# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The result of a rollback drill: how long it took, and how long the host was out of service in all."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.endings import Ending
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, tiers, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.tiers import State
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

NEWEST = 200
"""Events; a drill of one host writes about ten."""
NOTICED_LATER = "A release that never becomes healthy is noticed later, by rollout_healthy_deadline."


def has_passed(session: Session) -> bool:
    return _passes(session.records, session.rollout)


def message(session: Session, endings: t.Sequence[Ending]) -> str:
    names = _on_purpose(session.records, session.rollout)
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
        f"{kept} other {'host' if kept == 1 else 'hosts'} stayed as they were. {NOTICED_LATER}"
    )


def release_message(records: Records, state: State, now: float) -> str:
    """Of a release that ended at *now*; empty unless the service that was to fail did, and no other one."""
    services = state[1]
    tier = next((one for one in services if versions.fails_on_purpose(one.version)), None)
    rollout = records.rollout(tier.rollout) if tier is not None and tier.rollout is not None else None
    if tier is None or rollout is None or tier.state != tiers.REVERTED or not _passes(records, rollout):
        return ""
    names = _on_purpose(records, rollout)
    failed = [
        event.at for event in records.events(tier.service, NEWEST) if event.kind == "failed" and event.host in names
    ]
    back = [one.name for one in reversed(services) if one.state == tiers.REVERTED]
    order = " in this order" if len(back) > 1 else ""
    what = ", ".join(f"{one.name} {versions.plain(one.version)}" for one in services)
    return (
        f"The drill of {what} has passed: {', '.join(names)} failed on purpose, and {', '.join(back)} {'was' if len(back) == 1 else 'were'} rolled "
        f"back{order}, one host each, within {now - max(failed):.1f} s. {NOTICED_LATER}"
    )


def _passes(records: Records, rollout: Rollout) -> bool:
    """One host failed on purpose, nothing else failed, and it was rolled back by itself."""
    if not versions.fails_on_purpose(rollout.version):
        return False
    return _on_purpose(records, rollout) == _rolled_back(records, rollout) != []


def _on_purpose(records: Records, rollout: Rollout) -> list[str]:
    hosts = records.hosts(rollout.id)
    return sorted(host.name for host in hosts if host.kind == "health" and host.error == versions.ON_PURPOSE)


def _rolled_back(records: Records, rollout: Rollout) -> list[str]:
    """Every host that this rollout has counted as a failure, if it is back."""
    hosts = [host for host in records.hosts(rollout.id) if host.counted]
    return sorted(host.name for host in hosts if host.phase == model.REVERTED) if hosts else []
