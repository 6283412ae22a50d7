# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The user's words for metrics and for the judge's policy, checked once and turned into the model."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.judge import conditions
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    DIRECTIONS,
    INCREASE,
    KINDS,
    NO_DATA,
    NO_DATA_ACTIONS,
    SHARE,
    VALUE,
    Metric,
    Policy,
)

METRIC_DEFAULTS: dict[str, t.Any] = {
    "name": None,
    "source": "balancer",
    "query": None,
    "kind": VALUE,
    "direction": INCREASE,
    "unit": None,
    "limit": None,
    "baseline": None,
    "judge": False,
    "tolerance": "10%",
    "critical": False,
    "weight": 1,
    "group": "",
    "minimum": None,
    "delay": None,
    "dry_run": False,
    "on_no_data": NO_DATA,
    "max_errors": None,
    "max_consecutive_errors": 4,
    "max_failures": None,
    "max_consecutive_failures": None,
}
POLICY_DEFAULTS: dict[str, t.Any] = {
    "false_stop": "3%",
    "gates": 4,
    "host_noise": "10%",
    "pass_score": 100,
    "marginal_score": 100,
    "groups": None,
}
# Below so many requests (for a share) or measurements (for a value) nothing is said.
MINIMUM_REQUESTS = 100
MINIMUM_COMPARED = 3
MINIMUM_LIMITED = 1


def parse_metrics(given: t.Sequence[t.Mapping[str, t.Any]] | None) -> tuple[Metric, ...]:
    """Turns the user's list into metrics; raises InputError with one sentence."""
    metrics = tuple(_metric(number, each) for number, each in enumerate(given or (), start=1))
    names = [metric.name for metric in metrics]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"metrics: '{twice[0]}' appears twice; every metric needs a name of its own.")
    return metrics


def parse_policy(given: t.Mapping[str, t.Any] | None) -> Policy:
    """Turns the user's words into a Policy; raises InputError with one sentence."""
    words = _with_defaults("policy", given or {}, POLICY_DEFAULTS)
    policy = Policy(
        false_stop=conditions.parse_fraction("policy.false_stop", words["false_stop"]),
        gates=_whole("policy.gates", words["gates"], 1),
        host_noise=conditions.parse_fraction("policy.host_noise", words["host_noise"]),
        pass_score=_number("policy.pass_score", words["pass_score"], 100),
        marginal_score=_number("policy.marginal_score", words["marginal_score"], 100),
        groups={
            str(name): _number(f"policy.groups.{name}", weight) for name, weight in (words["groups"] or {}).items()
        },
    )
    if not 0 < policy.false_stop <= 0.5:
        raise InputError("policy.false_stop: has to be above 0 and at most 50 %; 3% is usual.")
    if policy.marginal_score > policy.pass_score:
        raise InputError(
            f"policy: marginal_score {policy.marginal_score:g} is above pass_score {policy.pass_score:g}; "
            "a marginal score is the lower one."
        )
    return policy


