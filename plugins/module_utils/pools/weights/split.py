# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""From shares of the traffic to integer weights, as near as integers can get. Pure arithmetic.

Every server of a group bears the same weight, so a group's share is its number of servers times that weight,
over the sum of that of all groups.
"""

from __future__ import annotations

import itertools
import math
import re
import typing as t
from fractions import Fraction

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import WeightLimits
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

Shares = t.Dict[str, Fraction]
Rank = t.Tuple[Fraction, int, t.List[int]]

PERCENTAGE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,18})?")
# Percent that shares may be off 100 altogether, so that thirds can be written down.
SLACK = Fraction(1, 10)
# Among weights that come equally near, those with the largest nearest to this: they read like percentages.
USUAL = 100
# With more groups than this, not every combination that could be nearer is tried.
MOST_SEARCHED = 4


def parse_shares(given: t.Mapping[str, t.Any]) -> Shares:
    """Percentages by group, numbers or numeric strings, as fractions of 1; raises InputError."""
    if not given:
        raise InputError(
            "shares: is empty; give each group its percentage of the traffic, for example {blue: 95, green: 5}."
        )
    percent = {str(name): _percentage(str(name), value) for name, value in given.items()}
    total = sum(percent.values(), Fraction(0))
    if abs(total - 100) > SLACK:
        raise InputError(
            f"shares: {', '.join(f'{name}: {shown(value / 100)}' for name, value in percent.items())} add up to "
            f"{shown(total / 100)}, not to 100."
        )
    return {name: value / total for name, value in percent.items()}


def nearest_weights(shares: Shares, servers: t.Mapping[str, int], limits: WeightLimits) -> dict[str, int]:
    """The weight of each server of each group, so that the largest error of a group's share is as small as can be.

    *servers* is how many servers of each group take traffic: at least one where the share is above 0. A group
    with share 0 gets weight 0, no other does. Raises InputError where no traffic at all would be nearer to what
    a group was to get than the least that weights can give it.
    """
    wanted = {name: share for name, share in shares.items() if share > 0}
    best = _search(wanted, servers, limits)
    achieved = achieved_shares(best, servers)
    for name, share in wanted.items():
        if achieved[name] > 2 * share:
            raise InputError(_out_of_reach(name, share, achieved[name], servers, limits))
    return {name: best.get(name, 0) for name in shares}


def achieved_shares(weights: t.Mapping[str, int], servers: t.Mapping[str, int]) -> Shares:
    """The part of the traffic that each group gets; all 0 where no weight is above 0."""
    totals = {name: weight * servers[name] for name, weight in weights.items()}
    return parts(totals)


def parts(totals: t.Mapping[str, int]) -> Shares:
    """Each one's part of the sum."""
    whole = sum(totals.values())
    return {name: Fraction(total, whole) if whole else Fraction(0) for name, total in totals.items()}


def percent(share: Fraction) -> float:
    """A share as a result shows it."""
    return round(float(share * 100), 4)


def shown(share: Fraction) -> str:
    """A share for a message, in percent."""
    return f"{float(share * 100):.4g}"


def _percentage(name: str, value: t.Any) -> Fraction:
    text = str(value).strip().rstrip("%").strip()
    if isinstance(value, bool) or not PERCENTAGE.fullmatch(text) or Fraction(text) > 100:
        raise InputError(f"shares: '{name}' cannot be {value!r:.80}; a percentage from 0 to 100 is expected.")
    return Fraction(text)


def _search(wanted: Shares, servers: t.Mapping[str, int], limits: WeightLimits) -> dict[str, int]:
    """A good guess first; then everything that could be as near as that."""

    def rank(weights: dict[str, int]) -> Rank:
        return _rank(weights, wanted, servers)

    best = min(_guesses(wanted, servers, limits), key=rank)
    if len(wanted) > MOST_SEARCHED:
        return best
    return min(_within(rank(best)[0], wanted, servers, limits), key=rank)


def _guesses(wanted: Shares, servers: t.Mapping[str, int], limits: WeightLimits) -> t.Iterator[dict[str, int]]:
    """Every weight of the largest group, with those of the others that it calls for, rounded."""
    pivot = max(wanted, key=lambda name: wanted[name])
    for weight in range(limits.lowest, limits.highest + 1):
        whole = weight * servers[pivot] / wanted[pivot]
        yield {name: _clamped(round(whole * wanted[name] / servers[name]), limits) for name in wanted}


def _within(
    error: Fraction, wanted: Shares, servers: t.Mapping[str, int], limits: WeightLimits
) -> t.Iterator[dict[str, int]]:
    """All weights by which no share is off by more than *error*, and some others."""
    pivot = max(wanted, key=lambda name: wanted[name])
    for weight in range(limits.lowest, limits.highest + 1):
        own = weight * servers[pivot]
        least = own / min(wanted[pivot] + error, Fraction(1))
        most = own / (wanted[pivot] - error) if wanted[pivot] > error else None
        ranges = {
            name: range(
                _clamped(math.ceil((wanted[name] - error) * least / servers[name]), limits),
                _clamped(math.floor((wanted[name] + error) * most / servers[name]), limits) + 1
                if most
                else limits.highest + 1,
            )
            for name in wanted
            if name != pivot
        }
        for chosen in itertools.product(*ranges.values()):
            yield {pivot: weight, **dict(zip(ranges, chosen))}


def _clamped(weight: int, limits: WeightLimits) -> int:
    return min(max(weight, limits.lowest), limits.highest)


def _rank(weights: dict[str, int], wanted: Shares, servers: t.Mapping[str, int]) -> Rank:
    """The largest error, in integers as far as it goes: there are thousands to compare."""
    totals = {name: weight * servers[name] for name, weight in weights.items()}
    whole = sum(totals.values())
    error = max(
        Fraction(abs(totals[name] * share.denominator - share.numerator * whole), share.denominator * whole)
        for name, share in wanted.items()
    )
    return error, abs(max(weights.values()) - USUAL), [weights[name] for name in wanted]


def _out_of_reach(
    name: str, share: Fraction, least: Fraction, servers: t.Mapping[str, int], limits: WeightLimits
) -> str:
    sizes = ", ".join(f"{count} in '{group}'" for group, count in servers.items() if count)
    return (
        f"shares: {shown(share)} % for '{name}' cannot be reached. The nearest that weights from {limits.lowest} to "
        f"{limits.highest} give with the servers that take traffic ({sizes}) is {shown(least)} %, and none at all would "
        f"be nearer. Ask for 0 or for at least {shown(least / 2)} %, or give '{name}' fewer servers."
    )
