# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The user's settings of a shift: groups, steps, times."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import Amount, Policy, amount
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Step

PERCENTAGE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,18})?")
SETTINGS = ("strategy", "groups", "candidate", "live", "steps", "rollback_window")


@dataclasses.dataclass(frozen=True)
class ShiftRequest:
    """A validated request. *candidate* is empty where the balancers say which group is idle; times are seconds."""

    strategy: str
    groups: dict[str, list[str]]
    candidate: str
    live: str
    """The group that the operator says is live, where the balancers do not show it."""
    steps: tuple[Step, ...]
    rollback_window: float


def validated(given: dict[str, t.Any] | None) -> ShiftRequest | None:
    """None where no shift is wanted; raises InputError with one sentence."""
    if not given:
        return None
    unknown = sorted(set(given) - set(SETTINGS))
    if unknown:
        raise InputError(f"shift: '{unknown[0]}' is not a setting; the settings are {', '.join(SETTINGS)}.")
    strategy = given.get("strategy")
    if strategy not in traffic_model.STRATEGIES:
        raise InputError(f"shift.strategy: '{strategy}' is not one of {', '.join(traffic_model.STRATEGIES)}.")
    groups = _groups(given.get("groups"))
    for name in ("candidate", "live"):
        if given.get(name) and given[name] not in groups:
            raise InputError(f"shift.{name}: '{given[name]}' is not one of the groups {', '.join(groups)}.")
    if strategy == traffic_model.CANARY and not given.get("candidate"):
        raise InputError("shift.candidate: needed for a canary; name the group that gets the new version first.")
    return ShiftRequest(
        strategy=strategy,
        groups=groups,
        candidate=given.get("candidate") or "",
        live=given.get("live") or "",
        steps=parsed_steps(given.get("steps") or [{"share": 100}]),
        rollback_window=durations.seconds("shift.rollback_window", given.get("rollback_window") or 0),
    )


def loosened(policy: Policy) -> Policy:
    """For hosts that have no traffic: no window and no floor but the group that serves, no stages of their own."""
    everything, nothing = amount("max_unavailable", "100%"), amount("min_available", "0")
    stages: tuple[Amount, ...] = (everything,)
    return dataclasses.replace(
        policy,
        max_unavailable=everything,
        min_available=nothing,
        zone_min_available=nothing,
        stages=stages,
        gate=False,
        bake_times=(0.0,),
    )


def parsed_steps(given: t.Any) -> tuple[Step, ...]:
    """Shares of the candidate group that grow to 100, each with the time that it bakes."""
    if not isinstance(given, (list, tuple)) or not given:
        raise InputError(f"steps: {given!r} is not a list such as [{{share: 5, bake: 5m}}, {{share: 100}}].")
    steps = tuple(_step(number, one) for number, one in enumerate(given, start=1))
    for before, after in zip(steps, steps[1:]):
        if after.share <= before.share:
            raise InputError(f"steps: {after.share:g} comes after {before.share:g}; the shares must grow.")
    if steps[-1].share != 100:
        raise InputError(
            f"steps: the last share is {steps[-1].share:g}, not 100; the new version must get all traffic."
        )
    return steps


def _step(number: int, given: t.Any) -> Step:
    if not isinstance(given, dict):
        raise InputError(f"steps: {given!r} is not a step such as {{share: 5, bake: 5m}}.")
    unknown = sorted(set(given) - {"share", "bake"})
    if unknown or "share" not in given:
        what = f"has '{unknown[0]}'" if unknown else "has no share"
        raise InputError(f"steps: step {number} {what}; a step is such as {{share: 5, bake: 5m}}.")
    return Step(
        _share(number, given["share"]), durations.seconds(f"steps: the bake of step {number}", given.get("bake") or 0)
    )


def _share(number: int, given: t.Any) -> float:
    text = str(given).strip().rstrip("%").strip()
    if isinstance(given, bool) or not PERCENTAGE.fullmatch(text) or float(text) > 100:
        raise InputError(
            f"steps: the share of step {number} cannot be {given!r}; a percentage from 0 to 100 is expected."
        )
    return float(text)


def _groups(given: t.Any) -> dict[str, list[str]]:
    groups = {str(name): _hosts(str(name), hosts) for name, hosts in (given if isinstance(given, dict) else {}).items()}
    if len(groups) != 2:
        raise InputError(f"shift.groups: {len(groups)} groups are named; a shift is between two.")
    (one, its), (other, theirs) = groups.items()
    both = sorted(set(its) & set(theirs))
    if both:
        raise InputError(f"shift.groups: {both[0]} is in {one} and in {other}; a host belongs to one of them.")
    return groups


def _hosts(name: str, given: t.Any) -> list[str]:
    hosts = [str(host) for host in given] if isinstance(given, (list, tuple)) else []
    if not hosts:
        raise InputError(f"shift.groups: '{name}' has no hosts; give the names that they have in the inventory.")
    return hosts
