# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gates of a plan will detect, in the plan's words."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.metrics.traffic import Known
from ansible_collections.steady.rollout.plugins.plugin_utils import gate_power
from ansible_collections.steady.rollout.plugins.plugin_utils.gate_power import Forecast, PlannedGate

ERRORS = {"name": "errors", "query": "error_share", "judge": True}
LATENCY = {"name": "latency", "query": "latency", "judge": True}
LIMIT = {"name": "errors", "query": "error_share", "limit": "< 5%"}
SETTINGS: dict[str, t.Any] = {
    "rollout_metric_gate": True,
    "rollout_metrics": [],
    "rollout_metrics_compared": [ERRORS],
    "rollout_metrics_alone": [LIMIT],
    "rollout_metric_sources": {},
    "rollout_metric_policy": {},
    "rollout_metric_window": "5m",
    "rollout_analysis_interval": 10,
    "rollout_stages": [1, "100%"],
}
SHIFT: dict[str, t.Any] = {
    "strategy": "canary",
    "phase": "clearing",
    "groups": {"main": {"app1": "web1", "app2": "web2", "app3": "web3"}, "canary": {"app4": "web4"}},
    "live": "main",
    "candidate": "canary",
    "usual": {"main": 75.0, "canary": 25.0},
    "steps": [
        {"share": 0.0, "bake": 60.0},
        {"share": 25.0, "bake": 300.0},
        {"share": 50.0, "bake": 0.0},
        {"share": 100.0, "bake": 60.0},
    ],
}
STAGES: dict[str, t.Any] = {
    "direction": "forward", "order": ["app2", "app3"], "up_to_date": ["app1"], "stages": [1, 2, 3],
}  # fmt: skip
KNOWN = Known(200.0, 0.003, None)


def test_the_steps_that_bake_with_a_share_are_gates() -> None:
    assert gate_power.planned_gates({"shift": SHIFT}, SETTINGS) == [
        PlannedGate("step 2 (25 %)", 0.25, 1, 3, 300.0),
        PlannedGate("step 4 (100 %)", 1.0, 1, 0, 60.0),
    ]


@pytest.mark.parametrize(
    ("plan", "more"),
    [
        ({"shift": {**SHIFT, "phase": "over"}}, {}),
        ({"shift": SHIFT}, {"rollout_metric_gate": False}),
        (STAGES, {}),
        ({**STAGES, "order": []}, {"rollout_metrics": [ERRORS]}),
        ({**STAGES, "direction": "back"}, {"rollout_metrics": [ERRORS]}),
    ],
    ids=["over", "not judged", "stages without metrics", "nothing to do", "a rollback"],
)
def test_where_nothing_will_be_judged_there_is_no_gate(plan: dict[str, t.Any], more: dict[str, t.Any]) -> None:
    assert gate_power.planned_gates(plan, {**SETTINGS, **more}) == []


def test_a_stage_is_compared_with_the_hosts_that_still_wait() -> None:
    assert gate_power.planned_gates(STAGES, {**SETTINGS, "rollout_metrics": [ERRORS]}) == [
        PlannedGate("stage 2 (2 of 3 hosts)", 2 / 3, 2, 1, 300.0),
        PlannedGate("stage 3 (3 of 3 hosts)", 1.0, 3, 0, 300.0),
    ]


def test_each_gate_has_its_line() -> None:
    gates = gate_power.planned_gates({"shift": SHIFT}, SETTINGS)
    assert gate_power.forecast(gates, 2, KNOWN, SETTINGS) == Forecast(
        [
            "step 2 (25 %): At 200 requests/s and a share of 25 %, twice the errors are detected in about 3 minutes.",
            "step 4 (100 %): nothing is left to compare with, so only the limits are checked.",
        ],
        [],
    )


def test_a_gate_that_sees_nothing_is_a_warning_that_names_what_would_do() -> None:
    gate = PlannedGate("step 1 (5 %)", 0.05, 1, 9, 60.0)
    assert gate_power.forecast([gate], 1, KNOWN, SETTINGS) == Forecast(
        [],
        [
            "step 1 (5 %): At 200 requests/s and a share of 5 %, twice the errors are not detected within 60 seconds: "
            "give 20 % or 5 minutes."
        ],
    )


@pytest.mark.parametrize(
    ("metrics", "known", "line", "is_warning"),
    [
        ([ERRORS], "no balancer was read", "what it detects is not known, because no balancer was read.", False),
        ([LIMIT], KNOWN, "only the limits are checked.", False),
        (
            [LATENCY],
            KNOWN,
            "At 200 requests/s and a share of 25 %, latencies are judged, how soon is not known.",
            False,
        ),
        (
            [LATENCY],
            KNOWN._replace(noise=0.1),
            "At 200 requests/s and a share of 25 %, latency up by half in about 90 seconds.",
            False,
        ),
        (
            [ERRORS],
            KNOWN._replace(rate=0.0),
            "Nothing can be judged: the gate has no traffic of both versions to compare.",
            True,
        ),
    ],
)
def test_what_is_judged_decides_what_is_said(
    metrics: list[dict[str, t.Any]], known: Known | str, line: str, is_warning: bool
) -> None:
    gate = PlannedGate("step 2 (25 %)", 0.25, 1, 3, 300.0)
    found = gate_power.forecast([gate], 2, known, {**SETTINGS, "rollout_metrics": metrics})
    assert found == (
        Forecast([], [f"step 2 (25 %): {line}"]) if is_warning else Forecast([f"step 2 (25 %): {line}"], [])
    )


def test_a_gate_with_nobody_to_compare_with_and_no_limit_judges_nothing() -> None:
    gate = PlannedGate("stage 2 (3 of 3 hosts)", 1.0, 3, 0, 300.0)
    assert gate_power.forecast([gate], 2, KNOWN, {**SETTINGS, "rollout_metrics": [ERRORS]}) == Forecast(
        [],
        [
            "stage 2 (3 of 3 hosts): nothing is judged, because nothing is left to compare with and no metric has a "
            "limit; give one, such as limit '< 1%'."
        ],
    )


def test_who_is_measured_before_the_release() -> None:
    hosts = [{"name": "app2", "member": "web2"}, {"name": "app3", "member": "web3"}]
    assert gate_power.groups_before(STAGES, hosts) == {"canary": ["web2"], "baseline": ["web3"]}
    assert gate_power.groups_before({"shift": SHIFT}, []) == {
        "canary": ["web4"],
        "baseline": ["web1", "web2", "web3"],
    }


@pytest.mark.parametrize(
    ("plan", "has_past"),
    [
        ({"shift": SHIFT}, True),
        ({"shift": {**SHIFT, "phase": "shifting"}}, False),
        ({"shift": {**SHIFT, "usual": {"main": 100.0, "canary": 0.0}}}, False),
        (STAGES, True),
        ({**STAGES, "order": ["app3"]}, False),
    ],
    ids=["canary", "the canary is on its version already", "an idle colour", "stages", "one host is left"],
)
def test_hosts_are_measured_where_both_sides_serve_the_version_before(plan: dict[str, t.Any], has_past: bool) -> None:
    assert gate_power.has_past(plan) is has_past


def test_the_gates_of_a_rollout_share_one_budget_whichever_are_over() -> None:
    assert gate_power.gates_in_all({"shift": SHIFT}, SETTINGS) == 2
    assert gate_power.gates_in_all(STAGES, {**SETTINGS, "rollout_stages": [1, "50%", "100%"]}) == 3
