# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How small a p-value has to be at each look, so that all looks together stop a good release no more often than agreed.

The chance of a false stop is spent over the window by a function of the time that is over (Lan and DeMets 1983), here an
exponential one (Hwang, Shih and DeCani 1990): with the lateness 0 evenly, with 4 about as O'Brien and Fleming (1979) do, with
8 nearly all of it at the end, which costs one or two points of the power that a single test at the end would have, and still
leaves enough at the beginning for what is very bad. How the looks depend on each other is taken into account by recursive
numerical integration (Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000, 19.2). Assumed: information grows with
time, and what one interval adds is independent of the one before. A part that stays the same, such as how hosts differ, makes
looks more alike than that, so that less is spent than is allowed.

After the window only a gate that is suspect goes on, so only what is suspect at its end can spend what is kept for waiting.

Looks need not be planned: a look between two of the *GRID* per window spends nothing.
"""

from __future__ import annotations

import functools
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import normal_quantile, normal_tail

GRID = 40
"""How many looks of a window may give a verdict."""
FOR_WAITING = 0.05
"""The part of the chance that is kept for the time after the window, where the gate may wait for a clearer result."""
SUSPECT = 0.05
"""Up to which p-value at the end of the window a gate that may wait does so."""
POINTS = 61
"""Of the density; Simpson's rule needs an odd number."""
FURTHEST = 5.0
"""Standard deviations below which the density is left out."""
LEAST = 1e-12


class Budget(t.NamedTuple):
    """*chance* of a false stop in all, how *late* it is spent, *waiting* how long the gate may wait, in windows."""

    chance: float
    late: float
    waiting: float

    def spent(self, fraction: float) -> float:
        """The chance that may be spent until this fraction of the window."""
        kept = FOR_WAITING if self.waiting > 0 else 0.0
        waited = min(1.0, max(0.0, fraction - 1) / self.waiting) if kept else 0.0
        return self.chance * ((1 - kept) * self._part(min(1.0, fraction)) + kept * self._part(waited))

    def _part(self, time: float) -> float:
        return math.expm1(self.late * time) / math.expm1(self.late) if self.late else time


class _State(t.NamedTuple):
    """After a look: how likely which sum of the evidence is where no look so far has stopped."""

    at: float
    low: float
    high: float
    density: t.Tuple[float, ...]
    spent: float
    level: float


def level(budget: Budget, fractions: t.Sequence[float]) -> float:
    """The largest p-value that is proof at the last of these looks, given as fractions of the window; 0 where it spends nothing."""
    formal: list[float] = []
    for fraction in fractions:
        place = math.floor(fraction * GRID + 1e-6)
        if place > (math.floor(formal[-1] * GRID + 1e-6) if formal else 0):
            formal.append(round(fraction, 3))
    if not formal or not fractions or round(fractions[-1], 3) != formal[-1]:
        return 0.0
    return _state(budget, tuple(formal)).level


@functools.lru_cache(maxsize=4096)
def _state(budget: Budget, looks: tuple[float, ...]) -> _State:
    if len(looks) == 1:
        return _first(budget, looks[0])
    before = _state(budget, looks[:-1])
    at = looks[-1]
    if before.at <= 1 < at:
        before = _suspects(before)
    step = math.sqrt(at - before.at)
    weights = _weighted(before)
    allowed = budget.spent(at) - before.spent

    def beyond(bound: float) -> float:
        return sum(weight * normal_tail((bound - point) / step) for point, weight in weights)

    bound = _bound(beyond, allowed, math.sqrt(at))
    low, high = -FURTHEST * math.sqrt(at), bound
    scale = step * math.sqrt(2 * math.pi)
    density = tuple(
        sum(weight * math.exp(-(((x - point) / step) ** 2) / 2) for point, weight in weights) / scale
        for x in _points(low, high)
    )
    return _State(at, low, high, density, before.spent + beyond(bound), normal_tail(bound / math.sqrt(at)))


def _suspects(state: _State) -> _State:
    """What of it makes a gate wait; an even number of points is left out, as Simpson's rule needs an odd one."""
    points = _points(state.low, state.high, len(state.density))
    suspect = normal_quantile(SUSPECT) * math.sqrt(state.at)
    left_out = min(sum(1 for point in points[1:] if point <= suspect), POINTS - 3) // 2 * 2
    return state._replace(low=points[left_out], density=state.density[left_out:])


def _first(budget: Budget, at: float) -> _State:
    deviation = math.sqrt(at)
    chance = max(LEAST, budget.spent(at))
    bound = normal_quantile(chance) * deviation
    low = -FURTHEST * deviation
    scale = deviation * math.sqrt(2 * math.pi)
    density = tuple(math.exp(-((x / deviation) ** 2) / 2) / scale for x in _points(low, bound))
    return _State(at, low, bound, density, chance, chance)


def _bound(beyond: t.Callable[[float], float], allowed: float, deviation: float) -> float:
    low, high = 0.0, 7.0 * deviation
    if allowed <= LEAST:
        return high
    for dummy in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > allowed else (low, middle)
    return high


def _points(low: float, high: float, number: int = POINTS) -> list[float]:
    return [low + (high - low) * place / (number - 1) for place in range(number)]


def _weighted(state: _State) -> list[tuple[float, float]]:
    """The points of a density with their weights by Simpson's rule."""
    number = len(state.density)
    width = (state.high - state.low) / (number - 1) / 3
    factors = [1, *([4, 2] * (number // 2 - 1)), 4, 1]
    points = _points(state.low, state.high, number)
    return [(x, width * factor * each) for x, factor, each in zip(points, factors, state.density)]
