# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""From the judge's verdict to what follows from it: the policies for what is not clear. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    NOT_JUDGED,
    PASS,
    WAIT,
    Verdict,
)
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import FAILED
from ansible_collections.steady.rollout.plugins.module_utils.metrics.plan import ASK, GO_ON, KEEP_POLLING, Policies

PAUSED, PROMOTED, ABORTED = "paused", "promoted", "aborted"


@dataclasses.dataclass(frozen=True)
class Standing:
    """How far a gate is. *asked* says that the operator was asked and has resumed."""

    elapsed: float
    window: float
    asked: bool = False
    can_ask: bool = False


@dataclasses.dataclass(frozen=True)
class Decision:
    """What follows: *verdict* with the policies applied, and whether the operator is to be asked."""

    verdict: str
    reason: str
    asks: bool = False


def decided(judged: Verdict, outcomes: t.Mapping[str, str], policies: Policies, standing: Standing) -> Decision:
    """*outcomes* are those of the latest measurement of each metric."""
    if judged.verdict in (PASS, FAIL, WAIT):
        return Decision(judged.verdict, judged.reason)
    if judged.verdict == NOT_JUDGED:
        return not_judged(judged.reason, policies, standing)
    name, policy = _policy(judged, outcomes, policies)
    if policy == GO_ON:
        return Decision(_let_pass(judged), f"{judged.reason} The rollout continues ({name}=go_on).")
    if policy == KEEP_POLLING and not judged.stops and standing.elapsed < standing.window + policies.limit:
        left = standing.window + policies.limit - standing.elapsed
        return Decision(WAIT, f"{judged.reason} Analysis continues for up to {left:.0f} s more ({name}=wait).")
    if policy == ASK and standing.asked:
        return Decision(PASS, f"{judged.reason} The operator resumed the rollout.")
    if policy == ASK and standing.can_ask:
        return Decision(
            WAIT, f"{judged.reason} The rollout is paused ({name}=ask): resume it to continue, or abort it.", asks=True
        )
    return Decision(judged.verdict, judged.reason)


def _let_pass(judged: Verdict) -> str:
    """What is let through although nothing was judged is no pass."""
    is_judged = any(result.decides and result.verdict in (PASS, INCONCLUSIVE) for result in judged.metrics)
    return PASS if is_judged else NOT_JUDGED


def not_judged(reason: str, policies: Policies, standing: Standing) -> Decision:
    """What follows where nothing was judged at all, which is no pass."""
    said = f"Not judged: {reason}"
    if policies.on_not_judged == GO_ON:
        return Decision(NOT_JUDGED, f"{said} The rollout continues (on_not_judged=go_on).")
    if policies.on_not_judged == ASK and standing.asked:
        return Decision(NOT_JUDGED, f"{said} The operator resumed the rollout.")
    if policies.on_not_judged == ASK and standing.can_ask:
        return Decision(
            WAIT, f"{said} The rollout is paused (on_not_judged=ask): resume it to continue, or abort it.", asks=True
        )
    return Decision(NO_DATA, f"{said} The rollout stops (on_not_judged={policies.on_not_judged}).")


def before(standing: Standing) -> Decision:
    """Of what is measured before the release: it is kept for the gates that follow."""
    if standing.elapsed < standing.window:
        return Decision(WAIT, f"{standing.elapsed:.0f} of {standing.window:.0f} s measured before the release.")
    return Decision(NOT_JUDGED, "Measured before the release.")


def steered(steering: str) -> Decision | None:
    """What the operator has decided in the judge's place."""
    if steering == PROMOTED:
        return Decision(NOT_JUDGED, "The operator promoted the rollout.")
    if steering == ABORTED:
        return Decision(INCONCLUSIVE, "The rollout was aborted.")
    return None


def _policy(judged: Verdict, outcomes: t.Mapping[str, str], policies: Policies) -> tuple[str, str]:
    if judged.verdict == INCONCLUSIVE:
        return "on_inconclusive", policies.on_inconclusive
    missing = [result.name for result in judged.metrics if result.decides and result.verdict == NO_DATA]
    if any(outcomes.get(name) == FAILED for name in missing):
        return "on_error", policies.on_error
    return "on_no_data", policies.on_no_data
