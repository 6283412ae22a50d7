# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call of metric_gate asks for."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan
from ansible_collections.steady.rollout.plugins.module_utils.metrics.plan import Plan

GROUPS = {"canary": ["app1"], "baseline": ["app2"]}
PROMETHEUS = {"prom": {"type": "prometheus", "url": "http://prom:9090"}}
ALERTS = {"alerts": {"type": "alertmanager", "url": "http://am:9093"}}


def planned(**params: t.Any) -> Plan:
    options: dict[str, t.Any] = {"window": "300", "interval": "10", "groups": GROUPS}
    options.update(dict.fromkeys(("on_inconclusive", "on_no_data", "on_error"), "stop"))
    return plan.from_params({**options, **params}, lambda *dummy, **dummy_options: (0, "", ""))


def test_without_metrics_the_balancers_are_asked() -> None:
    made = planned()
    assert [(one.name, one.source, one.query, one.kind) for one in made.metrics] == [
        ("errors", "balancer", "error_share", "share"),
        ("latency", "balancer", "latency", "value"),
        ("unhealthy", "balancer", "unhealthy_share", "value"),
    ]
    assert [one.critical for one in made.metrics] == [True, False, False]
    assert (made.metrics[1].unit, made.metrics[1].on_no_data) == ("ms", "ignore")
    assert made.needs_balancers
    assert made.hosts == {"canary": 1, "baseline": 1}
    assert (made.window, made.interval) == (300.0, 10.0)


def test_times_may_have_units() -> None:
    made = planned(window="5m", interval="30s")
    assert (made.window, made.interval) == (300.0, 30.0)
    assert planned(window="5", interval="30s").interval == 5.0


def test_a_metric_of_the_balancers_has_the_kind_of_its_query() -> None:
    made = planned(metrics=[{"name": "m", "limit": "< 1%"}, {"name": "n", "query": "p95", "limit": "< 1s"}])
    assert [(one.query, one.kind, one.unit) for one in made.metrics] == [
        ("error_share", "share", ""),
        ("p95", "value", "ms"),
    ]
    assert made.metrics[1].limit is not None
    assert made.metrics[1].limit.high == 1000.0


def test_one_alert_that_fires_is_enough() -> None:
    (metric,) = planned(sources=ALERTS, metrics=[{"name": "alerts", "source": "alerts"}]).metrics
    assert (metric.limit and metric.limit.text, metric.minimum, metric.max_failures) == ("<= 0", 1, 0)
    assert metric.critical
    words = {"name": "alerts", "source": "alerts", "limit": "< 3", "max_consecutive_failures": 2, "critical": False}
    (metric,) = planned(sources=ALERTS, metrics=[words]).metrics
    assert (metric.limit and metric.limit.text, metric.max_failures, metric.max_consecutive_failures) == (
        "< 3",
        None,
        2,
    )
    assert not metric.critical


def test_without_a_baseline_only_limits_decide() -> None:
    metrics = [{"name": "both", "limit": "< 5%", "judge": True}, {"name": "relative", "judge": True}]
    made = planned(groups={"canary": ["app1"], "baseline": []}, metrics=metrics)
    assert [(one.name, one.compares) for one in made.metrics] == [("both", False)]
    assert made.set_aside == {"relative": "there is no baseline to compare with"}


def test_sources_that_know_who_is_who_need_no_groups() -> None:
    metrics = [{"name": "m", "source": "prom", "query": {"canary": "a", "baseline": "b"}, "judge": True}]
    made = planned(groups=None, sources=PROMETHEUS, metrics=metrics)
    assert (made.groups, made.set_aside, made.needs_balancers) == ({}, {}, False)
    assert made.metrics[0].judge


def test_looking_on_is_limited_to_the_window_unless_said() -> None:
    assert planned().policies.limit == 0.0
    assert planned(on_no_data="wait").policies.limit == 300.0
    assert planned(on_no_data="wait", wait_limit="1m").policies.limit == 60.0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"window": "0"}, "window: expected more than 0 s, found 0."),
        (
            {"interval": "often"},
            "interval: 'often' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        (
            {"interval": "0.1"},
            "interval: 0.1 s is more than 2000 polls in 300 s; use a longer interval.",
        ),
        (
            {"metrics": [{"name": "m", "source": "prom", "limit": "< 1"}]},
            "metrics: there is no source 'prom'; there are balancer. Define it in sources.",
        ),
        (
            {"sources": PROMETHEUS, "metrics": [{"name": "m", "source": "prom", "limit": "< 1"}]},
            "metrics.m: query is missing; say what to ask prom.",
        ),
        ({"groups": {"green": []}}, "groups: 'green' is not a group; the groups are canary and baseline."),
        ({"groups": {"canary": "app1"}}, "groups: canary is 'app1', not a list of members."),
        (
            {"groups": {"canary": ["a"], "baseline": ["a"]}},
            "groups: 'a' is in both groups; a member is on the new version or it is not.",
        ),
        (
            {"groups": None},
            "groups: canary is empty; list the members on the new version, by the names that the balancers use.",
        ),
        (
            {"metrics": [{"name": "m"}]},
            "metrics.m: no criterion is set; give a limit, a baseline or judge: true.",
        ),
        ({"metrics": ["m"]}, "metrics: number 1 has no name; give it one, for example 'error_share'."),
    ],
)
def test_what_cannot_be_right(params: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        planned(**params)
    assert caught.value.message == message
