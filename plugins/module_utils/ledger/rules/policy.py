# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the user allows, and what that means in hosts for a fleet of a given size."""

from __future__ import annotations

import dataclasses
import fractions
import math
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.window import Window
from ansible_collections.steady.rollout.plugins.module_utils.plurals import counted

AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(%?)")
VERDICT_ACTIONS = ("stop", "pass", "fail")
FAILURE_ACTIONS = ("revert", "hold")


@dataclasses.dataclass(frozen=True)
class Amount:
    """A count, or a share of a fleet in percent."""

    number: fractions.Fraction
    is_share: bool
    text: str

    def rounded_down(self, fleet: int) -> int:
        return math.floor(self.number * fleet / 100) if self.is_share else int(self.number)

    def rounded_up(self, fleet: int) -> int:
        return math.ceil(self.number * fleet / 100) if self.is_share else int(self.number)

    def explained(self, fleet: int, result: int) -> str:
        return f"{self.text} of {fleet} = {result}" if self.is_share else self.text


@dataclasses.dataclass(frozen=True)
class Policy:
    """A validated policy. Times are seconds."""

    max_unavailable: Amount
    min_available: Amount
    zone_min_available: Amount
    max_failures: Amount
    stages: tuple[Amount, ...]
    min_healthy_time: float
    healthy_deadline: float
    progress_deadline: float
    bake_times: tuple[float, ...]
    """One for each stage."""
    on_failure: str
    gate: bool
    gate_limit: float
    gate_inconclusive: str
    gate_no_data: str
    after_proof: tuple[int, int]
    """A proven host has failed after so many bad ones of so many observations."""
    all_at_once: bool = False
    """All hosts are stopped together, behind a maintenance page."""


DEFAULTS: dict[str, t.Any] = {
    "max_unavailable": "25%",
    "min_available": "50%",
    "zone_min_available": "1",
    "max_failures": "0",
    "stages": ["100%"],
    "min_healthy_time": 10.0,
    "healthy_deadline": 300.0,
    "progress_deadline": 600.0,
    "bake_time": 0.0,
    "on_failure": "revert",
    "gate": False,
    "gate_limit": 300.0,
    "gate_inconclusive": "stop",
    "gate_no_data": "stop",
    "after_proof": {"failures": 3, "of": 5},
    "all_at_once": False,
}


def of_one_host(policy: Policy) -> Policy:
    """One host at a time, and everything is rolled back once it fails."""
    one, none, everything = amount("max_unavailable", "1"), amount("max_failures", "0"), amount("stages", "100%")
    return dataclasses.replace(
        policy,
        max_unavailable=one,
        max_failures=none,
        stages=(everything,),
        bake_times=(0.0,),
        on_failure="revert",
        gate=False,
    )


@dataclasses.dataclass(frozen=True)
class Limits:
    """A policy in hosts, for one fleet. *stages* are the places up to and including each stage, which bakes as long."""

    fleet: int
    max_unavailable: int
    min_available: int
    zone_floors: dict[str, int]
    max_failures: int
    stages: tuple[int, ...]
    progress_deadline: float
    bake_times: tuple[float, ...]
    on_failure: str
    gate: bool
    gate_limit: float
    gate_inconclusive: str
    gate_no_data: str
    after_proof_failures: int = 3
    after_proof_of: int = 5
    window: Window | None = None
    """The maintenance window of the run at work; None where no host has to fit into one."""

    def bake_of(self, stage: int) -> float:
        """Seconds that the stage, counted from 1, bakes."""
        return self.bake_times[stage - 1]

    def stage_of(self, slot: int) -> int:
        """The stage, counted from 1, that the place with this number belongs to."""
        for number, last_slot in enumerate(self.stages, start=1):
            if slot <= last_slot:
                return number
        return len(self.stages)

    def to_dict(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, t.Any]) -> Limits:
        window = Window(**stored["window"]) if stored.get("window") else None
        stages, bakes = tuple(stored["stages"]), tuple(stored["bake_times"])
        return cls(**{**stored, "stages": stages, "bake_times": bakes, "window": window})


