# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate by a real Prometheus that scrapes a real HAProxy, and by a real Alertmanager."""

from __future__ import annotations

import pathlib
import threading
import typing as t

import pytest
from support.haproxy import wait_until
from support.monitoring import HAPROXY_ERRORS, HAPROXY_RESPONSES, Alertmanager, Prometheus

pytestmark = pytest.mark.needs("haproxy", "prometheus")

SLOW = {"window": "12", "interval": "2"}


@pytest.fixture
def watched(start: t.Any, tmp_path: pathlib.Path) -> t.Iterator[t.Any]:
    """Starts a HAProxy that a Prometheus scrapes."""
    running: list[Prometheus] = []

    def begun(**options: t.Any) -> Prometheus:
        world = start(**options)
        prometheus = Prometheus(tmp_path, {"haproxy": [world.exporter]})
        prometheus.start()
        running.append(prometheus)
        wait_until(lambda: prometheus.number(f"sum(rate({HAPROXY_RESPONSES}[3s]))") is not None, "it has scraped", 30)
        return prometheus

    yield begun
    for one in running:
        one.stop()


def source(prometheus: Prometheus, **settings: t.Any) -> dict[str, t.Any]:
    return {"prometheus": {"type": "prometheus", "url": prometheus.url, "timeout": 2, **settings}}


def test_a_good_release_passes_by_its_members(watched: t.Any, gate: t.Any) -> None:
    outcome = gate(patient=True, sources=source(watched()), metrics=[HAPROXY_ERRORS], **SLOW)
    assert outcome["verdict"] == "pass", outcome.result
    figures = outcome["metrics"][0]["figures"]
    assert (figures["canary"], figures["baseline"]) == (0, 0)
    assert figures["baseline_requests"] > figures["canary_requests"] > 100


def test_a_bad_release_fails(watched: t.Any, gate: t.Any) -> None:
    outcome = gate(sources=source(watched(errors=0.2)), metrics=[HAPROXY_ERRORS], window="60", interval="2")
    assert outcome["verdict"] == "fail", outcome.result
    assert outcome["metrics"][0]["figures"]["canary"] == pytest.approx(0.2, abs=0.05)


def test_a_range_query_has_points_of_its_own(watched: t.Any, gate: t.Any) -> None:
    metric = {
        "name": "rate",
        "source": "prometheus",
        "limit": "> 0",
        "minimum": 3,
        "query": f'sum by (server) (rate({HAPROXY_RESPONSES}{{proxy="shop", server=~"$members"}}[2s]))',
    }
    made = source(watched(), range=True, step=1)
    outcome = gate(sources=made, metrics=[metric], window="6", interval="3")
    assert outcome["verdict"] == "pass", outcome.result
    assert outcome["metrics"][0]["figures"]["measurements"] >= 5
    assert outcome["polls"] == 3


@pytest.mark.parametrize(
    ("query", "outcome_of_it", "why"),
    [
        ("no_such_metric", "no_data", "has no data for 'no_such_metric': the result is empty"),
        ("vector(0) / vector(0)", "no_data", "none of its 1 series names a group or a member, or all are NaN"),
        ("rate(x[", "error", "answered 400: "),
    ],
)
def test_what_prometheus_does_not_know_is_never_zero(
    watched: t.Any, gate: t.Any, query: str, outcome_of_it: str, why: str
) -> None:
    metric = {"name": "m", "source": "prometheus", "limit": "< 1", "minimum": 1, "query": query}
    outcome = gate(sources=source(watched()), metrics=[metric], window="2", interval="1")
    assert outcome["verdict"] == "no_data"
    assert outcome["metrics"][0]["outcome"] == outcome_of_it
    assert why in outcome["reason"]


def test_prometheus_that_goes_down_is_no_good_news(watched: t.Any, gate: t.Any) -> None:
    prometheus = watched()
    stops = threading.Timer(3.0, prometheus.stop)
    stops.start()
    outcome = gate(sources=source(prometheus), metrics=[HAPROXY_ERRORS], window="60", interval="1")
    stops.join()
    assert outcome["verdict"] == "no_data"
    assert outcome["elapsed"] < 30
    assert "could not be measured 5 times in a row" in outcome["reason"]
    assert "refused the connection" in outcome["reason"]


def test_prometheus_that_goes_down_may_be_let_pass(watched: t.Any, gate: t.Any) -> None:
    prometheus = watched()
    prometheus.stop()
    outcome = gate(sources=source(prometheus), metrics=[HAPROXY_ERRORS], window="4", interval="1", on_error="go_on")
    assert (outcome["verdict"], outcome["judged"]) == ("not_judged", "no_data")


@pytest.mark.needs("alertmanager")
def test_an_alert_that_fires_stops_it_at_once_and_is_named(gate: t.Any, tmp_path: pathlib.Path) -> None:
    alerts = {"name": "alerts", "source": "alerts", "query": ['service="shop"']}
    with Alertmanager(tmp_path) as alertmanager:
        sources = {"alerts": {"type": "alertmanager", "url": alertmanager.url}}
        alertmanager.fire("Elsewhere", service="cart")
        assert gate(sources=sources, metrics=[alerts], window="2", interval="0.5")["verdict"] == "pass"
        alertmanager.fire("ShopIsSlow", service="shop", instance="app1")
        outcome = gate(sources=sources, metrics=[alerts], window="60", interval="0.5")
        assert (outcome["verdict"], outcome["polls"]) == ("fail", 1)
        assert "It names ShopIsSlow (app1)." in outcome["reason"]
        alertmanager.silence("ShopIsSlow")
        assert gate(sources=sources, metrics=[alerts], window="2", interval="0.5")["verdict"] == "pass"
