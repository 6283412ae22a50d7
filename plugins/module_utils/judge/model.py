# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the judge is given and what it answers. Times are seconds of one clock, the coordinator's.

Two kinds of measure: of a *share* a sample says how many requests there were (count) and how many were bad (value); of a
*value* it says the measure itself (value: a p95, a mean) and how many requests stand behind it (count, 0 where unknown).
"""

from __future__ import annotations

import dataclasses
import typing as t

CANARY = "canary"
BASELINE = "baseline"

SHARE = "share"
VALUE = "value"
KINDS = (VALUE, SHARE)

INCREASE = "increase"
DECREASE = "decrease"
EITHER = "either"
DIRECTIONS = (INCREASE, DECREASE, EITHER)

PASS = "pass"
FAIL = "fail"
INCONCLUSIVE = "inconclusive"
NO_DATA = "no_data"
NOT_JUDGED = "not_judged"
WAIT = "wait"
VERDICTS = (PASS, FAIL, INCONCLUSIVE, NO_DATA, NOT_JUDGED, WAIT)

IGNORE = "ignore"
NO_DATA_ACTIONS = (NO_DATA, INCONCLUSIVE, FAIL, IGNORE)


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one host saw in one interval, or a whole group where host is empty.

    *at* is when the interval ended: the same figure for all that was measured in one look, by it they are compared.
    """

    at: float
    group: str
    host: str
    count: float
    value: float


@dataclasses.dataclass(frozen=True)
class Unmeasured:
    """A measurement that could not be made, and why."""

    at: float
    reason: str


@dataclasses.dataclass(frozen=True)
class Range:
    """Where a figure is good. A side that is None has no limit; *text* is how the user wrote it."""

    low: float | None
    high: float | None
    low_allowed: bool
    high_allowed: bool
    text: str

    def holds(self, figure: float) -> bool:
        above = self.low is None or figure > self.low or (self.low_allowed and figure == self.low)
        below = self.high is None or figure < self.high or (self.high_allowed and figure == self.high)
        return above and below


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric as the user wants it judged, validated.

    *limit* bounds the canary's figure itself, *baseline* its ratio to the baseline's, *judge* asks for the statistical
    comparison, which lets pass what is worse by up to *tolerance* (a fraction). *minimum* is in requests of the canary
    for a share, in measurements for a value. *delay* is how many seconds of the window's
    start are left out; None: the usual warm-up of a comparison of values, see intervals.py.
    """

    name: str
    source: str
    query: t.Any
    kind: str
    direction: str
    unit: str
    limit: Range | None
    baseline: Range | None
    judge: bool
    tolerance: float
    critical: bool
    weight: float
    group: str
    minimum: int
    delay: t.Optional[float]
    dry_run: bool
    on_no_data: str
    max_errors: int | None
    max_consecutive_errors: int | None
    max_failures: int | None
    max_consecutive_failures: int | None

    @property
    def compares(self) -> bool:
        """Whether a baseline is needed."""
        return self.judge or self.baseline is not None

    @property
    def counts_failures(self) -> bool:
        """Whether the measurements beyond the limit are counted, instead of a figure for the whole window."""
        return self.max_failures is not None or self.max_consecutive_failures is not None


@dataclasses.dataclass(frozen=True)
class Policy:
    """How sure the judge has to be, and what a score means.

    *false_stop* is the chance at most that a release which is no worse is failed, over all looks, all metrics that are
    judged and all *gates* of the rollout. *host_noise* is by what fraction hosts with the same release differ (one standard deviation), believed
    until the hosts themselves show it. *groups* are the weights of groups of metrics in the score; empty: by metrics.
    """

    false_stop: float
    gates: int
    host_noise: float
    pass_score: float
    marginal_score: float
    groups: t.Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Evidence:
    """All that was measured for this step, by metric's name. *hosts* is how many each group has, where known.

    *earlier* is what the gates before this one of the same rollout measured of the same version, *past* what was measured
    of the hosts before the release, whatever group they are in.
    """

    samples: t.Mapping[str, t.Sequence[Sample]]
    unmeasured: t.Mapping[str, t.Sequence[Unmeasured]] = dataclasses.field(default_factory=dict)
    hosts: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    earlier: t.Mapping[str, t.Sequence[Sample]] = dataclasses.field(default_factory=dict)
    past: t.Mapping[str, t.Sequence[Sample]] = dataclasses.field(default_factory=dict)
    histories: t.Dict[str, t.Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)
    """What the judge has worked out of *earlier* and *past*, which are the same at every poll (history.py)."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where in its window the step is: it began at *began*, *elapsed* of *window* seconds are over.

    *final* says that the window is over: only then is there a verdict other than an early fail. *waiting* is for how many
    seconds after it the gate may go on where the result is not clear.
    """

    began: float
    elapsed: float
    window: float
    final: bool
    waiting: float = 0.0


@dataclasses.dataclass(frozen=True)
class MetricResult:
    """What one metric says. *decides* is false for a dry run and for a metric without data that is to be ignored."""

    name: str
    verdict: str
    reason: str
    figures: t.Mapping[str, t.Any]
    critical: bool
    decides: bool
    stops: bool = False
    """Of what is inconclusive: whether more time would not make it clearer."""

    def to_dict(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "verdict": self.verdict,
            "reason": self.reason,
            "figures": dict(self.figures),
            "critical": self.critical,
            "decides": self.decides,
        }


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The answer. *score* is the percentage of the deciding metrics that pass, by weight; None while it waits."""

    verdict: str
    reason: str
    metrics: tuple[MetricResult, ...]
    score: float | None

    @property
    def stops(self) -> bool:
        """Whether waiting would not make an inconclusive result clearer."""
        return any(result.decides and result.stops for result in self.metrics)

    def to_dict(self) -> dict[str, t.Any]:
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "metrics": [result.to_dict() for result in self.metrics],
            "score": self.score,
        }
