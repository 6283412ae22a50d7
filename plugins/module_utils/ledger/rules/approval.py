# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether enough others have approved this very plan."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import moment

NOT_APPROVED = "not_approved"
"""The kind of a refusal because approvals are missing."""
SHOWN = 12
"""Digits of a plan's hash that messages show, and that suffice to name it."""


@dataclasses.dataclass(frozen=True)
class Request:
    """A plan that somebody wanted to run. Times are seconds of the ledger's clock."""

    service: str
    plan: str
    requester: str
    required: int
    approvers: str
    """Who may approve it, as a JSON list; anybody where it is empty."""
    valid_for: float
    at: float
    summary: str
    """The lines that say what the plan does, as a JSON list."""


@dataclasses.dataclass(frozen=True)
class Approval:
    """*event* is the number of the event that recorded it; *used_by* the rollout that was started with it."""

    service: str
    plan: str
    user: str
    by: str
    at: float
    until: float
    event: int
    used_by: int | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """The run's settings for approvals. *content* is what the plan's hash covers besides the plan itself."""

    required: int
    approvers: tuple[str, ...]
    valid_for: float
    content: dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Count:
    """*valid* are the users whose approval counts; *others* say why theirs does not."""

    required: int
    valid: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def suffices(self) -> bool:
        return len(self.valid) >= self.required


def validated(given: t.Any) -> Settings | None:
    """None where no approval is needed."""
    given = given if isinstance(given, dict) else {}
    required = given.get("required") or 0
    if isinstance(required, bool) or not isinstance(required, int) or not 0 <= required <= 100:
        raise InputError(f"approvals.required: {required!r:.40} is out of range; expected from 0 to 100.")
    if not required:
        return None
    approvers = tuple(sorted({str(name) for name in given.get("approvers") or []}))
    if approvers and len(approvers) < required:
        raise InputError(
            f"approvals.required: {required} approvals are needed and only {len(approvers)} users may give one "
            f"({', '.join(approvers)}); name more in approvers."
        )
    valid_for = durations.positive("approvals.valid_for", given.get("valid_for") or "8h")
    return Settings(required, approvers, valid_for, dict(given.get("content") or {}))


def count(
    settings: Settings,
    approvals: t.Iterable[Approval],
    requesters: t.Container[str],
    recorded: t.Container[Approval],
    rollout: int,
    now: float,
) -> Count:
    """*recorded* are those that the intact history has; *rollout* is the one to start or to go on with."""
    valid: list[str] = []
    others: list[str] = []
    for approval in approvals:
        why = _why_not(settings, approval, requesters, recorded, rollout, now)
        if why:
            others.append(f"{approval.user} ({why})")
        else:
            valid.append(approval.user)
    return Count(settings.required, tuple(valid), tuple(others))


def _why_not(
    settings: Settings,
    approval: Approval,
    requesters: t.Container[str],
    recorded: t.Container[Approval],
    rollout: int,
    now: float,
) -> str:
    is_ours = approval.used_by == rollout
    refusals = [
        (approval not in recorded, "not in the history"),
        (approval.user in requesters, "asked for it"),
        (bool(settings.approvers) and approval.user not in settings.approvers, "may not approve it"),
        (approval.used_by is not None and not is_ours, f"used by rollout {approval.used_by}"),
        # A rollout that was started with an approval may be resumed with it, in the next window for instance.
        (now >= approval.until and not is_ours, f"expired at {moment(approval.until)}"),
    ]
    return next((why for applies, why in refusals if applies), "")


def refusal(service: str, version: str, plan: str, counted: Count, changed: bool) -> RolloutError:
    given = f" ({', '.join(counted.valid)})" if counted.valid else ""
    others = f" Not counted: {', '.join(counted.others)}." if counted.others else ""
    other_plan = " Approvals of another plan do not count: this one is not what was approved." if changed else ""
    return RolloutError(
        f"{service}: {counted.required} approvals of plan {plan[:SHOWN]} ({version}) are needed, {len(counted.valid)} given"
        f"{given}.{others}{other_plan} Others approve it with approve.yml -e rollout_plan={plan[:SHOWN]}; then run the same "
        "command again.",
        kind=NOT_APPROVED,
        plan=plan,
    )


def refuse_giving(request: Request, user: str) -> None:
    """Raises RolloutError where this user's approval would not count."""
    approvers = json.loads(request.approvers)
    if not user:
        raise RolloutError(f"{request.service}: nobody is named who approves.", kind=NOT_APPROVED)
    if user == json.loads(request.requester).get("user"):
        raise RolloutError(
            f"{request.service}: {user} asked for plan {request.plan[:SHOWN]} and cannot approve it; somebody else has to.",
            kind=NOT_APPROVED,
        )
    if approvers and user not in approvers:
        raise RolloutError(
            f"{request.service}: {user} may not approve plan {request.plan[:SHOWN]}; {', '.join(approvers)} may.",
            kind=NOT_APPROVED,
        )