def _metric(number: int, given: t.Mapping[str, t.Any]) -> Metric:
    if not isinstance(given, t.Mapping) or not str(given.get("name") or "").strip():
        raise InputError(f"metrics: number {number} has no name; give it one, for example 'error_share'.")
    name = str(given["name"]).strip()
    where = f"metrics.{name}"
    words = _with_defaults(where, given, METRIC_DEFAULTS)
    kind = _one_of(where + ".kind", words["kind"], KINDS)
    unit = _unit(words, kind)
    metric = Metric(
        name=name,
        source=str(words["source"]),
        query=words["query"],
        kind=kind,
        direction=_one_of(where + ".direction", words["direction"], DIRECTIONS),
        unit=unit,
        limit=None if words["limit"] is None else conditions.parse_limit(where + ".limit", words["limit"], unit),
        baseline=None
        if words["baseline"] is None
        else conditions.parse_baseline(where + ".baseline", words["baseline"]),
        judge=_flag(where + ".judge", words["judge"]),
        tolerance=conditions.parse_fraction(where + ".tolerance", words["tolerance"]),
        critical=_flag(where + ".critical", words["critical"]),
        weight=_number(where + ".weight", words["weight"]),
        group=str(words["group"] or ""),
        minimum=_minimum(where, words, kind),
        delay=None if words["delay"] is None else durations.seconds(where + ".delay", words["delay"]),
        dry_run=_flag(where + ".dry_run", words["dry_run"]),
        on_no_data=_one_of(where + ".on_no_data", words["on_no_data"], NO_DATA_ACTIONS),
        max_errors=_count(where + ".max_errors", words["max_errors"]),
        max_consecutive_errors=_count(where + ".max_consecutive_errors", words["max_consecutive_errors"]),
        max_failures=_count(where + ".max_failures", words["max_failures"]),
        max_consecutive_failures=_count(where + ".max_consecutive_failures", words["max_consecutive_failures"]),
    )
    _check(where, metric)
    return metric


def _minimum(where: str, words: t.Mapping[str, t.Any], kind: str) -> int:
    if words["minimum"] is not None:
        return _whole(where + ".minimum", words["minimum"], 1)
    if kind == SHARE:
        return MINIMUM_REQUESTS
    is_compared = words["baseline"] is not None or _flag(where + ".judge", words["judge"])
    return MINIMUM_COMPARED if is_compared else MINIMUM_LIMITED


def _check(where: str, metric: Metric) -> None:
    if metric.limit is None and metric.baseline is None and not metric.judge:
        raise InputError(f"{where}: no criterion is set; give a limit, a baseline or judge: true.")
    if metric.counts_failures and metric.limit is None:
        raise InputError(f"{where}: max_failures counts measurements outside limit, and no limit is given.")
    if metric.tolerance >= 1:
        raise InputError(f"{where}.tolerance: has to be below 100 %; for more use for example baseline: '< 3x'.")
    if not metric.weight:
        raise InputError(f"{where}.weight: has to be above 0; dry_run: true keeps a metric from deciding.")


def _unit(words: t.Mapping[str, t.Any], kind: str) -> str:
    """A share has no unit. A limit in units of time says that the metric is in milliseconds where nothing else does."""
    if words["unit"] is not None or kind == SHARE:
        return str(words["unit"] or "")
    suffixes = {match.group(3) for match in conditions.COMPARISON.finditer(str(words["limit"] or ""))}
    return "ms" if suffixes & set(durations.UNITS) else ""


def _with_defaults(where: str, given: t.Mapping[str, t.Any], defaults: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise InputError(f"{where}: '{unknown[0]}' is not a setting; the settings are {', '.join(defaults)}.")
    return {**defaults, **{name: value for name, value in given.items() if value is not None}}


def _one_of(where: str, given: object, choices: t.Sequence[str]) -> str:
    if given not in choices:
        raise InputError(f"{where}: {given!r} is not one of {', '.join(choices)}.")
    return str(given)


def _flag(where: str, given: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    flag = words.get(str(given).strip().lower())
    if flag is None:
        raise InputError(f"{where}: {given!r} is neither true nor false.")
    return flag


def _number(where: str, given: object, most: float | None = None) -> float:
    try:
        number = float(str(given))
    except ValueError:
        number = -1.0
    if not number >= 0 or number == float("inf") or (most is not None and number > most):
        wanted = "a number from 0 on" if most is None else f"a number from 0 to {most:g}"
        raise InputError(f"{where}: {given!r} is not {wanted}.")
    return number


def _whole(where: str, given: object, least: int) -> int:
    number = _number(where, given)
    if number != int(number) or number < least:
        raise InputError(f"{where}: {given!r} is not a whole number from {least} on.")
    return int(number)


def _count(where: str, given: object) -> int | None:
    return None if given is None else _whole(where, given, 0)
