# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Setting and lifting a block; no lease is needed, and a rollout under way starts no further host."""

from __future__ import annotations

import datetime as dt
import json
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import block
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.block import Block
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import moment
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, required
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

LONGEST_REASON = 300


def refuse_blocked(records: Records, service: str, now: float) -> None:
    found = block.in_force(records.blocks(service), now)
    if found is not None:
        raise block.refusal(found)


def set_block(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Blocks the service, or all of them; one that is in force is changed only by who may lift it."""
    required(params, "service", "reason")
    owner = params.get("owner") or {}
    with ledger.writing() as records:
        now = ledger.clock.now()
        before = _in_force(records, params["service"], now)
        wanted = Block(
            service=params["service"],
            reason=_reason(params["reason"]),
            by=json.dumps(owner, sort_keys=True),
            lifters=json.dumps(sorted({str(name) for name in params.get("lifters") or []})),
            since=now,
            until=_until(params.get("until"), now),
        )
        if before is not None:
            block.refuse_lifting(before, owner)
        records.save_block(wanted)
        records.add_event(now, wanted.service, "blocked", data={**block.shown(wanted), "by": owner})
        return _answer(before, wanted, wanted.text)


def lift_block(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    required(params, "service")
    owner = params.get("owner") or {}
    with ledger.writing() as records:
        now = ledger.clock.now()
        before = _in_force(records, params["service"], now)
        if before is None:
            return _answer(None, None, f"{params['service']}: no block is in force", *_others(records, params, now))
        block.refuse_lifting(before, owner)
        records.remove_block(before.service)
        records.add_event(now, before.service, "unblocked", data={"by": owner, "reason": before.reason})
        said = f"{params['service']}: the block ({before.reason}) is lifted"
        return _answer(before, None, said, *_others(records, params, now))


def _in_force(records: Records, service: str, now: float) -> Block | None:
    found = records.block(service)
    return found if found is not None and found.is_in_force(now) else None


def _others(records: Records, params: dict[str, t.Any], now: float) -> t.Iterator[str]:
    """What still forbids it: lifting the block of a service does not lift that of all."""
    left = block.in_force(records.blocks(params["service"]), now)
    if left is not None:
        yield f"; still, {left.text}"


def _answer(before: Block | None, after: Block | None, said: str, *more: str) -> dict[str, t.Any]:
    return {
        "changed": before is not None or after is not None,
        "block": block.shown(after) if after else None,
        "msg": said + "".join(more),
        "diff": {"before": {"block": before.text if before else ""}, "after": {"block": after.text if after else ""}},
    }


def _reason(given: t.Any) -> str:
    reason = re.sub(r"\s+", " ", str(given or "")).strip().rstrip(".")
    if not reason or len(reason) > LONGEST_REASON:
        raise InputError(
            f"reason: expected a sentence of at most {LONGEST_REASON} characters that says why, found {len(reason)} characters."
        )
    return reason


def _until(given: t.Any, now: float) -> float | None:
    """A time such as '2026-11-24 06:00' (UTC unless it has an offset), or how long from now, such as 2h."""
    text = str(given or "").strip()
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return now + durations.positive("until", text)
    until = (found if found.tzinfo else found.replace(tzinfo=dt.timezone.utc)).timestamp()
    if not now < until <= now + durations.LONGEST:
        raise InputError(
            f"until: {moment(until)} is {'over' if until <= now else 'more than a year away'}; expected a time within the next year."
        )
    return until
