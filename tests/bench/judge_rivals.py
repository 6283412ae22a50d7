# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do with the same streams, and what no test could do better.

- *Kayenta*: its judge with the published defaults (spinnaker.io/docs/guides/user/canary/judge; NetflixACAJudge: confidence
  0.98, tolerance 0.25), each metric a series of the group; asked once when the window is over, as it is meant to be.
- *Fixed threshold*: error share above 1.5 times and p95 above 1.25 times what was usual before the split, two minutes in a row.
- *Ratio*: the canary's figure above 1.5 times the baseline's over the window so far, at a look every minute.
- *mSPRT*: the mixture sequential probability ratio test (Robbins 1970; Johari et al. 2017) of the difference of the groups'
  intervals, normal, mixing variance as large as that of a tenth of the baseline's figure, at the same chance as ours (1 %).
- *Bound*: the most powerful test of a sample of fixed size. For errors and orders it is the conditional test of the canary's
  number of them (Lehmann and Romano 2005, 4.5), for latency the hosts' logarithms over their own past, each cut at two
  deviations (minimax for such tails, Huber 1965) and weighted by generalised least squares for the shape of the change and the
  requests of each interval. The critical value is taken from good streams of the same fleet, so that as many of them are stopped as the policy lets our
  judge stop (with half of that where two metrics share it, and once more with 1 %): it knows what no judge knows beforehand.
"""

from __future__ import annotations

import math
import typing as t

import numpy as np
from judge_streams import ERROR_SHARE, INTERVAL, Fleet, Scenario, Stream

MINUTE = 6
CONFIDENCE_Z = 2.3263
TOLERANCE = 0.25
RATIO = 1.5
CHANCE = 0.01
OF_A_GATE = 0.0075
"""What the default policy spends on one of four gates."""
CUT = 2.0
OWN, OF_INTERVAL, OF_REQUESTS = 0.03, 0.13, 0.8
"""By how much hosts wander, the deviation of one interval's difference at 100 requests/s, and what part of its variance is that
of a quantile of so few requests."""
BOUND = "bound: most powerful fixed sample"

Stop = t.Optional[float]
GOOD = {
    "errors x 2": "good, errors only",
    "latency x 1.25": "good",
    "latency x 1.5, unlike hosts": "good, unlike hosts",
    "leak, + 100 % in 20 minutes": "good, p95 only, 6 minutes",
    "orders - 20 %": "orders, good",
    "orders by visits - 20 %": "orders by visits, good",
    "orders as a share - 20 %": "orders as a share, good",
}
"""Which good streams a bad scenario's bound takes its critical value from."""
STATISTIC = {"errors": "errors", "latency": "p95", "leak": "leak", "orders": "orders"}


def all_of(scenario: Scenario, fleet: Fleet, seen: Stream) -> dict[str, Stop]:
    looks = round(scenario.window / INTERVAL)
    series = [_series(name, fleet, seen, looks) for name in scenario.metrics]
    usual = [_usual(name, fleet, seen) for name in scenario.metrics]
    falls = [name.startswith("order") for name in scenario.metrics]
    pairs = [(1 / c, 1 / b) if fall else (c, b) for (c, b), fall in zip(map(_filled, series), falls)]
    return {
        "Kayenta, at the end": scenario.window if any(_is_high(c, b) for c, b in pairs) else None,
        "fixed threshold": _first(
            _threshold(c, level, name) for (c, b), level, name in zip(pairs, usual, scenario.metrics)
        ),
        "ratio": _first(_ratio(c, b) for c, b in pairs),
        "mSPRT": _first(_msprt(c, b, CHANCE / len(pairs)) for c, b in pairs),
    }


def _first(stops: t.Iterable[Stop]) -> Stop:
    return min((each for each in stops if each is not None), default=None)


def _series(metric: str, fleet: Fleet, seen: Stream, looks: int) -> tuple[t.Any, t.Any]:
    return tuple(_of_group(metric, seen, hosts, looks) for hosts in (slice(0, fleet.canary), slice(fleet.canary, None)))


def _of_group(metric: str, seen: Stream, hosts: slice, looks: int) -> t.Any:
    requests = seen.requests[:looks, hosts]
    if metric == "p95":
        weights = np.where(np.isnan(seen.p95[:looks, hosts]), 0, requests)
        return (np.nan_to_num(seen.p95[:looks, hosts]) * weights).sum(1) / np.maximum(1, weights.sum(1))
    counted = seen.bad if metric == "errors" else seen.orders
    return counted[:looks, hosts].sum(1) / np.maximum(1, requests.sum(1))


def _filled(pair: tuple[t.Any, t.Any]) -> tuple[t.Any, t.Any]:
    return np.maximum(pair[0], 1e-9), np.maximum(pair[1], 1e-9)


def _usual(metric: str, fleet: Fleet, seen: Stream) -> float:
    past = _of_group(metric, seen.past, slice(None), len(seen.past.requests))
    level = float(past.mean())
    return max(level, ERROR_SHARE) if metric == "errors" else level


