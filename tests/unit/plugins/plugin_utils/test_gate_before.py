# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring the hosts before a release, with a clock that stands still unless something waits."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from support.scripted_executors import ScriptedExecutors

from ansible_collections.steady.rollout.plugins.module_utils.metrics.traffic import Known
from ansible_collections.steady.rollout.plugins.plugin_utils.gate_before import Before
from ansible_collections.steady.rollout.plugins.plugin_utils.gate_power import PlannedGate

LB1 = {"host": "lb1", "socket": "/a", "pool": "shop"}
SETTINGS: dict[str, t.Any] = {
    "rollout_balancers": [LB1],
    "rollout_metrics": [],
    "rollout_metrics_compared": [{"name": "errors"}],
    "rollout_metric_sources": {},
    "rollout_metric_before": "",
    "rollout_analysis_interval": 10,
}
GROUPS = {"canary": ["web1"], "baseline": ["web2"]}
FIRST = PlannedGate("step 1 (5 %)", 0.05, 1, 1, 300.0)


class World:
    """100 requests/s, each a second apart from the next poll. *verdicts* are what metric_gate says in turn."""

    def __init__(self, *verdicts: str, groups: t.Any = None, keeps: bool = True, **settings: t.Any) -> None:
        self.now = 50.0
        self.asked: list[dict[str, t.Any]] = []
        self._verdicts = list(verdicts)
        executors = ScriptedExecutors(self._answer)
        self.before = Before(
            GROUPS if groups is None else groups,
            {**SETTINGS, **settings},
            t.cast("t.Any", executors),
            self._measure if keeps else None,
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _measure(self, **options: t.Any) -> dict[str, t.Any]:
        self.asked.append(options)
        self.now += 10.0
        return {"verdict": self._verdicts.pop(0)}

    def _answer(self, host: str, module: str, given: dict[str, t.Any]) -> t.Any:
        count = {"requests": int(50 * self.now), "errors": 0, "latency": None, "timed": 0, "window": 512}
        members = {name: {"operational": "up", "counters": count} for name in ("web1", "web2")}
        return {"host": host, "pool": "shop", "series": "1", "members": members}


def test_polls_are_kept_until_the_time_is_over_and_show_the_traffic() -> None:
    world = World("wait", "wait", "not_judged")
    assert world.before.measured(FIRST) == Known(100.0, 0.0, None)
    assert [given["step"] for given in world.asked] == ["before"] * 3
    assert {given["window"] for given in world.asked} == {"60.0"}
    assert world.asked[0]["groups"] == GROUPS
    assert len(world.asked[0]["counters"]) == 1


@pytest.mark.parametrize(
    ("given", "window", "seconds"), [("", 300.0, 60.0), ("", 50.0, 10.0), ("2m", 50.0, 120.0), ("0", 300.0, 0.0)]
)
def test_how_long_the_hosts_are_measured(given: str, window: float, seconds: float) -> None:
    world = World(rollout_metric_before=given)
    assert world.before.seconds(dataclasses.replace(FIRST, window=window)) == seconds


@pytest.mark.parametrize(
    ("keeps", "groups", "settings"),
    [
        (False, GROUPS, {}),
        (True, GROUPS, {"rollout_metric_before": 0}),
        (True, {"canary": ["web1"], "baseline": []}, {}),
    ],
    ids=["check mode", "not wanted", "nobody to compare with"],
)
def test_where_nothing_is_kept_two_polls_show_the_traffic(
    keeps: bool, groups: dict[str, list[str]], settings: dict[str, t.Any]
) -> None:
    world = World(keeps=keeps, groups=groups, **settings)
    found = world.before.measured(FIRST)
    assert isinstance(found, Known)
    assert found.rate == 50.0 * sum(map(len, groups.values()))
    assert (world.asked, world.now) == ([], 55.0)


def test_metrics_of_another_source_are_kept_without_counters() -> None:
    world = World("not_judged", rollout_metrics=[{"name": "p95", "source": "prom"}])
    world.before.measured(FIRST)
    assert "counters" not in world.asked[0]


def test_without_balancers_nothing_is_known() -> None:
    world = World("not_judged", rollout_balancers=[])
    assert world.before.measured(FIRST) == "no balancer was read"
