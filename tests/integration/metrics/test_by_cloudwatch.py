# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate by CloudWatch: a fake of it, asked through the real boto3."""

from __future__ import annotations

import time
import typing as t

import pytest
from support.cloudwatch import FakeCloudWatch
from support.ledger_client import FakeClock

from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan as plans
from ansible_collections.steady.rollout.plugins.module_utils.metrics import report
from ansible_collections.steady.rollout.plugins.module_utils.metrics.balancers import Reading
from ansible_collections.steady.rollout.plugins.module_utils.metrics.gate import Gate
from ansible_collections.steady.rollout.plugins.module_utils.metrics.gate_store import LocalGateStore

ELB = "AWS/ApplicationELB"
GROUPS = {"canary": ["green"], "baseline": ["blue"]}
MINUTES = 20


def counted(name: str) -> dict[str, t.Any]:
    return {"namespace": ELB, "metric": name, "statistic": "Sum", "dimensions": {"TargetGroup": "tg/$group"}}


ERRORS = {
    "name": "errors",
    "source": "aws",
    "kind": "share",
    "judge": True,
    "query": {"bad": counted("HTTPCode_Target_5XX_Count"), "total": counted("RequestCount"), "absent": "zero"},
}


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[FakeCloudWatch]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with FakeCloudWatch() as fake:
        yield fake


class Watched:
    """A step that began on a full minute, and what both target groups did before, in and after it."""

    def __init__(self, cloudwatch: FakeCloudWatch) -> None:
        self.cloudwatch = cloudwatch
        self.clock = FakeClock()
        self.clock.time = (time.time() // 60) * 60

    def traffic(self, group: str, requests: float, errors: float = 0.0, seconds: t.Sequence[float] = ()) -> None:
        times = [self.clock.time + 60 * minute + 30 for minute in range(-5, MINUTES + 5)]
        self.cloudwatch.put(ELB, "RequestCount", [(at, requests) for at in times], TargetGroup=f"tg/{group}")
        if errors:
            points = [(at, errors) for at in times]
            self.cloudwatch.put(ELB, "HTTPCode_Target_5XX_Count", points, TargetGroup=f"tg/{group}")
        latencies = [(at, one) for at in times for one in seconds]
        self.cloudwatch.put(ELB, "TargetResponseTime", latencies, TargetGroup=f"tg/{group}")

    def gate(self, *metrics: dict[str, t.Any], **settings: t.Any) -> dict[str, t.Any]:
        params = {
            "window": f"{MINUTES}m",
            "interval": "1m",
            "groups": GROUPS,
            "metrics": list(metrics),
            "sources": {"aws": {"type": "cloudwatch", "region": "eu-west-1", **settings}},
            **dict.fromkeys(("on_inconclusive", "on_no_data", "on_error"), "stop"),
        }
        plan = plans.from_params(params, lambda *dummy, **more: (0, "", ""))
        gate = Gate(plan, LocalGateStore("gate", self.clock.clock()), lambda: Reading({}, {}, {}))
        return report.result(gate.until_decided(), plan)


@pytest.fixture
def watched(cloudwatch: FakeCloudWatch) -> Watched:
    return Watched(cloudwatch)


def test_a_good_release_passes_although_there_is_no_number_of_errors(watched: Watched) -> None:
    watched.traffic("canary", 100)
    watched.traffic("baseline", 2000)
    result = watched.gate(ERRORS)
    assert result["verdict"] == "pass", result["reason"]
    figures = result["metrics"][0]["figures"]
    # Read 120 s late: the last two of twenty minutes are not there yet.
    assert (figures["canary_requests"], figures["baseline_requests"]) == (1800, 36000)


def test_a_release_that_errs_fails(watched: Watched) -> None:
    watched.traffic("canary", 100, errors=10)
    watched.traffic("baseline", 2000, errors=20)
    result = watched.gate(ERRORS)
    assert result["verdict"] == "fail"
    assert result["elapsed"] < 60 * MINUTES
    assert result["metrics"][0]["figures"]["canary"] == pytest.approx(0.1)


def test_a_number_of_errors_that_is_missing_is_no_data_unless_said(watched: Watched) -> None:
    watched.traffic("canary", 100)
    watched.traffic("baseline", 2000)
    strict = {**ERRORS, "query": {"bad": counted("HTTPCode_Target_5XX_Count"), "total": counted("RequestCount")}}
    result = watched.gate(strict)
    assert result["verdict"] == "no_data"
    assert "there is a total but no number of bad ones for group 'canary'" in result["reason"]


def test_percentiles_against_the_baseline(watched: Watched) -> None:
    watched.traffic("canary", 100, seconds=[0.1, 0.2, 0.9])
    watched.traffic("baseline", 100, seconds=[0.1, 0.1, 0.2])
    p90 = {
        "namespace": ELB,
        "metric": "TargetResponseTime",
        "statistic": "p90",
        "dimensions": {"TargetGroup": "tg/$group"},
    }
    result = watched.gate({"name": "p90", "source": "aws", "unit": "s", "baseline": "< 2x", "query": p90})
    assert result["verdict"] == "fail"
    assert result["metrics"][0]["figures"]["ratio"] == pytest.approx(0.76 / 0.18, rel=0.01)


def test_an_expression_over_several_pages(watched: Watched) -> None:
    watched.cloudwatch.page_size = 3
    watched.traffic("canary", 200, errors=1)
    share = {
        "expression": "100 * FILL(bad, 0) / total",
        "metrics": {"bad": counted("HTTPCode_Target_5XX_Count"), "total": counted("RequestCount")},
    }
    metric = {"name": "percent", "source": "aws", "limit": "< 1", "query": {"canary": share}}
    result = watched.gate(metric)
    assert result["verdict"] == "pass", result["reason"]
    assert result["metrics"][0]["figures"]["canary"] == pytest.approx(0.5)
    assert result["metrics"][0]["figures"]["measurements"] == MINUTES - 2


def test_what_may_not_be_read_is_an_error(watched: Watched) -> None:
    watched.traffic("canary", 100)
    watched.cloudwatch.status = "Forbidden"
    result = watched.gate(ERRORS)
    assert result["verdict"] == "no_data"
    assert "CloudWatch (AWS eu-west-1) answered Forbidden: the test says so" in result["reason"]


def test_a_window_shorter_than_the_lag_has_no_data(watched: Watched) -> None:
    watched.traffic("canary", 100)
    result = watched.gate(ERRORS, lag=60 * MINUTES)
    assert result["verdict"] == "no_data"
    assert "none of which has begun and ended within the step yet" in result["reason"]