def _is_high(canary: t.Any, baseline: t.Any) -> bool:
    """By the confidence interval of the shift (Hollander and Wolfe 1999, 4.3)."""
    shifts = np.sort((canary[:, None] - baseline[None, :]).ravel())
    size, other = len(canary), len(baseline)
    rank = math.floor(size * other / 2 - 0.5 - CONFIDENCE_Z * math.sqrt(size * other * (size + other + 1) / 12))
    return bool(shifts[max(0, rank)] > TOLERANCE * abs(np.median(shifts)))


def _threshold(canary: t.Any, usual: float, metric: str) -> Stop:
    limit = 1 / (0.8 * usual) if metric.startswith("order") else usual * (1.5 if metric == "errors" else 1.25)
    row = 0
    for end in range(MINUTE, len(canary) + 1, MINUTE):
        row = row + 1 if canary[end - MINUTE : end].mean() > limit else 0
        if row == 2:
            return end * INTERVAL
    return None


def _ratio(canary: t.Any, baseline: t.Any) -> Stop:
    for end in range(MINUTE, len(canary) + 1, MINUTE):
        if canary[:end].mean() > RATIO * baseline[:end].mean():
            return end * INTERVAL
    return None


def _msprt(canary: t.Any, baseline: t.Any, chance: float) -> Stop:
    differences = canary - baseline
    mixing = (0.1 * baseline.mean()) ** 2
    for end in range(3, len(canary) + 1):
        variance = differences[:end].var(ddof=1) or 1e-18
        total = variance + end * mixing
        middle = differences[:end].mean()
        gain = 0.5 * math.log(variance / total) + end * end * mixing * middle**2 / (2 * variance * total)
        if middle > 0 and gain >= -math.log(2 * chance):
            return end * INTERVAL
    return None


def statistics_of(scenario: Scenario, fleet: Fleet, seen: Stream) -> dict[str, float]:
    """What the bound's tests look at, over a window of the usual length."""
    looks = round(scenario.window / INTERVAL)
    canary, baseline = slice(0, fleet.canary), slice(fleet.canary, None)
    requests = seen.requests[:looks].sum(0)
    part = requests[canary].sum() / max(1, requests.sum())
    bad = seen.bad[:looks].sum(0)
    variance = max(1e-9, bad.sum() * part * (1 - part))
    found = change(seen, canary, baseline, looks)
    after = (np.arange(looks) + 0.5) * INTERVAL / 1200.0
    rarer = (1 / np.maximum(1, seen.requests[:looks])).mean(1)
    noise = OF_INTERVAL**2 * 100.0 / fleet.rate * (1 - OF_REQUESTS + OF_REQUESTS * rarer / rarer.mean())
    orders = seen.orders[:looks].sum(0)
    return {
        "errors": float((bad[canary].sum() - bad.sum() * part) / math.sqrt(variance)),
        "p95": float(found @ _weights(np.ones(looks), noise)),
        "leak": float(found @ _weights(np.log1p(after), noise)),
        "orders": float(-(orders[canary].sum() - orders.sum() * part) / math.sqrt(max(1e-9, orders.sum()))),
    }


def change(seen: Stream, canary: slice, baseline: slice, looks: int) -> t.Any:
    """How much slower the canary's hosts are than the baseline's, by interval, over their own past."""
    past = np.log(seen.past.p95)
    past = past - np.nanmedian(past, 1, keepdims=True)
    own = np.nanmedian(past, 0)
    deviation = 1.4826 * np.nanmedian(abs(past - own))
    own = own + np.nanmean(np.clip(past - own, -CUT * deviation, CUT * deviation), 0)
    now = np.log(seen.p95[:looks]) - own
    now = now - np.nanmedian(now[:, baseline], 1, keepdims=True)
    thinner = np.sqrt(seen.past.requests.mean() / np.maximum(1, seen.requests[:looks].mean(0)))
    now = np.nan_to_num(np.clip(now, -CUT * deviation * thinner, CUT * deviation * thinner))
    return now[:, canary].mean(1) - now[:, baseline].mean(1)


def _weights(shape: t.Any, noise: t.Any) -> t.Any:
    """For a change of that shape where hosts wander by OWN; *noise* is the variance of each interval's difference."""
    covariance = np.diag(noise) + OWN**2 * np.ones((len(shape), len(shape)))
    weights = np.linalg.solve(covariance, shape)
    return weights / math.sqrt(weights @ covariance @ weights)


def bound(
    bad: str, found: t.Sequence[dict[str, float]], good: t.Sequence[dict[str, float]]
) -> dict[str, dict[str, t.Any]]:
    """The share that the bound catches within the window where it stops as many good ones as the policy allows."""
    metric = next(name for word, name in STATISTIC.items() if bad.startswith(word))
    under, seen = (np.array([each[metric] for each in streams]) for streams in (good, found))
    rates = [(BOUND, OF_A_GATE), (f"{BOUND}, 1 % false stops", CHANCE)]
    if metric in ("p95", "leak"):
        rates.append((f"{BOUND}, half of the chance", OF_A_GATE / 2))
    result = {}
    for name, rate in rates:
        share = round(float((seen > np.quantile(under, 1 - rate)).mean()), 4)
        result[name] = {
            "n": len(seen),
            "stopped": share,
            "inconclusive": 0.0,
            "caught": share,
            "median_s": None,
            "false_stops": rate,
        }
    return result
