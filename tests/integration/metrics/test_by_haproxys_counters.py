# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate that needs no monitoring: HAProxy's own counters under traffic."""

from __future__ import annotations

import threading
import typing as t

import pytest
from support.haproxy import wait_until

pytestmark = pytest.mark.needs("haproxy")

WINDOW = {"window": "8", "interval": "0.5"}


def verdicts(outcome: t.Any) -> dict[str, str]:
    return {metric["name"]: metric["verdict"] for metric in outcome["metrics"]}


def test_a_good_release_passes(start: t.Any, gate: t.Any) -> None:
    outcome = gate(patient=True, balancers=[start().balancer], **WINDOW)
    assert outcome["verdict"] == "pass", outcome.error
    found = verdicts(outcome)
    assert (found["errors"], found["unhealthy"]) == ("pass", "pass")
    # Milliseconds as whole numbers need some hundred requests to tell a few of them apart.
    assert found["latency"] in ("pass", "no_data")


def test_a_release_that_errs_is_stopped_early(start: t.Any, gate: t.Any) -> None:
    outcome = gate(balancers=[start(errors=0.1).balancer], window="60", interval="0.5")
    assert outcome["verdict"] == "fail"
    assert outcome["elapsed"] < 50
    assert verdicts(outcome)["errors"] == "fail"
    figures = next(one for one in outcome["metrics"] if one["name"] == "errors")["figures"]
    assert figures["canary"] == pytest.approx(0.1, abs=0.03)
    assert figures["baseline"] == 0


def test_a_release_three_times_as_slow_is_stopped(start: t.Any, gate: t.Any) -> None:
    world = start(delay=0.03)
    slow = {"name": "latency", "query": "latency", "judge": True}
    outcome = gate(balancers=[world.balancer], metrics=[slow], window="20", interval="0.5", patient=True)
    assert outcome["verdict"] == "fail", outcome.result
    figures = outcome["metrics"][0]["figures"]
    assert figures["canary"] > 2 * figures["baseline"]


def test_no_traffic_is_no_data(start: t.Any, gate: t.Any) -> None:
    outcome = gate(balancers=[start(users=False).balancer], window="3", interval="0.5")
    assert outcome["verdict"] == "no_data"
    assert outcome["reason"].startswith("errors: only 0 requests of the canary, at least 100 are needed.")


def test_a_reload_midway_is_no_harm(start: t.Any, gate: t.Any) -> None:
    world = start()
    reloads = threading.Timer(3.0, world.node.reload)
    reloads.start()
    outcome = gate(patient=True, balancers=[world.balancer], **WINDOW)
    reloads.join()
    assert outcome["verdict"] == "pass", outcome.error
    # With its counters restarted, it would have fewer requests than before; nothing negative may come of that.
    assert all(one["figures"]["canary"] >= 0 for one in outcome["metrics"])


def test_a_release_that_errs_is_stopped_although_haproxy_is_reloaded(start: t.Any, gate: t.Any) -> None:
    world = start(errors=0.1)
    reloads = threading.Timer(2.0, world.node.reload)
    reloads.start()
    outcome = gate(balancers=[world.balancer], window="60", interval="0.5")
    reloads.join()
    assert outcome["verdict"] == "fail"


def test_a_balancer_that_goes_away_is_no_good_news(start: t.Any, gate: t.Any) -> None:
    world = start()
    stops = threading.Timer(1.5, world.node.__exit__)
    stops.start()
    outcome = gate(balancers=[world.balancer], window="60", interval="0.3")
    stops.join()
    assert (outcome["verdict"], outcome["polls"] < 30) == ("no_data", True)
    assert "no such socket" in outcome["reason"] or "nothing listens there" in outcome["reason"]


def test_a_member_that_refuses_connections_counts_as_errors(start: t.Any, gate: t.Any) -> None:
    world = start()
    # Without its health check it would stay in rotation; with it, the gate sees it unhealthy first.
    world.node.members["app1"].stop()
    wait_until(lambda: world.node.status("app1").startswith("DOWN"), "app1 is down")
    outcome = gate(balancers=[world.balancer], window="20", interval="0.5")
    assert outcome["verdict"] == "fail"
    assert verdicts(outcome)["unhealthy"] == "fail"
