# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Hosts that another ledger has drained, once its claim was taken over: this ledger restores or updates them."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import fleet
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session


def adopt(session: Session, params: dict[str, t.Any]) -> list[str]:
    """Puts on record who is still drained as those claims say; returns it in sentences.

    What is drained and in no claim was drained by somebody else, and stays so.
    """
    names = {host.get("member") or host["name"]: host["name"] for host in params["hosts"]}
    nodes = {lb["host"]: lb["members"] for lb in fleet.answered(params.get("balancers"))}
    adopted: dict[str, dict[str, t.Any]] = {}
    for claim in params.get("taken_over") or []:
        for member in claim.get("drained") or []:
            state = nodes.get(claim["host"], {}).get(member) or {}
            if state.get("admin") == fleet.DRAINED:
                adopted[member] = claim
    known = session.records.left_out(session.service)
    for member, claim in sorted(adopted.items()):
        name = names.get(member, member)
        if name not in known:
            host = Host(rollout=session.rollout.id, name=name, member=member)
            session.records.note_left_out(session.service, host, session.run, session.now)
            session.event("adopted", name, ledger=claim.get("ledger"), coordinator=claim.get("coordinator"))
    return [_sentence(names.get(member, member), claim) for member, claim in sorted(adopted.items())]


def note_timer_reports(session: Session, params: dict[str, t.Any]) -> list[str]:
    """Puts on record what restore timers have done since the run before; returns it in sentences."""
    names = {host.get("member") or host["name"]: host["name"] for host in params["hosts"]}
    reports = params.get("timer_reports") or []
    for one in reports:
        data = {key: one.get(key) for key in ("host", "at", "outcome", "why")}
        session.event("restore_timer", names.get(one["member"], one["member"]), **data)
    return [_timer_sentence(names.get(one["member"], one["member"]), one) for one in reports]


def _timer_sentence(name: str, report: dict[str, t.Any]) -> str:
    verb = "has put it back in service" if report.get("outcome") == "restored" else "has not restored it"
    return f"{name}: the restore timer on {report['host']} {verb}: {report.get('why') or 'no reason given'}"


def _sentence(name: str, claim: dict[str, t.Any]) -> str:
    return (
        f"{name} was drained by another coordinator, {claim.get('coordinator') or 'unnamed'} (ledger "
        f"{claim.get('ledger') or 'unknown'}); this run has taken over and returns it to service"
    )
