# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of CloudWatch's GetMetricData, over moto, whose own gives nothing for percentiles and expressions.

    with FakeCloudWatch() as cloudwatch:
        cloudwatch.put("AWS/ApplicationELB", "RequestCount", [(minute, 120.0)], TargetGroup="tg/blue")

It is reached through the real boto3. What is still different from AWS:
- An expression may have ids, numbers, + - * /, parentheses and FILL(id, number), and nothing else.
- Percentiles are between the two nearest values; AWS keeps a distribution that is a little coarser.
- Points appear at once and never change; with AWS the newest ones still grow.
- A page has *page_size* points; AWS has up to 100,800 on one. Retention and rates are not limited.
- Nothing is asked for permission, unless *status* says how every answer is to end.
"""

from __future__ import annotations

import ast
import datetime
import math
import operator
import re
import typing as t
from unittest import mock

import moto
from moto.cloudwatch import responses
from moto.core.responses import ActionResult

Points = t.Dict[float, t.List[float]]
Json = t.Dict[str, t.Any]
OPERATORS: dict[type, t.Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class FakeCloudWatch:
    def __init__(self, page_size: int = 1000) -> None:
        self.page_size = page_size
        self.status = "Complete"
        self.asked: list[list[Json]] = []
        self._metrics: dict[tuple[str, str, frozenset[tuple[str, str]]], Points] = {}
        self._aws = moto.mock_aws()
        self._patch = mock.patch.object(responses.CloudWatchResponse, "get_metric_data", self._answer())

    def __enter__(self) -> FakeCloudWatch:
        self._aws.start()
        self._patch.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._patch.stop()
        self._aws.stop()

    def put(self, namespace: str, name: str, points: t.Iterable[tuple[float, float]], **dimensions: str) -> None:
        """Measures, each at so many seconds since 1970."""
        kept = self._metrics.setdefault((namespace, name, frozenset(dimensions.items())), {})
        for at, value in points:
            kept.setdefault(at, []).append(value)

    def _answer(self) -> t.Callable[[t.Any], ActionResult]:
        def get_metric_data(response: t.Any) -> ActionResult:
            return ActionResult(self._page(response._get_params()))

        return get_metric_data

    def _page(self, asked: Json) -> Json:
        self.asked.append(asked["MetricDataQueries"])
        start, end = (_seconds(asked[name]) for name in ("StartTime", "EndTime"))
        series = self._series(asked["MetricDataQueries"], start, end)
        first = int(asked.get("NextToken") or 0)
        results, more = [], False
        for query in asked["MetricDataQueries"]:
            if query.get("ReturnData", True) in (False, "false"):
                continue
            points = sorted(series[query["Id"]].items())
            part = points[first : first + self.page_size]
            more = more or len(points) > first + self.page_size
            results.append(self._result(query["Id"], part, len(points) > first + self.page_size))
        return {"MetricDataResults": results, **({"NextToken": str(first + self.page_size)} if more else {})}

    def _result(self, name: str, points: list[tuple[float, float]], is_part: bool) -> Json:
        return {
            "Id": name,
            "Label": name,
            "StatusCode": "PartialData" if is_part else self.status,
            "Timestamps": [datetime.datetime.fromtimestamp(at, datetime.timezone.utc) for at, dummy in points],
            "Values": [value for dummy, value in points],
            "Messages": [] if self.status == "Complete" else [{"Code": "Reason", "Value": "the test says so"}],
        }

    def _series(self, queries: list[Json], start: float, end: float) -> dict[str, dict[float, float]]:
        found = {one["Id"]: self._statistic(one["MetricStat"], start, end) for one in queries if "MetricStat" in one}
        for one in queries:
            if "Expression" in one:
                found[one["Id"]] = _evaluated(one["Expression"], found)
        return found

    def _statistic(self, wanted: Json, start: float, end: float) -> dict[float, float]:
        metric, period = wanted["Metric"], int(wanted["Period"])
        dimensions = frozenset((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
        values: Points = {}
        for at, measured in self._metrics.get((metric["Namespace"], metric["MetricName"], dimensions), {}).items():
            if start <= at < end:
                values.setdefault(at // period * period, []).extend(measured)
        return {at: _one(wanted["Stat"], measured) for at, measured in values.items()}


def _one(statistic: str, values: list[float]) -> float:
    percentile = re.fullmatch(r"p(\d+(?:\.\d+)?)", statistic)
    if percentile:
        ordered, place = sorted(values), float(percentile.group(1)) / 100 * (len(values) - 1)
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        return low + (high - low) * (place - math.floor(place))
    functions: dict[str, t.Callable[[list[float]], float]] = {
        "Sum": sum,
        "Average": lambda found: sum(found) / len(found),
        "Minimum": min,
        "Maximum": max,
        "SampleCount": lambda found: float(len(found)),
    }
    return functions[statistic](values)


def _evaluated(expression: str, series: t.Mapping[str, dict[float, float]]) -> dict[float, float]:
    """The points of an expression; where an operand has none, or a division is by 0, there is none."""
    tree = ast.parse(expression, mode="eval").body
    times = {at for points in series.values() for at in points}
    found = {at: _value(tree, series, at) for at in times}
    return {at: value for at, value in found.items() if value is not None}


def _value(node: ast.AST, series: t.Mapping[str, dict[float, float]], at: float) -> float | None:
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        return series[node.id].get(at)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "FILL":
        found = _value(node.args[0], series, at)
        return _value(node.args[1], series, at) if found is None else found
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, series, at), _value(node.right, series, at)
        if left is None or right is None or (isinstance(node.op, ast.Div) and right == 0):
            return None
        return OPERATORS[type(node.op)](left, right)
    raise AssertionError(f"the fake knows no {ast.dump(node)}")


def _seconds(moment: t.Any) -> float:
    if isinstance(moment, str):
        moment = datetime.datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return float(moment.timestamp())