def validated(given: dict[str, t.Any] | None) -> Policy:
    """Turns the user's words into a Policy; raises InputError with one sentence."""
    options = {**DEFAULTS, **{name: value for name, value in (given or {}).items() if value is not None}}
    unknown = sorted(set(options) - set(DEFAULTS))
    if unknown:
        raise InputError(f"policy: '{unknown[0]}' is not a setting; the settings are {', '.join(DEFAULTS)}.")
    stages = _stages(options["stages"])
    policy = Policy(
        max_unavailable=_positive("rollout_max_unavailable", options["max_unavailable"]),
        min_available=amount("rollout_min_available", options["min_available"]),
        zone_min_available=amount("rollout_zone_min_available", options["zone_min_available"]),
        max_failures=amount("rollout_max_failures", options["max_failures"]),
        stages=stages,
        min_healthy_time=durations.seconds("rollout_min_healthy_time", options["min_healthy_time"]),
        healthy_deadline=durations.seconds("rollout_healthy_deadline", options["healthy_deadline"]),
        progress_deadline=durations.seconds("rollout_progress_deadline", options["progress_deadline"]),
        bake_times=_bakes(options["bake_time"], len(stages)),
        on_failure=_choice("rollout_on_failure", options["on_failure"], FAILURE_ACTIONS),
        gate=bool(options["gate"]),
        gate_limit=durations.seconds("rollout_gate_timeout", options["gate_limit"]),
        gate_inconclusive=_choice("gate_inconclusive", options["gate_inconclusive"], VERDICT_ACTIONS),
        gate_no_data=_choice("gate_no_data", options["gate_no_data"], VERDICT_ACTIONS),
        after_proof=_after_proof(options["after_proof"]),
        all_at_once=bool(options["all_at_once"]),
    )
    _refuse_deadlines_out_of_order(policy)
    return policy


def amount(name: str, raw: t.Any) -> Amount:
    """A count or a percentage; *name* is the setting that messages speak of."""
    text = str(raw).strip()
    match = None if isinstance(raw, bool) else AMOUNT.fullmatch(text)
    if match is None:
        raise InputError(f"{name}: '{text}' is neither a count such as 2 nor a share such as 25%.")
    number, is_share = fractions.Fraction(match.group(1)), bool(match.group(2))
    if is_share and number > 100:
        raise InputError(f"{name}: {text} is more than 100%; give a count such as 2 or a share of at most 100%.")
    if not is_share and number.denominator != 1:
        raise InputError(f"{name}: {text} hosts is not a whole number; give a count such as 2 or a share such as 25%.")
    return Amount(number, is_share, text)


def resolved(policy: Policy, fleet: int, in_scope: int, zones: dict[str, int]) -> Limits:
    """The policy in hosts: *fleet* members in all, *in_scope* to be on the version, *zones* their sizes."""
    window = policy.max_unavailable.rounded_down(fleet)
    stages = stages_in_hosts(policy.stages, policy.bake_times, in_scope)
    return Limits(
        fleet=fleet,
        max_unavailable=min(max(window, 1), max(fleet, 1)),
        min_available=policy.min_available.rounded_up(fleet),
        zone_floors=zone_floors(policy.zone_min_available, zones),
        max_failures=policy.max_failures.rounded_down(in_scope),
        stages=tuple(slot for slot, dummy in stages),
        progress_deadline=policy.progress_deadline,
        bake_times=tuple(bake for dummy, bake in stages),
        on_failure=policy.on_failure,
        gate=policy.gate,
        gate_limit=policy.gate_limit,
        gate_inconclusive=policy.gate_inconclusive,
        gate_no_data=policy.gate_no_data,
        after_proof_failures=policy.after_proof[0],
        after_proof_of=policy.after_proof[1],
    )


