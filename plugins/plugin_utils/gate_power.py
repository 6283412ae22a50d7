# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each gate of a plan will see, said before the rollout starts: from the plan, the traffic and the settings."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.judge import decide, power, spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import Metric
from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan as gate_plan
from ansible_collections.steady.rollout.plugins.module_utils.metrics.traffic import Known
from ansible_collections.steady.rollout.plugins.plugin_utils import metric_gates

Facts = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class PlannedGate:
    """*share* is the new version's part of the traffic, *canary* and *baseline* are numbers of hosts, *window* seconds."""

    name: str
    share: float
    canary: int
    baseline: int
    window: float


class Forecast(t.NamedTuple):
    lines: t.List[str]
    warnings: t.List[str]


def planned_gates(plan: Facts, settings: Facts) -> list[PlannedGate]:
    """The gates at which metrics are judged."""
    return _of_shift(plan["shift"], settings) if plan.get("shift") else _of_stages(plan, settings)


def _of_shift(shift: Facts, settings: Facts) -> list[PlannedGate]:
    if not settings["rollout_metric_gate"] or shift["phase"] == "over":
        return []
    canary, live = (len(shift["groups"][shift[side]]) for side in ("candidate", "live"))
    return [
        PlannedGate(
            f"step {number} ({step['share']:g} %)",
            step["share"] / 100,
            canary,
            live if step["share"] < 100 else 0,
            float(step["bake"]),
        )
        for number, step in enumerate(shift["steps"], start=1)
        if step["bake"] and step["share"]
    ]


def _of_stages(plan: Facts, settings: Facts) -> list[PlannedGate]:
    """A stage is judged when all its hosts are proven; the baseline are those that still wait."""
    there, order = len(plan["up_to_date"]), len(plan["order"])
    if not settings["rollout_metrics"] or not order or plan["direction"] != "forward":
        return []
    window = durations.seconds("rollout_metric_window", settings["rollout_metric_window"])
    everyone = there + order
    last_of = [min(last, everyone) for last in plan["stages"] if last > there]
    return [
        PlannedGate(f"stage {number} ({last} of {everyone} hosts)", last / everyone, last, everyone - last, window)
        for number, last in enumerate(last_of, start=1 + len(plan["stages"]) - len(last_of))
    ]


def groups_before(plan: Facts, hosts: t.Sequence[Facts]) -> dict[str, list[str]]:
    """The members on either side of the first gate, those that are on the new version already left out."""
    if plan.get("shift"):
        shift = plan["shift"]
        sides = {"canary": shift["candidate"], "baseline": shift["live"]}
        return {side: list(shift["groups"][group].values()) for side, group in sides.items()}
    member_of = {host["name"]: host.get("member") or host["name"] for host in hosts}
    waiting = [member_of.get(name, name) for name in plan["order"]]
    return {"canary": waiting[:1], "baseline": waiting[1:]}


def has_past(plan: Facts) -> bool:
    """Whether both sides serve the version before now, so that each host can be measured before the release."""
    shift = plan.get("shift")
    if not shift:
        return len(plan["order"]) > 1
    return shift["phase"] == "clearing" and bool(shift["usual"].get(shift["candidate"]))


def gates_in_all(plan: Facts, settings: Facts) -> int:
    """How many gates share one chance of a false stop, those that are over included."""
    return metric_gates.steps_judged(plan["shift"]) if plan.get("shift") else len(settings["rollout_stages"])


def forecast(gates: t.Sequence[PlannedGate], number: int, known: Known | str, settings: Facts) -> Forecast:
    """A line for each gate; *number* is that of all gates. What cannot see anything is a warning."""
    found = Forecast([], [])
    given = settings["rollout_metric_policy"]
    policy = spec.parse_policy(metric_gates.policy_options(given, number)["judge"])
    for gate in gates:
        metrics = _metrics(gate, settings)
        if not gate.baseline:
            is_limited = any(metric.limit is not None for metric in metrics)
            _add(found, gate, _ALONE if is_limited else _NOTHING, is_blind=not is_limited)
        elif not any(metric.compares for metric in metrics):
            _add(found, gate, _LIMITS, is_blind=False)
        elif isinstance(known, str):
            _add(found, gate, f"what it detects is not known, because {known}.", is_blind=False)
        else:
            sight = power.seen(_traffic(gate, known), policy, _polled(gate, metrics, settings))
            _add(found, gate, sight.text, sight.is_blind)
    return found


_ALONE = "nothing is left to compare with, so only the limits are checked."
_NOTHING = "nothing is judged, because nothing is left to compare with and no metric has a limit; give one, such as limit '< 1%'."
_LIMITS = "only the limits are checked."


def _add(found: Forecast, gate: PlannedGate, text: str, is_blind: bool) -> None:
    (found.warnings if is_blind else found.lines).append(f"{gate.name}: {text}")


def _traffic(gate: PlannedGate, known: Known) -> power.Traffic:
    return power.Traffic(known.rate, known.error_share, gate.share, gate.canary, gate.baseline, known.noise)


def _polled(gate: PlannedGate, metrics: t.Sequence[Metric], settings: Facts) -> power.Gate:
    interval = durations.seconds("rollout_analysis_interval", settings["rollout_analysis_interval"])
    tests = sum(decide.tests(metric) for metric in metrics)
    kinds = tuple(sorted({metric.kind for metric in metrics if metric.compares and not metric.dry_run}))
    return power.Gate(gate.window, min(interval, gate.window), max(1, tests), kinds)


def _metrics(gate: PlannedGate, settings: Facts) -> tuple[Metric, ...]:
    return gate_plan.metrics_of(
        metric_gates.metrics_of(settings, is_alone=not gate.baseline), settings["rollout_metric_sources"]
    )
