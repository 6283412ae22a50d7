# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""CloudWatch, through GetMetricData. boto3 is imported only when such a source is opened.

The newest points of CloudWatch are still growing when they first appear, so those that ended less than *lag* seconds ago
are left for a later poll. Some metrics, the counts of 5xx among them, have no point at all where they would be 0.
"""

from __future__ import annotations

import datetime
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.metrics import queries
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    Moment,
    Nothing,
    Point,
    Question,
    Reply,
    Trouble,
)

SETTINGS: dict[str, tuple[type, ...]] = {
    "region": (str,),
    "profile": (str,),
    "role_arn": (str,),
    "endpoint_url": (str,),
    "timeout": (str,),
    "period": (int,),
    "lag": (str,),
}
METRIC_KEYS = {"namespace", "metric", "dimensions", "statistic", "unit"}
EXPRESSION_KEYS = {"expression", "metrics"}
COMPLETE, PARTIAL = "Complete", "PartialData"
RESULT = "result"
MOST_PAGES = 20
Json = t.Dict[str, t.Any]
Call = t.Callable[..., Json]
"""(action, **arguments) -> answer, as aws_api.Api.call"""


class CloudWatch:
    """One account and region. *period* and *lag* in seconds."""

    kind = "cloudwatch"
    asks_by_group = False

    def __init__(self, call: Call, place: str, period: int, lag: float) -> None:
        self._call = call
        self._place = place
        self._period = period
        self._lag = lag

    def check(self, metric: t.Any, where: str) -> None:
        for raw in queries.leaves(metric.query):
            _check_query(raw, f"{where}.query")

    def ask(self, question: Question, moment: Moment) -> Reply:
        wanted = data_queries(question.raw, self._period)
        # Whole periods of the step: what began before it belongs to the release before.
        start = -(-moment.began // self._period) * self._period
        end = (moment.now - self._lag) // self._period * self._period
        if end <= start:
            raise Nothing(
                f"{self._place} is read {self._lag:g} s late and by periods of {self._period} s, none of which has begun "
                "and ended within the step yet"
            )
        found = self._pages(wanted, start, end)
        points = [Point(value, question.group, at=at + self._period) for at, value in sorted(found) if at < end]
        if not points:
            raise Nothing(f"{self._place} has no point for {shown(question.raw)}")
        answered = json.dumps([[point.at, point.number] for point in points])
        return Reply(shown(question.raw), answered, tuple(points))

    def _pages(self, wanted: list[Json], start: float, end: float) -> list[tuple[float, float]]:
        """The points of the one query that returns data, from all pages of the answer."""
        points: list[tuple[float, float]] = []
        status, token = COMPLETE, None
        for dummy in range(MOST_PAGES):
            answer = self._page(wanted, start, end, token)
            for result in answer.get("MetricDataResults", ()):
                if result.get("Id") != RESULT:
                    continue
                status = result.get("StatusCode", COMPLETE)
                _refuse_failure(result, self._place)
                points += [(_epoch(at), float(value)) for at, value in zip(result["Timestamps"], result["Values"])]
            token = answer.get("NextToken")
            if not token:
                break
        if status == PARTIAL or token:
            raise Trouble(f"{self._place} gave only a part of the data ({PARTIAL}), over {MOST_PAGES} pages at most")
        return points

    def _page(self, wanted: list[Json], start: float, end: float, token: str | None) -> Json:
        more = {"NextToken": token} if token else {}
        try:
            return self._call(
                "get_metric_data",
                MetricDataQueries=wanted,
                StartTime=_moment(start),
                EndTime=_moment(end),
                ScanBy="TimestampAscending",
                **more,
            )
        except RolloutError as error:
            raise Trouble(error.message.rstrip(".")) from error


def open_cloudwatch(where: str, settings: Json) -> CloudWatch:
    """Raises InputError where the settings cannot be right and RolloutError where boto3 or credentials lack."""
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import api as aws_api

    period, lag = settings.get("period", 60), durations.seconds(f"{where}.lag", settings.get("lag", 120.0))
    timeout = durations.positive(f"{where}.timeout", settings.get("timeout", 10.0))
    if period not in (1, 5, 10, 20, 30) and (period <= 0 or period % 60):
        raise InputError(f"{where}: period is {period}; CloudWatch has 1, 5, 10, 20, 30 and multiples of 60 seconds.")
    session = aws_api.open_session({"host": "", **settings, "timeout": timeout})
    return CloudWatch(session.api("cloudwatch", "cloudwatch").call, f"CloudWatch ({session.where})", period, lag)


def data_queries(raw: Json, period: int) -> list[Json]:
    """The user's words as MetricDataQueries, of which only the one named 'result' returns data."""
    if "expression" in raw:
        parts = [
            {"Id": name, "MetricStat": _statistic(one, period), "ReturnData": False}
            for name, one in (raw.get("metrics") or {}).items()
        ]
        return [*parts, {"Id": RESULT, "Expression": raw["expression"], "Period": period, "ReturnData": True}]
    return [{"Id": RESULT, "MetricStat": _statistic(raw, period), "ReturnData": True}]


def shown(raw: Json) -> str:
    """A query in short."""
    if "expression" in raw:
        return str(raw["expression"])
    dimensions = ", ".join(f"{name}={value}" for name, value in (raw.get("dimensions") or {}).items())
    return f"{raw['namespace']} {raw['metric']}{f' ({dimensions})' if dimensions else ''} {raw.get('statistic', 'Average')}"


def _statistic(raw: Json, period: int) -> Json:
    dimensions = [{"Name": str(name), "Value": str(value)} for name, value in (raw.get("dimensions") or {}).items()]
    metric = {"Namespace": raw["namespace"], "MetricName": raw["metric"], "Dimensions": dimensions}
    statistic = {"Metric": metric, "Period": period, "Stat": str(raw.get("statistic", "Average"))}
    return {**statistic, "Unit": raw["unit"]} if raw.get("unit") else statistic


def _check_query(raw: t.Any, where: str) -> None:
    if not isinstance(raw, t.Mapping):
        raise InputError(
            f"{where}: {raw!r} is not a CloudWatch query; give namespace, metric, dimensions and statistic."
        )
    if "expression" in raw:
        _refuse_unknown(raw, EXPRESSION_KEYS, where)
        for name, one in (raw.get("metrics") or {}).items():
            _check_query(one, f"{where}.metrics.{name}")
        return
    _refuse_unknown(raw, METRIC_KEYS, where)
    missing = [name for name in ("namespace", "metric") if not raw.get(name)]
    if missing:
        raise InputError(f"{where}: {missing[0]} is missing.")


def _refuse_unknown(raw: t.Mapping[str, t.Any], known: set[str], where: str) -> None:
    unknown = sorted(set(raw) - known)
    if unknown:
        raise InputError(f"{where}: '{unknown[0]}' is not known; known are {', '.join(sorted(known))}.")


def _refuse_failure(result: Json, place: str) -> None:
    status = result.get("StatusCode", COMPLETE)
    if status in (COMPLETE, PARTIAL):
        return
    reasons = "; ".join(str(message.get("Value")) for message in result.get("Messages", ()))
    raise Trouble(f"{place} answered {status}{f': {reasons}' if reasons else ''}")


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def _epoch(at: t.Any) -> float:
    return float(at.timestamp()) if isinstance(at, datetime.datetime) else float(at)
