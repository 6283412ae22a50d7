# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a stage, or a step of a shift, is judged by metrics: what is asked for, and what is made of the answer."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.balancer_calls import error_of, node_of, on_balancer
from ansible_collections.steady.rollout.plugins.plugin_utils.failures import failure_text, is_bad
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import why_missing
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors

Facts = t.Mapping[str, t.Any]

LETS_PASS = ("pass", "not_judged")
"""Verdicts of the metrics after which the user's own steps are asked."""
TASKS = "rollout_gate_tasks"
"""The setting that names those steps."""
POLICY = ("judge", "on_inconclusive", "on_no_data", "on_error", "on_not_judged", "wait_limit")


def policy_options(policy: Facts, gates: int) -> dict[str, t.Any]:
    """The options of metric_gate that rollout_metric_policy sets; *gates* share one chance of a false stop."""
    options = {name: policy[name] for name in POLICY if name in policy}
    return {**options, "judge": {"gates": max(1, gates), **(policy.get("judge") or {})}}


def unless_steps_are_missing(verdict: dict[str, t.Any], settings: Facts) -> dict[str, t.Any]:
    """The verdict, or a failure where it would let the user's own steps judge and their file is not there."""
    path = settings[TASKS] if verdict.get("verdict") in LETS_PASS else ""
    missing = why_missing(TASKS, path, settings["__rollout_search_paths"]) if path else ""
    return {"verdict": "fail", "reason": missing} if missing else verdict


def steps_judged(shift: Facts) -> int:
    """How many steps of a shift are gates."""
    return sum(1 for step in shift["steps"] if step["bake"] and step["share"])


def metrics_of(settings: Facts, is_alone: bool) -> list[dict[str, t.Any]]:
    """The metrics of a gate; *is_alone* where no host is left to compare with."""
    usual = settings.get("rollout_metrics_alone" if is_alone else "rollout_metrics_compared")
    return list(settings["rollout_metrics"] or usual or [])


def counts_needed(metrics: t.Sequence[Facts]) -> bool:
    """Whether what the load balancers count is asked for; it is where no metric is named at all."""
    return not metrics or any(metric.get("source", "balancer") == "balancer" for metric in metrics)


def read_counters(balancers: t.Sequence[dict[str, t.Any]], executors: Executors) -> list[dict[str, t.Any]]:
    """What every node counts, as results of lb_member_info; a node that fails is no data."""
    outcomes = executors.together([on_balancer(one, "lb_member_info", counters=True) for one in balancers])
    return [
        {"failed": True, "msg": error_of(one), "host": node_of(one)} if one.failed else one.result for one in outcomes
    ]


def verdict_of(measured: Facts) -> dict[str, t.Any]:
    """What a poll of metric_gate, or a comparison, reports to the ledger; nothing while there is no verdict.

    No measure is no good news.
    """
    if is_bad(measured):
        return {"verdict": "no_data", "reason": failure_text(measured)}
    if measured.get("verdict", "wait") == "wait":
        return {}
    metrics = [{key: one.get(key) for key in ("name", "verdict", "reason")} for one in measured.get("metrics") or []]
    return {
        "verdict": measured["verdict"],
        "reason": measured.get("reason") or measured.get("msg") or "",
        "evidence": {"metrics": metrics},
    }
