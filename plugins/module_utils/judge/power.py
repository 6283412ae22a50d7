# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a gate will see, said before it starts: at this traffic and share, how long until a regression of a given size is found.

The judge's own tests turned round: at each poll the p-value of what is expected of the regression is held to the one that
the poll needs (spending.py); the first poll that it reaches is when half of such regressions have been found, all but
the shift that a statistic's scatter allows (Jennison and Turnbull 2000, 7.2). Assumed: the traffic stays as it is, errors
come one by one, and hosts differ as the policy says.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import hosts, intervals, levels, proportions
from ansible_collections.steady.rollout.plugins.module_utils.judge.comparisons import (
    LEAST_BAD,
    LEAST_INTERVALS,
    OfShares,
    OfValues,
)
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import SHARE, VALUE, Policy
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import normal_tail
from ansible_collections.steady.rollout.plugins.module_utils.judge.spending import Budget, level

TWICE, BY_HALF = 2.0, 1.5
FRESH_ERRORS = 0.01
"""The error share whose appearance is told of where there are no errors so far."""
SHARES = (0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5)
"""What is proposed where the share is too small; a larger one would leave too few to compare with."""
WINDOWS = (300.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0, 3600.0, 5400.0, 7200.0)
"""Seconds that are proposed where the window is too short."""
MOST_POLLS = 400


@dataclasses.dataclass(frozen=True)
class Traffic:
    """What the gate will be given. *rate* in requests per second of the whole pool, *share* the canary's part of them.

    *noise* is the standard deviation of the logarithm of one host's latency in one interval, None where it is not known.
    """

    rate: float
    error_share: float
    share: float
    canary: int
    baseline: int
    noise: t.Optional[float] = None


@dataclasses.dataclass(frozen=True)
class Gate:
    """How it will poll, in seconds. *tests* are how many metrics share its chance of a false stop, *kinds* what is compared."""

    window: float
    interval: float
    tests: int = 2
    kinds: t.Tuple[str, ...] = (SHARE, VALUE)

    def polls(self, delay: float = 0.0) -> t.List[float]:
        """When it polls, in seconds from its start."""
        every = max(self.interval, self.window / MOST_POLLS)
        return [each * every for each in range(1, int(self.window / every + 1e-9) + 1) if each * every > delay]


@dataclasses.dataclass(frozen=True)
class Sight:
    """What the gate sees. Seconds are None where it is not within the window; *is_blind* where it sees nothing at all."""

    errors: t.Optional[float]
    latency: t.Optional[float]
    text: str
    is_blind: bool


def errors_seen(traffic: Traffic, policy: Policy, gate: Gate, times: float = TWICE) -> float | None:
    """After how many seconds errors that became so many times more are found in half of the cases; None: not in the window.

    Where there are no errors so far, it is the appearance of FRESH_ERRORS.
    """
    budget = Budget(policy.false_stop / policy.gates / gate.tests, OfShares.LATE, 0.0)
    polls = gate.polls()
    for number, elapsed in enumerate(polls, start=1):
        if number < LEAST_INTERVALS:
            continue
        needed = level(budget, [each / gate.window for each in polls[:number]])
        if needed and _p_of_errors(traffic, policy, elapsed, times) <= needed:
            return elapsed
    return None


def _p_of_errors(traffic: Traffic, policy: Policy, elapsed: float, times: float) -> float:
    """The judge's p-value of what is expected after so many seconds."""
    canary, baseline = traffic.rate * elapsed * traffic.share, traffic.rate * elapsed * (1 - traffic.share)
    bad = canary * (times * traffic.error_share or FRESH_ERRORS)
    if bad < LEAST_BAD:
        return 1.0
    by_hosts = hosts.variance_of_ratio(policy.host_noise, traffic.canary, traffic.baseline)
    expected = proportions.Split(canary, bad, baseline, baseline * traffic.error_share)
    return proportions.p_value([expected], 1.0, variance=by_hosts)


def latency_seen(traffic: Traffic, policy: Policy, gate: Gate, times: float = BY_HALF) -> float | None:
    """The same for latencies, of hosts whose own past is known; None too where their noise is not known."""
    if traffic.noise is None:
        return None
    delay = min(intervals.WARM_UP, gate.window / intervals.WARM_UP_PART)
    chance = policy.false_stop / policy.gates / gate.tests * OfValues.OF_MEAN
    budget = Budget(chance, OfValues.LATE, 0.0)
    polls = gate.polls(delay)
    by_hosts = hosts.variance_of_ratio(levels.OWN_NOISE, traffic.canary, traffic.baseline)
    by_chance = hosts.variance_of_ratio(traffic.noise, traffic.canary, traffic.baseline)
    for number, elapsed in enumerate(polls, start=1):
        if number < LEAST_INTERVALS:
            continue
        needed = level(budget, [(each - delay) / (gate.window - delay) for each in polls[:number]])
        if needed and normal_tail(math.log(times) / math.sqrt(by_hosts + by_chance / number)) <= needed:
            return elapsed
    return None


def seen(traffic: Traffic, policy: Policy, gate: Gate) -> Sight:
    """What the gate sees, with a sentence for the plan."""
    if not traffic.rate or not 0 < traffic.share < 1 or not traffic.canary or not traffic.baseline:
        return Sight(
            None, None, "Nothing can be judged: the gate has no traffic of both versions to compare.", is_blind=True
        )
    errors = errors_seen(traffic, policy, gate) if SHARE in gate.kinds else None
    latency = latency_seen(traffic, policy, gate) if VALUE in gate.kinds else None
    said = [*_of_errors(traffic, policy, gate, errors), *_of_latency(traffic, gate, latency)]
    at = f"At {rounded_rate(traffic.rate)} requests/s and a share of {100 * traffic.share:.3g} %"
    is_blind = bool(said) and errors is None and latency is None
    return Sight(
        errors, latency, f"{at}, {'; '.join(said) or 'latencies are judged, how soon is not known'}.", is_blind
    )


def _of_errors(traffic: Traffic, policy: Policy, gate: Gate, after: float | None) -> list[str]:
    if SHARE not in gate.kinds:
        return []
    what = "twice the errors" if traffic.error_share else f"{100 * FRESH_ERRORS:g} % of errors"
    if after is not None:
        return [f"{what} are detected in about {duration(after)}"]
    return [f"{what} are not detected within {duration(gate.window)}{_remedy(traffic, policy, gate)}"]


def _of_latency(traffic: Traffic, gate: Gate, after: float | None) -> list[str]:
    if after is not None:
        return [f"latency up by half in about {duration(after)}"]
    if VALUE not in gate.kinds or traffic.noise is None:
        return []
    return [f"latency up by half is not detected within {duration(gate.window)}"]


def _remedy(traffic: Traffic, policy: Policy, gate: Gate) -> str:
    """The smallest larger share and the shortest longer window that would do."""
    shares = [
        each
        for each in SHARES
        if each > traffic.share and errors_seen(dataclasses.replace(traffic, share=each), policy, gate) is not None
    ]
    windows = [
        each
        for each in WINDOWS
        if each > gate.window and errors_seen(traffic, policy, dataclasses.replace(gate, window=each)) is not None
    ]
    proposed = [f"{100 * each:g} %" for each in shares[:1]] + [duration(each) for each in windows[:1]]
    if not proposed:
        return ": there is too little traffic for a comparison; give a limit, or let people judge"
    return f": give {' or '.join(proposed)}"


def rounded_rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def duration(seconds: float) -> str:
    """As people say it."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
