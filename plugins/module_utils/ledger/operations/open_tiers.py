# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Taking the leases of all services of a release, and finding out which release the run works on."""

from __future__ import annotations

import dataclasses
import json
import typing as t
import uuid

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tiers as messages
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import open as opening
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.block import refuse_blocked
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.stopped_writer import end_stopped_writer
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import lease, tiers, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Lease
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.tiers import State, Tier, TieredRelease
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, required
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import check_version

Params = t.Dict[str, t.Any]
Answer = t.Dict[str, t.Any]


def open_release(ledger: Ledger, params: Params) -> Answer:
    """Takes all leases or none; resumes an unfinished release, or begins one."""
    required(params, "tiers")
    asked = _asked(params["tiers"])
    services = sorted(tier.service for tier in asked)
    end_stopped_writer(ledger, {**params, "service": services[0]})
    with ledger.writing() as records:
        now = ledger.clock.now()
        run = str(uuid.uuid4())
        _take_leases(records, services, run, params, now, rehearsal=ledger.check_mode)
        state, resumed = _chosen(records, asked, run, params, now)
        for tier in state[1]:
            records.add_event(
                now, tier.service, "release_opened", None, run, None,
                {"owner": params.get("owner") or {}, "release": state[0].id, "resumed": resumed,
                 "direction": state[0].direction, "version": tier.version},
            )  # fmt: skip
        running = {tier.service: _running(records, tier.service) for tier in state[1]}
        return {
            "changed": True,
            "run": "" if ledger.check_mode else run,
            "release": state[0].id,
            "direction": state[0].direction,
            "resumed": resumed,
            "order": [tier.name for tier in state[1]],
            "text": messages.plan(state, running, resumed),
            "msg": f"{'resumed' if resumed else 'opened'} {messages.refused_by(state)}",
        }


def _asked(given: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[Tier, ...]:
    """In the order in which they are released."""
    by_name = {str(one["name"]): one for one in given}
    order = tiers.in_order({name: list(one.get("needs") or []) for name, one in by_name.items()})
    for name in order:
        check_version(by_name[name]["version"])
        if by_name[name].get("revision"):
            versions.check_revision(by_name[name]["revision"])
    return tuple(
        Tier(
            release=0,
            name=name,
            service=by_name[name]["service"],
            version=versions.of_target(by_name[name]) or "",
            position=position,
            fleet=by_name[name]["fleet"],
            needs=json.dumps(list(by_name[name].get("needs") or [])),
        )
        for position, name in enumerate(order, start=1)
    )


def _take_leases(
    records: Records, services: t.Sequence[str], run: str, params: Params, now: float, rehearsal: bool
) -> None:
    """In alphabetical order and in one transaction: of two runs one gets all of them, and the other one none."""
    ttl = durations.positive("lease_ttl", 60.0 if params.get("lease_ttl") is None else params["lease_ttl"])
    held = {service: records.lease(service) or Lease(service) for service in services}
    gone = _proven_gone(held.values(), params)
    for service in services:
        refuse_blocked(records, service, now)
        before = held[service]
        proven = before.run if before.run in gone else None
        if not rehearsal and not lease.may_take(before, now, bool(params.get("take_over")), proven):
            raise lease.refusal(before, opening.what_holds(records, before), now)
        taken = lease.taken(before, run, params.get("owner") or {}, ttl, now)
        records.save_lease(lease.reserved(taken, run))


def _proven_gone(held: t.Iterable[Lease], params: Params) -> set[str | None]:
    """One process held all leases of its release, so the proof for one run counts for every run of that process."""
    held = list(held)
    proven = lease.proven_gone(params)
    owners = {one.owner for one in held if proven is not None and one.run == proven}
    return {one.run for one in held if one.run is not None and one.owner in owners}


def _chosen(records: Records, asked: tuple[Tier, ...], run: str, params: Params, now: float) -> tuple[State, bool]:
    services = [tier.service for tier in asked]
    before = records.latest_release(services)
    if params.get("resume") == opening.REVERT:
        # An unfinished one, even if it has changed nothing yet; otherwise the last one that changed something.
        unfinished = before if before is not None and not tiers.is_over(before[0]) else None
        state = tiers.resumed(_to_revert(unfinished or records.latest_change(services), asked), run, revert=True)
        records.save_release(state)
        return state, True
    if before is not None and not tiers.is_over(before[0]) and _is_the_same(before[1], asked):
        state = tiers.resumed(_as_written_now(before, asked), run, revert=False)
        records.save_release(state)
        return state, True
    _refuse_bad(records, asked, params)
    if tiers.is_drill(asked):
        _refuse_to_replace(records, services)
    _supersede(records, asked, now)
    release = TieredRelease(id=0, services=json.dumps(sorted(services)), run=run, created_at=now)
    return records.add_release((release, asked)), False


def _to_revert(before: State | None, asked: t.Sequence[Tier]) -> State:
    if before is None or before[0].outcome in (tiers.REVERTED, tiers.SUPERSEDED):
        said = (
            f"the last one {'was already rolled back' if before[0].outcome == tiers.REVERTED else 'was replaced'}"
            if before
            else "the ledger has none"
        )
        raise RolloutError(f"there is no release of {messages.named(asked)} to roll back: {said}.")
    return before


def _is_the_same(before: t.Sequence[Tier], asked: t.Sequence[Tier]) -> bool:
    return tiers.is_drill(before) == tiers.is_drill(asked) and tiers.targets(before) == tiers.targets(asked)


def _as_written_now(before: State, asked: t.Sequence[Tier]) -> State:
    """Names, groups and the order may have been corrected since; states are kept."""
    known = {tier.service: tier for tier in before[1]}
    services = [
        dataclasses.replace(
            known[tier.service], name=tier.name, fleet=tier.fleet, needs=tier.needs, position=tier.position
        )
        for tier in asked
    ]
    return before[0], tuple(services)


def _refuse_bad(records: Records, asked: t.Sequence[Tier], params: Params) -> None:
    """Its own rollout refuses it too, but only after the services before it were changed."""
    if params.get("allow_bad"):
        return
    for tier in asked:
        bad = records.bad_versions(tier.service).get(tier.version)
        if bad is not None:
            raise InputError(
                f"{tier.service}: {bad['version']} is marked bad since {lease.moment(bad['at'])} ({bad['why']}). "
                "Release another version, or try this one again with -e rollout_allow_bad=true."
            )


def _refuse_to_replace(records: Records, services: t.Collection[str]) -> None:
    for dummy, known in records.unfinished_releases():
        if {tier.service for tier in known} & set(services) and not tiers.is_drill(known):
            raise RolloutError(
                f"the release of {', '.join(f'{tier.name} {tier.version}' for tier in known)} is not finished, and a drill "
                "would replace it. Finish it or roll it back first. Nothing was touched."
            )


def _supersede(records: Records, asked: t.Sequence[Tier], now: float) -> None:
    services = {tier.service for tier in asked}
    for release, known in records.unfinished_releases():
        if services & {tier.service for tier in known}:
            over = dataclasses.replace(release, outcome=tiers.SUPERSEDED, concluded_at=now)
            records.save_release((over, known))


def _running(records: Records, service: str) -> list[str]:
    return sorted({proof.version for proof in records.last_proofs(service).values() if proof.version})
