# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a release of several services says: its plan, the turns, and the end."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tables
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import tiers
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.tiers import State, Tier
from ansible_collections.steady.rollout.plugins.module_utils.plurals import all_of, are, counted

WORDS = {
    tiers.PENDING: "not started",
    tiers.GOING: "not finished",
    tiers.DONE: "released",
    tiers.SKIPPED: "skipped",
    tiers.REVERTED: "rolled back",
}
RESUME = "Fix the cause and run the same command again to resume"


def named(services: t.Iterable[Tier]) -> str:
    return ", ".join(tier.name for tier in services)


def plan(state: State, running: t.Mapping[str, t.Sequence[str]], resumed: bool) -> list[str]:
    """*running* are the versions of each service that are in the ledger."""
    release, services = state
    if release.goes_forward:
        head = f"{'resumed: ' if resumed else ''}release of {counted(len(services), 'service')}, in this order"
    else:
        head = f"rolling back the release of {named(services)}, in reverse order ({release.reason})"
    rows = [
        (tier.name, ", ".join(running.get(tier.service) or []), tier.version, ", ".join(tier.needed), WORDS[tier.state])
        for tier in services
    ]
    return [head, *tables.table(("service", "version", "release", "needs", "state"), rows)]


def turn(state: State, tier: Tier) -> str:
    release, services = state
    if release.goes_forward:
        return f"{tier.name}: {tier.version}, service {tier.position} of {len(services)}"
    return f"{tier.name}: rolling back from {tier.version}"


def ending(state: State, outcome: str) -> str:
    release, services = state
    if outcome == tiers.DONE:
        skipped = sum(1 for tier in services if tier.state == tiers.SKIPPED)
        already = f" ({skipped} skipped)" if skipped else ""
        there = ", ".join(f"{tier.name} {tier.version}" for tier in services)
        return f"{all_of(len(services), 'service')} released{already}: {there}."
    if outcome == tiers.REVERTED:
        return f"The release of {named(services)} was rolled back: {_sentence(release.reason)} {_back(services)}"
    what = "is not complete" if release.goes_forward else "could not be rolled back completely"
    revert = ", or roll back with -e rollout_resume=revert" if release.goes_forward else ""
    states = "; ".join(f"{tier.name} {WORDS[tier.state]}" for tier in services)
    why = _sentence(release.stopped or "the run was interrupted")
    return f"The release of {named(services)} {what}: {why} State: {states}. {RESUME}{revert}."


def _back(services: t.Sequence[Tier]) -> str:
    back = [tier for tier in reversed(services) if tier.state == tiers.REVERTED]
    if not back:
        return "No service was changed."
    return f"{counted(len(back), 'service')} {are(len(back))} back on the previous version: {named(back)}."


def _sentence(text: str) -> str:
    return f"{text.rstrip('. ')}."


def status(state: State) -> str:
    release, services = state
    way = "release" if release.goes_forward else "rollback of the release"
    states = ", ".join(f"{tier.name} {tier.version} {WORDS[tier.state]}" for tier in services)
    over = release.outcome or ("under way" if release.concluded_at is None else "not finished")
    return f"{way} of several services ({over}): {states}"


def refused_by(state: State) -> str:
    """What is running, for a refusal."""
    release, services = state
    return f"{'a release' if release.goes_forward else 'the rollback of a release'} of {named(services)}"
