# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where a gate keeps what it has measured between its polls: in the ledger, or for one call only."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import BASELINE, CANARY, Sample, Unmeasured
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import lease, model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Clock,
    Ledger,
    Session,
    open_session,
    read_session,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.measurements import Measured, Watch
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import FAILED, Measurement
from ansible_collections.steady.rollout.plugins.module_utils.metrics.policies import ABORTED, PAUSED, PROMOTED

PAST_SECONDS = 30 * 86400.0
"""How old a gate of an earlier rollout may be to show how each host usually behaves."""

Samples = t.Dict[str, t.List[Sample]]
Failures = t.Dict[str, t.List[Unmeasured]]


@dataclasses.dataclass
class Gathered:
    """Everything that a gate has measured so far, by metric.

    *earlier* is what the gates before it in the same run measured, *past* what is known of the hosts before the release.
    """

    samples: Samples = dataclasses.field(default_factory=dict)
    unmeasured: Failures = dataclasses.field(default_factory=dict)
    earlier: Samples = dataclasses.field(default_factory=dict)
    past: Samples = dataclasses.field(default_factory=dict)

    def add(self, at: float, metric: str, outcome: str, why: str, samples: t.Iterable[Sample]) -> None:
        self.samples.setdefault(metric, []).extend(samples)
        if outcome == FAILED:
            self.unmeasured.setdefault(metric, []).append(Unmeasured(at, why))

    def copy(self) -> Gathered:
        return Gathered(
            {metric: list(samples) for metric, samples in self.samples.items()},
            {metric: list(failures) for metric, failures in self.unmeasured.items()},
            dict(self.earlier),
            dict(self.past),
        )

    def latest(self, metric: str) -> float:
        """When the newest sample was; minus infinity where there is none."""
        return max((sample.at for sample in self.samples.get(metric, ())), default=float("-inf"))


