# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One gate: polls its sources, keeps what it measured, and has it judged until there is a verdict."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.judge.decide import decide
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    FAIL,
    NO_DATA,
    NOT_JUDGED,
    WAIT,
    Evidence,
    Progress,
    Verdict,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.measurements import BEFORE, Watch
from ansible_collections.steady.rollout.plugins.module_utils.metrics import policies, report, sources
from ansible_collections.steady.rollout.plugins.module_utils.metrics.balancers import Balancers, Reading
from ansible_collections.steady.rollout.plugins.module_utils.metrics.gate_store import GateStore, Gathered
from ansible_collections.steady.rollout.plugins.module_utils.metrics.measure import measure
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Measurement, Moment
from ansible_collections.steady.rollout.plugins.module_utils.metrics.plan import NO_BASELINE, Plan
from ansible_collections.steady.rollout.plugins.module_utils.metrics.policies import PAUSED, Decision, Standing
from ansible_collections.steady.rollout.plugins.module_utils.metrics.report import Outcome

CONTROL_EVERY = 0.5
"""Seconds between two reads of the operator's commands and of whether the controller still waits."""
# A poll that comes this much before the end of the window is the last one all the same: clocks and sleeps are not exact.
NEARLY = 0.01

ReadBalancers = t.Callable[[], Reading]


class Gate:
    """*read_balancers* gives the counters of now; it is asked only where a metric is judged by them."""

    def __init__(self, plan: Plan, store: GateStore, read_balancers: ReadBalancers) -> None:
        self._plan = plan
        self._store = store
        self._read_balancers = read_balancers

    def until_decided(self) -> Outcome:
        """Polls every interval until there is a verdict."""
        while True:
            outcome = self.once()
            if outcome.is_over:
                return outcome

    def once(self) -> Outcome:
        """One poll. Where it decides nothing it returns when the next one is due, or when the operator has decided."""
        watch = self._store.begin()
        if watch.verdict is not None:
            return report.recalled(watch)
        steering = self._wait_while_paused()
        if steering:
            return self._steered(watch, steering)
        outcome = self._poll(watch)
        if outcome.is_over:
            self._store.conclude(report.recorded(outcome), outcome.decision.reason)
            return outcome
        if outcome.decision.asks:
            self._store.ask(outcome.watch, outcome.decision.reason)
            return dataclasses.replace(outcome, steering=PAUSED)
        return self._rest(outcome)

    def glimpse(self) -> Outcome:
        """One poll without consequences: it shows whether every source answers."""
        return self._poll(self._store.begin())

    def _poll(self, watch: Watch) -> Outcome:
        if not self._plan.metrics:
            standing = self._standing(watch)
            decision = policies.not_judged(f"{NO_BASELINE}.", self._plan.policies, standing)
            return self._over(watch, decision, Verdict(NOT_JUDGED, decision.reason, (), None), ())
        gathered = self._store.gathered()
        watch, measurements = self._measured(watch, gathered)
        self._store.keep(watch, measurements)
        for one in measurements:
            gathered.add(one.at, one.metric, one.outcome, one.why, one.samples)
        standing = self._standing(watch)
        if watch.step == BEFORE:
            return self._over(watch, policies.before(standing), None, measurements)
        judged = self._judged(gathered, watch, standing)
        outcomes = {one.metric: one.outcome for one in measurements}
        decision = policies.decided(judged, outcomes, self._plan.policies, standing)
        return self._over(watch, _named(decision, judged, measurements), judged, measurements)

    def _measured(self, watch: Watch, gathered: Gathered) -> tuple[Watch, tuple[Measurement, ...]]:
        """The measurements of now, and the gate as it stands with them."""
        opened = dict(self._plan.sources)
        reading = self._read_balancers() if self._plan.needs_balancers else Reading({}, {}, {})
        now = self._store.clock.now()
        balancers = Balancers(reading, json.loads(watch.books))
        opened[sources.BALANCER] = balancers
        since = watch.began_at if watch.polled_at is None else watch.polled_at
        moment = Moment(now, watch.began_at, since, self._plan.groups, reading.aliases)
        measurements = []
        for metric in self._plan.metrics:
            measurements.append(measure(metric, opened[metric.source], moment, gathered.latest(metric.name)))
            self._store.beat()
        baselines = json.dumps(balancers.baselines)
        return dataclasses.replace(watch, polled_at=now, polls=watch.polls + 1, books=baselines), tuple(measurements)

    def _standing(self, watch: Watch) -> Standing:
        elapsed = (watch.polled_at or watch.began_at) - watch.began_at
        return Standing(elapsed, self._plan.window - NEARLY, bool(watch.asked), self._store.can_ask)

    def _judged(self, gathered: Gathered, watch: Watch, standing: Standing) -> Verdict:
        evidence = Evidence(gathered.samples, gathered.unmeasured, self._plan.hosts, gathered.earlier, gathered.past)
        final = standing.elapsed >= standing.window
        progress = Progress(watch.began_at, standing.elapsed, self._plan.window, final, self._plan.policies.waiting)
        return decide(self._plan.metrics, evidence, progress, self._plan.policy)

    def _over(
        self, watch: Watch, decision: Decision, judged: Verdict | None, measurements: tuple[Measurement, ...]
    ) -> Outcome:
        verdict = None if decision.verdict == WAIT else decision.verdict
        return Outcome(decision, judged, dataclasses.replace(watch, verdict=verdict), measurements)

    def _steered(self, watch: Watch, steering: str) -> Outcome:
        decision = policies.steered(steering) or Decision(WAIT, f"The rollout is {steering}.")
        return Outcome(decision, None, dataclasses.replace(watch, verdict=decision.verdict), (), steering)

    def _wait_while_paused(self) -> str:
        """What the operator has decided, once it is something else than a pause."""
        steering = self._store.steering()
        while steering == PAUSED:
            self._stay(CONTROL_EVERY)
            steering = self._store.steering()
        return steering

    def _rest(self, outcome: Outcome) -> Outcome:
        """Until the next poll is due, which is never later than the end of the window."""
        watch, clock = outcome.watch, self._store.clock
        polled_at = watch.polled_at or watch.began_at
        end = watch.began_at + self._plan.window
        due = polled_at + self._plan.interval
        until = end if polled_at < end < due else due
        while clock.now() < until:
            self._stay(min(CONTROL_EVERY, until - clock.now()))
            steering = self._store.steering()
            if steering:
                return dataclasses.replace(outcome, steering=steering)
        return outcome

    def _stay(self, seconds: float) -> None:
        if not self._store.is_wanted():
            raise RolloutError("The controller that asked for the gate is gone; left without a verdict.")
        self._store.beat()
        self._store.clock.sleep(seconds)


def _named(decision: Decision, judged: Verdict, measurements: t.Sequence[Measurement]) -> Decision:
    """The decision with what its metrics found named, such as the alerts that fire, and why others have no data."""
    verdicts = {result.name: result.verdict for result in judged.metrics if result.decides}
    details = [detail for one in measurements if verdicts.get(one.metric) == FAIL for detail in one.details]
    missing = [one for one in measurements if verdicts.get(one.metric) == NO_DATA and one.why]
    more = [f"It names {', '.join(details)}."] if details else []
    more += [f"{one.metric}: {one.why}." for one in missing if one.why not in decision.reason]
    return dataclasses.replace(decision, reason=" ".join([decision.reason, *more]))