def zone_floors(floor: Amount, zones: dict[str, int]) -> dict[str, int]:
    """Hosts that must stay in service in each named zone; a zone of one host cannot keep any."""
    return {zone: 0 if size == 1 else floor.rounded_up(size) for zone, size in zones.items() if zone}


def stages_in_hosts(
    stages: t.Sequence[Amount], bakes: t.Sequence[float], in_scope: int
) -> tuple[tuple[int, float], ...]:
    """The places up to each stage, and its bake. Stages that rounding makes equal fall together and bake for the longest.

    The last stage takes all hosts.
    """
    found: list[tuple[int, float]] = []
    for stage, bake in zip(stages, bakes):
        slot = min(max(stage.rounded_up(in_scope), 1), in_scope)
        if slot > (found[-1][0] if found else 0):
            found.append((slot, bake))
        elif found:
            found[-1] = (found[-1][0], max(found[-1][1], bake))
    if not found or found[-1][0] < in_scope:
        found.append((in_scope, bakes[-1]))
    return tuple(found)


def _stages(raw: t.Any) -> tuple[Amount, ...]:
    if not isinstance(raw, (list, tuple)) or not raw:
        raise InputError(f"rollout_stages: {raw!r} is not a list such as [1, 10%, 50%, 100%].")
    stages = tuple(_positive("rollout_stages", value) for value in raw)
    for before, after in zip(stages, stages[1:]):
        if before.is_share == after.is_share and after.number <= before.number:
            raise InputError(
                f"rollout_stages: {after.text} comes after {before.text}; each stage says how many hosts are on the version "
                "when it ends, so the numbers must grow."
            )
    return stages


def _bakes(raw: t.Any, stages: int) -> tuple[float, ...]:
    """One time for all stages, or one for each."""
    if not isinstance(raw, (list, tuple)):
        return (durations.seconds("rollout_bake_time", raw),) * stages
    if len(raw) != stages:
        raise InputError(
            f"rollout_bake_time: {counted(len(raw), 'time')} for {counted(stages, 'stage')}; give one for each stage, or one for all."
        )
    return tuple(durations.seconds("rollout_bake_time", one) for one in raw)


def _positive(name: str, raw: t.Any) -> Amount:
    value = amount(name, raw)
    if value.number == 0:
        raise InputError(f"{name}: {value.text} lets no host be updated; give at least 1.")
    return value


def _after_proof(raw: t.Any) -> tuple[int, int]:
    given = raw if isinstance(raw, dict) else {}
    unknown = sorted(set(given) - {"failures", "of"})
    counts = {**DEFAULTS["after_proof"], **{name: value for name, value in given.items() if value is not None}}
    numbers = [amount(f"after_proof.{name}", counts[name]) for name in ("failures", "of")]
    failures, of = (int(one.number) for one in numbers)
    if unknown or not isinstance(raw, dict) or any(one.is_share for one in numbers) or not 0 < failures <= of <= 100:
        raise InputError(
            f"after_proof: {raw!r:.80} is not such as {{failures: 3, of: 5}}; expected how many of how many observations "
            "may be bad before a proven host has failed, at most 100."
        )
    return failures, of


def _choice(name: str, raw: t.Any, choices: t.Sequence[str]) -> str:
    if raw not in choices:
        raise InputError(f"{name}: '{raw}' is not one of {', '.join(choices)}.")
    return str(raw)


def _refuse_deadlines_out_of_order(policy: Policy) -> None:
    if not policy.min_healthy_time < policy.healthy_deadline < policy.progress_deadline:
        raise InputError(
            f"rollout_min_healthy_time {policy.min_healthy_time:g} s, rollout_healthy_deadline {policy.healthy_deadline:g} s and "
            f"rollout_progress_deadline {policy.progress_deadline:g} s are out of order: each must be shorter than the next."
        )