class GateStore(t.Protocol):
    """The memory of one gate, and its way to the rollout that it belongs to."""

    clock: Clock
    can_ask: bool

    def begin(self) -> Watch:
        """The gate as it stands; a new one where there is none yet."""

    def gathered(self) -> Gathered: ...

    def keep(self, watch: Watch, measurements: t.Sequence[Measurement]) -> None: ...

    def conclude(self, watch: Watch, reason: str) -> None: ...

    def ask(self, watch: Watch, reason: str) -> None:
        """Pauses the rollout until the operator resumes it."""

    def steering(self) -> str:
        """What the operator has decided: paused, promoted, aborted, or nothing."""

    def beat(self) -> None:
        """Shows that the run lives; raises LeaseLost when it is no longer the owner."""

    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer."""


class LocalGateStore:
    """For a gate that belongs to no rollout: forgotten after the call."""

    can_ask = False

    def __init__(self, step: str, clock: Clock, is_alive: t.Callable[[], bool] = lambda: True) -> None:
        self.clock = clock
        self._step = step
        self._is_alive = is_alive
        self._gathered = Gathered()
        self._watch: Watch | None = None

    def begin(self) -> Watch:
        self._watch = self._watch or Watch("", 0, "", self._step, self.clock.now())
        return self._watch

    def gathered(self) -> Gathered:
        return self._gathered.copy()

    def keep(self, watch: Watch, measurements: t.Sequence[Measurement]) -> None:
        self._watch = watch
        for one in measurements:
            self._gathered.add(one.at, one.metric, one.outcome, one.why, one.samples)

    def conclude(self, watch: Watch, reason: str) -> None:
        """There is nobody to report to."""

    def ask(self, watch: Watch, reason: str) -> None:
        raise RolloutError(f"{reason} There is no rollout that could be paused.")

    def steering(self) -> str:
        return ""

    def beat(self) -> None:
        """There is no lease."""

    def is_wanted(self) -> bool:
        return self._is_alive()


class LedgerGateStore:
    """The ledger's part on a gate of a rollout."""

    can_ask = True

    def __init__(self, ledger: Ledger, params: dict[str, t.Any]) -> None:
        self.clock = ledger.clock
        self._ledger = ledger
        self._params = params

    def begin(self) -> Watch:
        with open_session(self._ledger, self._params) as session:
            watch = session.records.watch(session.rollout.id, session.run, self._params["step"])
            if watch is None:
                watch = Watch(session.service, session.rollout.id, session.run, self._params["step"], session.now)
                session.records.save_watch(watch)
                session.records.drop_old_measurements(session.service)
            return watch

    def groups(self) -> dict[str, list[str]]:
        """The members of the hosts that are proven, and of those that serve the version before."""
        with self._ledger.store.reading() as records:
            session = read_session(self._ledger, records, self._params)
            hosts = session.records.hosts(session.rollout.id)
        canary = [host for host in hosts if host.in_scope and host.phase in model.ON_TARGET]
        baseline = [host for host in hosts if host.phase == model.WAITING and host.is_serving]
        return {CANARY: [_member(host) for host in canary], BASELINE: [_member(host) for host in baseline]}

    def gathered(self) -> Gathered:
        gathered = Gathered()
        with self._ledger.store.reading() as records:
            session = read_session(self._ledger, records, self._params)
            rollout, run, step = session.rollout.id, session.run, self._params["step"]
            for row in records.measured(rollout, run, step):
                gathered.add(row.at, row.metric, row.outcome, row.why, _samples(row))
            for row in records.measured_earlier(rollout, run, step):
                gathered.earlier.setdefault(row.metric, []).extend(_samples(row))
            for row in records.measured_before(session.service, rollout, run, session.now - PAST_SECONDS):
                gathered.past.setdefault(row.metric, []).extend(_samples(row))
        return gathered

    def keep(self, watch: Watch, measurements: t.Sequence[Measurement]) -> None:
        with open_session(self._ledger, self._params) as session:
            session.records.save_watch(watch)
            session.records.add_measured([_row(watch, one) for one in measurements])

    def conclude(self, watch: Watch, reason: str) -> None:
        with open_session(self._ledger, self._params) as session:
            session.records.save_watch(watch)
            session.event("measured", step=watch.step, verdict=watch.verdict, reason=reason, polls=watch.polls)
            session.change_rollout(progress_at=session.now)

    def ask(self, watch: Watch, reason: str) -> None:
        with open_session(self._ledger, self._params) as session:
            session.records.save_watch(dataclasses.replace(watch, asked=1))
            session.change_rollout(paused_at=session.now)
            session.event("paused", step=watch.step, by={"user": "metric_gate"}, reason=reason)

    def steering(self) -> str:
        with self._ledger.store.reading() as records:
            return _steering(read_session(self._ledger, records, self._params))

    def beat(self) -> None:
        with self._ledger.store.reading() as records:
            session = read_session(self._ledger, records, self._params)
            if not lease.beat_is_due(session.lease, session.now):
                return
        with open_session(self._ledger, self._params):
            pass

    def is_wanted(self) -> bool:
        return self._ledger.is_alive()


def _samples(row: Measured) -> list[Sample]:
    return [Sample(*one) for one in json.loads(row.samples)]


def _member(host: model.Host) -> str:
    return host.member or host.name


def _steering(session: Session) -> str:
    rollout = session.rollout
    if rollout.status != model.OPEN:
        return ABORTED
    if rollout.paused_at is not None:
        return PAUSED
    return PROMOTED if _is_promoted(session) else ""


def _is_promoted(session: Session) -> bool:
    shift = session.records.shift(session.rollout.id)
    return shift is not None and bool(shift.promoted)


def _row(watch: Watch, one: Measurement) -> Measured:
    samples = [[sample.at, sample.group, sample.host, sample.count, sample.value] for sample in one.samples]
    return Measured(
        service=watch.service,
        rollout=watch.rollout,
        run=watch.run,
        step=watch.step,
        at=one.at,
        metric=one.metric,
        source=one.source,
        query=one.asked,
        answer=one.answered,
        outcome=one.outcome,
        why=one.why,
        samples=json.dumps(samples),
    )
