# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the ledger has recorded, without changing anything."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import (
    flag_release,
    tables,
    tiers,
    traffic_messages,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import flags
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import (
    block,
    failure,
    lease,
    model,
    versions,
    window,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host, Lease, Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records


def show(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    service, limit = params.get("service"), params.get("limit") or 50
    with ledger.store.reading() as records:
        now = ledger.clock.now()
        held = [found for found in records.leases() if service in (None, found.service)]
        services = [_service(records, found, now) for found in held]
        rollouts = records.rollouts(service, limit)
        newest = records.current(service) if service else None
        hosts = records.hosts(newest.id) if newest else []
        broken_at = records.broken_at()
        answer: dict[str, t.Any] = {
            "changed": False,
            "ledger": ledger.store.path,
            "ledger_id": records.ledger_id(),
            "services": services,
            "holder": services[0]["holder"] if service and services else None,
            "rollouts": [_rollout(rollout) for rollout in rollouts],
            "hosts": [_host(host) for host in hosts],
            "blocks": [block.shown(found) for found in records.blocks(service) if found.is_in_force(now)],
            "flag_release": _flag_release(records, newest),
            "release": _release(records, service),
            "flags": [flags.shown(one) for found in held for one in records.flags(found.service)],
            "host_seconds": _host_seconds(records.host_seconds(service) if service else []),
            "gates": _gates(records, newest),
            "shift": _shift(records, newest),
            "measurements": _measurements(records, newest, limit),
            "events": [_event(event) for event in records.events(service, limit)],
            "chain": {
                "intact": broken_at is None,
                "broken_at": broken_at,
                "events": records.event_count(),
                "anchor": records.anchor(),
                "anchor_matches": _matches(records, params.get("anchor")),
            },
            "left_out": [entry for found in held for entry in _left_out(records, found.service)],
            "bad": [_bad(entry) for found in held for entry in records.bad_versions(found.service).values()],
        }
    answer["text"] = _text(answer, hosts)
    answer["msg"] = answer["text"][0]
    return answer


def _matches(records: Records, anchor: str | None) -> bool | None:
    """Whether the history still has the event that somebody has noted elsewhere."""
    if anchor is None:
        return None
    seq, dummy, digest = anchor.partition(":")
    if not seq.isdigit() or not digest:
        raise InputError(f"anchor: '{anchor:.80}' is not an event's number and hash such as 42:9f86...")
    return records.hash_at(int(seq)) == digest


def _service(records: Records, found: Lease, now: float) -> dict[str, t.Any]:
    rollout = records.current(found.service)
    return {
        "service": found.service,
        "token": found.token,
        "holder": lease.holder(found),
        "is_held": lease.is_held(found, now),
        "rollout": _rollout(rollout) if rollout else None,
    }


def _rollout(rollout: Rollout) -> dict[str, t.Any]:
    return {
        "id": rollout.id,
        "service": rollout.service,
        **versions.target(rollout.version),
        "operation": rollout.operation,
        "what": rollout.what,
        "direction": rollout.direction,
        "status": rollout.shown_status,
        "outcome": rollout.outcome,
        "reason": rollout.reason,
        "message": rollout.message,
        "run": rollout.run,
        "created": lease.moment(rollout.created_at),
        "concluded": None if rollout.concluded_at is None else lease.moment(rollout.concluded_at),
        "limits": json.loads(rollout.limits) if rollout.limits else None,
    }


def _host(host: Host) -> dict[str, t.Any]:
    return {
        "host": host.name,
        "zone": host.zone,
        "member": host.member,
        "phase": host.phase,
        "step": host.step,
        "condition": host.condition,
        "lb_state": host.lb_state,
        "from": host.from_version,
        "to": host.target_version,
        "kind": host.kind,
        "error": host.error,
        "drained_for": host.drained_for,
        "out_for": host.out_for,
    }


def _host_seconds(taken: t.Sequence[float]) -> dict[str, t.Any]:
    return {"hosts": len(taken), "median": window.percentile(taken, 50), "p95": window.percentile(taken, 95)}


def _shift(records: Records, rollout: Rollout | None) -> dict[str, t.Any] | None:
    shift = records.shift(rollout.id) if rollout else None
    if shift is None:
        return None
    return {
        "strategy": shift.strategy,
        "live": shift.live,
        "candidate": shift.candidate,
        "phase": shift.phase,
        "step": shift.step,
        "split": shift.shown_split,
        "moves": shift.judged,
        "text": traffic_messages.status(shift),
    }


def _flag_release(records: Records, rollout: Rollout | None) -> dict[str, t.Any] | None:
    release = records.flag_release(rollout.id) if rollout else None
    if release is None:
        return None
    return {
        "flag": release.flag,
        "place": release.place,
        "steps": [step._asdict() for step in release.all_steps],
        "phase": release.phase,
        "step": release.step,
        "percent": release.shown,
        "text": flag_release.status(release),
    }


def _release(records: Records, service: str | None) -> dict[str, t.Any] | None:
    state = records.release_with(service) if service else None
    if state is None or state[0].outcome == model.SUPERSEDED:
        return None
    release, services = state
    return {
        "id": release.id,
        "direction": release.direction,
        "outcome": release.outcome,
        "reason": release.reason or release.stopped,
        "services": [
            {"name": one.name, "service": one.service, "version": one.version, "needs": one.needed, "state": one.state}
            for one in services
        ],
        "text": tiers.status(state),
    }


def _gates(records: Records, rollout: Rollout | None) -> list[dict[str, t.Any]]:
    return [
        {
            "stage": gate.stage,
            "status": gate.status,
            "verdict": gate.verdict,
            "reason": gate.reason,
            "evidence": json.loads(gate.evidence) if gate.evidence else {},
        }
        for gate in (records.gates(rollout.id).values() if rollout else [])
    ]


def _measurements(records: Records, rollout: Rollout | None, limit: int) -> list[dict[str, t.Any]]:
    return [
        {
            "at": lease.moment(one.at),
            "step": one.step,
            "metric": one.metric,
            "source": one.source,
            "query": one.query,
            "answer": one.answer,
            "outcome": one.outcome,
            "why": one.why,
        }
        for one in (records.newest_measured(rollout.id, limit) if rollout else [])
    ]


def _event(event: t.Any) -> dict[str, t.Any]:
    return {**event._asdict(), "at": lease.moment(event.at), "data": json.loads(event.data)}


def _left_out(records: Records, service: str) -> list[dict[str, t.Any]]:
    return [
        {
            "service": service,
            "host": name,
            "member": left["member"],
            "since": lease.moment(left["at"]),
            "run": left["run"],
            "proven": failure.standing(records.proofs(service, name)),
        }
        for name, left in records.left_out(service).items()
    ]


def _bad(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    return {**entry, "at": lease.moment(entry["at"])}


def _text(answer: dict[str, t.Any], hosts: t.Sequence[Host]) -> list[str]:
    lines = [found["text"] for found in answer["blocks"]]
    lines += [line for found in answer["services"] for line in _service_lines(found)]
    if hosts:
        head = ("host", "zone", "phase", "step", "from", "to", "error")
        lines += tables.table(
            head,
            [(h.name, h.zone, h.phase, h.step, h.from_version, h.target_version, h.error) for h in hosts if h.in_scope],
        )
    lines += [answer["shift"]["text"]] if answer["shift"] else []
    lines += [answer["flag_release"]["text"]] if answer["flag_release"] else []
    lines += [answer["release"]["text"]] if answer["release"] else []
    lines += [flag["text"] for flag in answer["flags"]]
    lines += [f"still drained by this rollout: {left['host']} since {left['since']}" for left in answer["left_out"]]
    chain = answer["chain"]
    if not chain["intact"]:
        lines.append(f"the history is DAMAGED from event {chain['broken_at']} on")
    if chain["anchor_matches"] is False:
        lines.append(
            "the history is NOT the one that the anchor was taken from: it was rewritten, or it is another ledger's"
        )
    return lines or ["no rollout is recorded here"]


def _way(rollout: dict[str, t.Any]) -> str:
    return "" if rollout["direction"] == model.FLAG else f" {rollout['direction']}"


def _service_lines(found: dict[str, t.Any]) -> list[str]:
    rollout, holder = found["rollout"], found["holder"]
    head = f"{found['service']}: " + (
        f"{rollout['what']}{_way(rollout)}, {rollout['status']}" if rollout else "no rollout"
    )
    if rollout and (rollout["message"] or rollout["reason"]):
        head += f" ({rollout['message'] or rollout['reason']})"
    if holder is None:
        return [head, "  held by nobody"]
    owner = holder["owner"]
    return [
        head,
        f"  held by {owner.get('user') or 'somebody'} on {owner.get('controller') or 'an unnamed controller'} since "
        f"{holder['since']}, last heartbeat {holder['heartbeat']}"
        + ("" if found["is_held"] else "; the lease has expired, the next run may take it"),
    ]
