# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A block: nothing is released until somebody who may lift it does, or its time is over."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import moment

ALL = "*"
"""In place of a service: every service of the ledger."""
BLOCKED = "blocked"
"""The kind of a refusal, and of the reason for which no further host starts."""


@dataclasses.dataclass(frozen=True)
class Block:
    """*by* is who set it, as JSON; *lifters* who may lift it besides, as a JSON list. Times are seconds of the ledger's clock."""

    service: str
    reason: str
    by: str
    lifters: str
    since: float
    until: float | None = None

    def is_in_force(self, now: float) -> bool:
        return self.until is None or now < self.until

    @property
    def set_by(self) -> str:
        return person(json.loads(self.by))

    def may_lift(self, owner: t.Mapping[str, t.Any]) -> bool:
        name = str(owner.get("user") or "")
        return bool(name) and name in (json.loads(self.by).get("user"), *json.loads(self.lifters))

    @property
    def allowed(self) -> str:
        return ", ".join(dict.fromkeys([str(json.loads(self.by).get("user") or "nobody"), *json.loads(self.lifters)]))

    @property
    def text(self) -> str:
        """Without a full stop."""
        what = "all services are" if self.service == ALL else f"{self.service} is"
        until = f"until {moment(self.until)}" if self.until is not None else "until it is lifted"
        return f"{what} blocked by {self.set_by} since {moment(self.since)} {until}: {self.reason}"


def in_force(blocks: t.Iterable[Block], now: float) -> Block | None:
    """Of those on a service the one that lasts longest."""
    found = [block for block in blocks if block.is_in_force(now)]
    return max(found, key=lambda block: (block.until is None, block.until or 0.0), default=None)


def refusal(block: Block) -> RolloutError:
    end = "lift it" if block.until is None else "lift it before that"
    return RolloutError(
        f"{block.text}. Nothing was started. {block.allowed} may {end} with unblock.yml.",
        kind=BLOCKED,
        block=shown(block),
    )


def refuse_lifting(block: Block, owner: t.Mapping[str, t.Any]) -> None:
    if not block.may_lift(owner):
        raise RolloutError(
            f"{block.text}. {person(owner)} may not change that; {block.allowed} may.", kind=BLOCKED, block=shown(block)
        )


def shown(block: Block) -> dict[str, t.Any]:
    """As results show it."""
    return {
        "service": block.service,
        "reason": block.reason,
        "by": json.loads(block.by),
        "lifters": json.loads(block.lifters),
        "since": moment(block.since),
        "until": None if block.until is None else moment(block.until),
        "text": block.text,
    }


def person(owner: t.Mapping[str, t.Any]) -> str:
    """Who it is and who says so."""
    name = str(owner.get("user") or "somebody")
    return f"{name} (given by {owner['given_by']})" if owner.get("given_by") else name
