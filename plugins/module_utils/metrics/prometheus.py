# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Prometheus, and whatever has its query API: instant queries, and range queries whose points come one by one."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.metrics import http, queries
from ansible_collections.steady.rollout.plugins.module_utils.metrics.http import Endpoint
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    Moment,
    Nothing,
    Point,
    Question,
    Reply,
    Trouble,
)
from ansible_collections.steady.rollout.plugins.module_utils.metrics.numbers import number

SETTINGS: dict[str, tuple[type, ...]] = {
    **http.SETTINGS,
    "range": (bool,),
    "step": (str,),
    "label": (str,),
    "host_label": (str,),
}
Labels = t.Dict[str, str]
LATEST = 2**53
"""Seconds; a moment beyond is not one."""
LONGEST_WARNING = 200


class Prometheus:
    """One server. *label* names the label that distinguishes the groups; without it any label's value may."""

    kind = "prometheus"
    asks_by_group = False

    def __init__(self, endpoint: Endpoint, is_range: bool, step: float, label: str, host_label: str) -> None:
        self._endpoint = endpoint
        self._is_range = is_range
        self._step = step
        self._label = label
        self._host_label = host_label

    def check(self, metric: t.Any, where: str) -> None:
        for raw in queries.leaves(metric.query):
            if not isinstance(raw, str) or not raw.strip():
                raise InputError(f"{where}.query: {raw!r} is not a PromQL expression.")

    def ask(self, question: Question, moment: Moment) -> Reply:
        parameters = [("query", question.raw), *self._when(moment)]
        path = "/api/v1/query_range" if self._is_range else "/api/v1/query"
        answer = self._endpoint.ask(path, parameters)
        data = _data(answer, self._endpoint.place)
        points = tuple(self._points(data, question, moment))
        if not points:
            raise Nothing(f"{self._endpoint.place} has no data for '{question.raw}': {_emptiness(data)}")
        return Reply(question.raw, json.dumps(data.get("result")), points)

    def _when(self, moment: Moment) -> list[tuple[str, str]]:
        if not self._is_range:
            return [("time", f"{moment.now:.3f}")]
        # On a grid, so that every poll asks for the same moments.
        first = (moment.began // self._step + 1) * self._step
        return [("start", f"{first:.3f}"), ("end", f"{max(first, moment.now):.3f}"), ("step", f"{self._step:g}")]

    def _points(self, data: dict[str, t.Any], question: Question, moment: Moment) -> t.Iterator[Point]:
        kind, result = data.get("resultType"), data.get("result")
        if kind == "scalar" and isinstance(result, list):
            values = _pairs([result], self._endpoint.place)
            yield from _numbers(values, question.group, "", is_range=False)
            return
        if kind not in ("vector", "matrix") or not isinstance(result, list):
            raise Trouble(f"{self._endpoint.place} answered with a {kind}, where a vector or a matrix is wanted")
        for labels, values in [_series(one, self._endpoint.place) for one in result]:
            group = question.group or self._group(labels, moment, alone=len(result) == 1)
            if group is not None:
                yield from _numbers(values, group, self._host(labels, moment, group), kind == "matrix")

    def _group(self, labels: Labels, moment: Moment, alone: bool) -> str | None:
        """The group of a series: the one that it names or whose member it names; None where neither."""
        values = [labels.get(self._label, "")] if self._label else list(labels.values())
        found = {_group_named(value, moment) for value in values} - {None}
        if len(found) > 1:
            raise Trouble(
                f"{self._endpoint.place}: a series {labels} names both groups; set label to the one that distinguishes them"
            )
        if found:
            return found.pop()
        return "canary" if alone and not labels else None

    def _host(self, labels: Labels, moment: Moment, group: str) -> str:
        values = [labels.get(self._host_label, "")] if self._host_label else list(labels.values())
        for value in values:
            member = _member_named(value, moment)
            if member is not None and member in moment.groups.get(group, ()):
                return member
        return labels.get(self._host_label or "instance", "")


def open_prometheus(where: str, settings: dict[str, t.Any], interval: float) -> Prometheus:
    """*interval* is the seconds between two polls, the default step of range queries. Raises InputError."""
    step = durations.positive(f"{where}.step", settings.get("step", interval))
    endpoint = http.endpoint(where, settings)
    labels = (settings.get("label") or "", settings.get("host_label") or "")
    return Prometheus(endpoint, settings.get("range", False), step, *labels)


def _data(answer: t.Any, place: str) -> dict[str, t.Any]:
    if not isinstance(answer, dict) or answer.get("status") != "success" or not isinstance(answer.get("data"), dict):
        raise Trouble(f"{place} did not answer as Prometheus's query API. Is url its root URL?")
    # A partial answer of a federated store comes as a success with a warning.
    if answer.get("warnings"):
        raise Trouble(f"{place} answered with a warning: {_first(answer['warnings'])}")
    return dict(answer["data"])


def _series(one: t.Any, place: str) -> tuple[Labels, list[t.Any]]:
    """Labels and pairs of moment and value of a series; Trouble where it is not one."""
    labels = one.get("metric", {}) if isinstance(one, dict) else None
    if not isinstance(labels, dict):
        raise Trouble(f"{place} answered with something that is not a series")
    values = one.get("values") or [one.get("value") or [0, None]]
    return {str(name): str(value) for name, value in labels.items()}, _pairs(values, place)


def _pairs(values: t.Any, place: str) -> list[t.Any]:
    if not isinstance(values, list) or not all(_is_pair(pair) for pair in values):
        raise Trouble(f"{place} answered with something that is not a pair of a moment and a value")
    return values


def _is_pair(pair: t.Any) -> bool:
    if not isinstance(pair, list) or len(pair) != 2 or isinstance(pair[0], bool):
        return False
    return isinstance(pair[0], (int, float)) and 0 <= pair[0] < LATEST


def _numbers(values: list[t.Any], group: str | None, host: str, is_range: bool) -> t.Iterator[Point]:
    for at, text in values:
        figure = number(text)
        if figure is not None:
            yield Point(figure, group, host, at=float(at) if is_range else None)


def _emptiness(data: dict[str, t.Any]) -> str:
    result = data.get("result")
    if not result:
        return "the result is empty"
    return f"none of its {len(result)} series names a group or a member, or all are NaN"


def _group_named(value: str, moment: Moment) -> str | None:
    if value in moment.groups:
        return value
    member = _member_named(value, moment)
    return None if member is None else moment.group_of(member)


def _member_named(value: str, moment: Moment) -> str | None:
    for name in (value, value.rpartition(":")[0]):
        member = moment.aliases.get(name, name)
        if name and moment.group_of(member):
            return member
    return None


def _first(warnings: t.Any) -> str:
    return str(warnings[0] if isinstance(warnings, list) else warnings)[:LONGEST_WARNING]
