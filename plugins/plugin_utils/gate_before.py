# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured before a release: each host's own past, for the gates to compare with, and the traffic, for the plan."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.metrics import balancers, traffic
from ansible_collections.steady.rollout.plugins.module_utils.metrics.traffic import Known, Polled
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, metric_gates
from ansible_collections.steady.rollout.plugins.plugin_utils.gate_power import PlannedGate
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors

Facts = t.Mapping[str, t.Any]
Measure = t.Callable[..., t.Mapping[str, t.Any]]

MOST, PART = 60.0, 5
"""Seconds that are measured by default, but no more than this part of the first gate."""
LOOK = 5.0
"""Seconds between two looks at the counters where nothing is kept."""


@dataclasses.dataclass
class Before:
    """*groups* are the members on either side of the first gate. *measure* is one poll of metric_gate; None keeps nothing."""

    groups: t.Mapping[str, t.Sequence[str]]
    settings: Facts
    executors: Executors
    measure: t.Optional[Measure]
    clock: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._polls: list[Polled] = []

    def measured(self, first: PlannedGate) -> Known | str:
        """Polls until there is enough, and says what is known of the traffic."""
        seconds = self.seconds(first)
        self._read()
        if self.measure is not None and seconds and all(self.groups.values()):
            self._keep(self.measure, seconds)
        if self._polls:
            while self.clock() - self._polls[0].at < LOOK:
                self.sleep(min(LOOK, max(0.1, self._polls[0].at + LOOK - self.clock())))
            self._read()
        members = {member for group in self.groups.values() for member in group}
        return traffic.known(self._polls, members)

    def seconds(self, first: PlannedGate) -> float:
        given = str(self.settings["rollout_metric_before"])
        return durations.seconds("rollout_metric_before", given) if given else min(MOST, first.window / PART)

    def _keep(self, measure: Measure, seconds: float) -> None:
        """Has metric_gate poll into the ledger until its window is over; what it cannot measure is left to the gates."""
        metrics = metric_gates.metrics_of(self.settings, is_alone=False)
        while True:
            controller.leave_if_ended()
            counters = {"counters": self._read()} if metric_gates.counts_needed(metrics) else {}
            polled = measure(
                step="before",
                window=str(seconds),
                interval=str(self.settings["rollout_analysis_interval"]),
                metrics=metrics,
                sources=self.settings["rollout_metric_sources"],
                groups=dict(self.groups),
                **counters,
            )
            if metric_gates.verdict_of(polled):
                return

    def _read(self) -> list[dict[str, t.Any]]:
        """What the nodes count now."""
        counters = metric_gates.read_counters(self._nodes, self.executors)
        try:
            self._polls.append(Polled(self.clock(), balancers.reading_of(counters)))
        except InputError:
            self._polls.clear()
        return counters

    @property
    def _nodes(self) -> list[dict[str, t.Any]]:
        return list(self.settings.get("rollout_traffic_balancers") or self.settings["rollout_balancers"])
