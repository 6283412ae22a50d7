# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a call of metric_gate asks for: its options, checked once and turned into what the gate works with."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.judge import spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import BASELINE, CANARY, SHARE, Metric, Policy
from ansible_collections.steady.rollout.plugins.module_utils.metrics import balancers, queries, sources
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Source

GROUPS = (CANARY, BASELINE)
GO_ON, KEEP_POLLING, ASK, STOP = "go_on", "wait", "ask", "stop"
ACTIONS = (GO_ON, KEEP_POLLING, ASK, STOP)
MOST_POLLS = 2000
DEFAULT_METRICS: tuple[dict[str, t.Any], ...] = (
    {"name": "errors", "query": balancers.ERROR_SHARE, "judge": True, "critical": True},
    # Not every balancer reports latencies, and with little traffic none does: what is not known there decides nothing.
    {"name": "latency", "query": balancers.LATENCY, "judge": True, "tolerance": "20%", "on_no_data": "ignore"},
    {
        "name": "unhealthy",
        "query": balancers.UNHEALTHY_SHARE,
        "limit": "<= 20%",
        "minimum": 1,
        "max_consecutive_failures": 2,
    },
)
"""What is judged where the user names nothing: what balancers report by themselves."""
NO_BASELINE = "there is no baseline to compare with"


@dataclasses.dataclass(frozen=True)
class Policies:
    """What follows when the window is over and nothing is clear. *limit* in seconds is how long to keep polling at most."""

    on_inconclusive: str
    on_no_data: str
    on_error: str
    on_not_judged: str
    limit: float

    @property
    def waiting(self) -> float:
        """How many seconds after the window a result that is not clear may be waited for."""
        return self.limit if self.on_inconclusive == KEEP_POLLING else 0.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """One gate. Times in seconds."""

    metrics: tuple[Metric, ...]
    policy: Policy
    sources: dict[str, Source]
    groups: dict[str, tuple[str, ...]]
    """Empty where none were given: then the sources know who is who."""
    window: float
    interval: float
    policies: Policies
    set_aside: dict[str, str]
    """Metrics that do not decide although the user has set them to, and why."""

    @property
    def needs_balancers(self) -> bool:
        return any(metric.source == sources.BALANCER for metric in self.metrics)

    @property
    def hosts(self) -> dict[str, int]:
        return {group: len(members) for group, members in self.groups.items() if members}


def from_params(params: dict[str, t.Any], run_command: sources.RunCommand) -> Plan:
    """Raises InputError with one sentence where the options cannot be right."""
    window = _positive("window", params["window"])
    interval = _positive("interval", params["interval"])
    policies = _policies(params, window)
    if (window + policies.limit) / interval > MOST_POLLS:
        raise InputError(
            f"interval: {interval:g} s is more than {MOST_POLLS} polls in {window + policies.limit:g} s; use a longer interval."
        )
    described = params.get("sources") or {}
    groups = _groups(params.get("groups"))
    metrics = metrics_of(params.get("metrics"), described)
    opened = sources.opened(described, interval, run_command)
    for metric in metrics:
        _check(metric, opened, described)
    metrics, set_aside = _without_baseline(metrics, groups)
    if any(metric.source == sources.BALANCER for metric in metrics) and not groups.get(CANARY):
        raise InputError(
            "groups: canary is empty; list the members on the new version, by the names that the balancers use."
        )
    return Plan(
        metrics=metrics,
        policy=spec.parse_policy(params.get("judge")),
        sources=opened,
        groups=groups,
        window=window,
        interval=min(interval, window),
        policies=policies,
        set_aside=set_aside,
    )


def metrics_of(given: t.Sequence[t.Any] | None, described: t.Mapping[str, t.Any]) -> tuple[Metric, ...]:
    """The metrics that the user's words mean, those of the balancers where there are none. Raises InputError."""
    return spec.parse_metrics(_worded(given or DEFAULT_METRICS, described))


def _worded(metrics: t.Sequence[t.Any], described: t.Mapping[str, t.Any]) -> list[t.Any]:
    """The user's words, completed by what their source makes of them."""
    return [{**_usual(one, described), **one} if isinstance(one, t.Mapping) else one for one in metrics]


def _usual(metric: t.Mapping[str, t.Any], described: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    kind = sources.type_of(str(metric.get("source") or sources.BALANCER), described)
    if kind == sources.BALANCER:
        queried = metric.get("query") or balancers.ERROR_SHARE
        kinds = balancers.KINDS.get(queried if isinstance(queried, str) else "", (SHARE,))
        unit = {"unit": "ms"} if queried == balancers.LATENCY or queried in balancers.QUANTILES else {}
        return {"query": queried, "kind": kinds[0], **unit}
    usual = dict(sources.TYPES[kind].words)
    if metric.get("baseline") is not None or metric.get("judge"):
        usual.pop("limit", None)
    if metric.get("max_consecutive_failures") is not None:
        usual.pop("max_failures", None)
    return usual


def _check(metric: Metric, opened: t.Mapping[str, Source], described: t.Mapping[str, t.Any]) -> None:
    where = f"metrics.{metric.name}"
    queries.checked(metric, where)
    if metric.source == sources.BALANCER:
        balancers.check(metric, where)
        return
    kind = sources.type_of(metric.source, described)
    if metric.query is None and kind not in ("alertmanager", "command"):
        raise InputError(f"{where}: query is missing; say what to ask {metric.source}.")
    opened[metric.source].check(metric, where)


def _without_baseline(
    metrics: tuple[Metric, ...], groups: t.Mapping[str, tuple[str, ...]]
) -> tuple[tuple[Metric, ...], dict[str, str]]:
    """Where nobody is left to compare with, a limit still decides, and a comparison is set aside."""
    if groups.get(BASELINE) or not groups.get(CANARY):
        return metrics, {}
    alone = []
    set_aside = {}
    for metric in metrics:
        if metric.compares and metric.limit is None:
            set_aside[metric.name] = NO_BASELINE
        else:
            alone.append(dataclasses.replace(metric, judge=False, baseline=None))
    return tuple(alone), set_aside


def _groups(given: t.Any) -> dict[str, tuple[str, ...]]:
    if given is None:
        return {}
    unknown = sorted(set(given) - set(GROUPS))
    if unknown:
        raise InputError(f"groups: '{unknown[0]}' is not a group; the groups are {CANARY} and {BASELINE}.")
    groups = {group: _members(group, given.get(group)) for group in GROUPS}
    both = sorted(set(groups[CANARY]) & set(groups[BASELINE]))
    if both:
        raise InputError(f"groups: '{both[0]}' is in both groups; a member is on the new version or it is not.")
    return groups


def _members(group: str, given: t.Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, (list, tuple)):
        raise InputError(f"groups: {group} is {given!r}, not a list of members.")
    return tuple(str(member) for member in given)


def _policies(params: dict[str, t.Any], window: float) -> Policies:
    limit = params.get("wait_limit")
    answers = {name: params[name] for name in ("on_inconclusive", "on_no_data", "on_error")}
    waits = KEEP_POLLING in answers.values()
    limit = (window if limit is None else _positive("wait_limit", limit)) if waits else 0.0
    return Policies(on_not_judged=params.get("on_not_judged") or GO_ON, limit=limit, **answers)


def _positive(name: str, given: t.Any) -> float:
    return durations.positive(name, given)
