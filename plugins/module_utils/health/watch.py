# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Watches many targets at once until all are healthy, one can no longer be, or one probe of each was had."""

from __future__ import annotations

import dataclasses
import math
import queue
import threading
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.health.policy import (
    History,
    Policy,
    Sample,
    State,
    Verdict,
    observe,
    verdict,
)
from ansible_collections.steady.rollout.plugins.module_utils.health.probe import Prober
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import Target

MOST_PROBES_AT_ONCE = 32
FIRST_THREADS = 2
"""Threads compete for the processor: with 32 a probe of a target that answers at once takes twice as much of it."""
MORE_AFTER = 0.02
"""Seconds without any answer after which there are twice as many."""
SOON = 0.2
"""Seconds in which all probes that wait for a thread should have begun; otherwise there are twice as many threads, too."""
GRACE = 1.0
"""Seconds that a probe may overrun its own limit, as resolving a name may, before it counts as failed."""


class Probes(t.Protocol):
    """Where probes are taken: started here, handed back when they end."""

    def now(self) -> float:
        """Seconds since the watch began."""

    def start(self, target: Target, seconds: float) -> None:
        """Begins a probe that may take *seconds*."""

    def ended(self, seconds: float) -> list[tuple[str, Sample]]:
        """Waits up to *seconds* for a probe to end; those that have, by the target's name."""


@dataclasses.dataclass
class Watched:
    """A target with all that was seen of it; *due* is when to probe next, None while a probe is under way."""

    target: Target
    state: State = dataclasses.field(default_factory=State)
    history: History = dataclasses.field(default_factory=History)
    due: float | None = 0.0
    began: float = 0.0
    verdict: str = Verdict.WAITING

    @property
    def probing(self) -> bool:
        return self.due is None

    @property
    def healthy(self) -> bool:
        return self.verdict == Verdict.HEALTHY


class Watch:
    """The probes of all targets, under one deadline.

    A healthy target is probed until the others are healthy as well, so that all are healthy at the same time.
    """

    def __init__(self, targets: list[Target], policy: Policy, probes: Probes) -> None:
        self.watched = {target.name: Watched(target) for target in targets}
        self._policy = policy
        self._probes = probes
        rounds = -(-len(targets) // MOST_PROBES_AT_ONCE)
        self._single_probes_end = rounds * max(target.timeout for target in targets) + GRACE

    def run(self) -> float:
        """Watches to the end; the seconds it took."""
        while not self._over():
            self._start_what_is_due()
            for name, sample in self._probes.ended(self._until_next_event()):
                one = self.watched[name]
                if one.probing:
                    self._note(one, sample)
            self._judge()
        return self._probes.now()

    def _over(self) -> bool:
        return all(one.verdict != Verdict.WAITING for one in self.watched.values())

    def _start_what_is_due(self) -> None:
        now = self._probes.now()
        for one in self.watched.values():
            if one.due is not None and one.due <= now and one.verdict != Verdict.LOST:
                one.due, one.began = None, now
                self._probes.start(one.target, self._time_for_a_probe(one.target, now))

    def _time_for_a_probe(self, target: Target, now: float) -> float:
        if not self._policy.waits:
            return target.timeout
        return max(0.001, min(target.timeout, self._policy.timeout - now))

    def _until_next_event(self) -> float:
        now = self._probes.now()
        moments = [one.due for one in self.watched.values() if one.due is not None and one.verdict != Verdict.LOST]
        if self._policy.waits:
            moments.append(self._policy.timeout)
        else:
            moments.append(self._single_probes_end)
        return max(0.0, min(moments) - now)

    def _note(self, one: Watched, sample: Sample) -> None:
        sample = dataclasses.replace(sample, at=self._probes.now())
        one.state = observe(one.state, sample)
        one.history.add(sample)
        again = self._policy.next_probe(one.state, one.began) if self._policy.waits else math.inf
        one.due = max(sample.at, again)

    def _judge(self) -> None:
        now = self._probes.now()
        for one in self.watched.values():
            if one.verdict != Verdict.LOST:
                one.verdict = self._verdict(one, now)
            if one.verdict == Verdict.LOST and one.probing and self._hangs(one, now):
                self._note(one, _no_answer(one.target, now - one.began))

    def _hangs(self, one: Watched, now: float) -> bool:
        """Whether the probe under way says more than those before it; a short one is merely cut off by the end."""
        return not one.state.attempts or now - one.began > max(self._policy.interval, GRACE)

    def _verdict(self, one: Watched, now: float) -> str:
        if self._policy.waits:
            return verdict(self._policy, one.state, now)
        if one.state.last is None:
            return Verdict.LOST if now >= self._single_probes_end else Verdict.WAITING
        return Verdict.HEALTHY if one.state.last.ok else Verdict.LOST


class ThreadedProbes:
    """Probes taken by daemon threads, so that one that hangs holds up neither the others nor the end.

    Threads are added while probes have to wait for one, up to MOST_PROBES_AT_ONCE.
    """

    def __init__(self, prober: Prober, targets: int, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._prober = prober
        self._clock = clock
        self._began = clock()
        self._orders: queue.SimpleQueue[tuple[Target, float] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[str, Sample]] = queue.SimpleQueue()
        self._most = min(targets, MOST_PROBES_AT_ONCE)
        self._threads = 0
        self._add_threads(FIRST_THREADS)

    def now(self) -> float:
        return self._clock() - self._began

    def start(self, target: Target, seconds: float) -> None:
        self._orders.put((target, seconds))

    def ended(self, seconds: float) -> list[tuple[str, Sample]]:
        until = self._clock() + seconds
        while True:
            left = max(0.0, until - self._clock())
            can_grow = self._threads < self._most and not self._orders.empty()
            ended = self._taken(min(left, MORE_AFTER) if can_grow else left)
            if can_grow and (not ended or self._takes_long(ended)):
                self._add_threads(self._threads)
            if ended or self._clock() >= until:
                return ended

    def _taken(self, seconds: float) -> list[tuple[str, Sample]]:
        taken = []
        try:
            taken.append(self._done.get(timeout=seconds))
            while True:
                taken.append(self._done.get_nowait())
        except queue.Empty:
            return taken

    def _takes_long(self, ended: list[tuple[str, Sample]]) -> bool:
        """Whether the probes that wait for a thread have to wait for longer than SOON, if each takes as long as these."""
        latency = max(sample.latency or 0.0 for _name, sample in ended)
        return latency * self._orders.qsize() > SOON * self._threads

    def _add_threads(self, number: int) -> None:
        for _dummy in range(min(number, self._most - self._threads)):
            self._threads += 1
            threading.Thread(target=self._work, daemon=True).start()

    def close(self) -> None:
        """Lets the threads go when their probes end."""
        for _dummy in range(self._threads):
            self._orders.put(None)

    def _work(self) -> None:
        while True:
            order = self._orders.get()
            if order is None:
                return
            target, seconds = order
            self._done.put((target.name, self._probe(target, seconds)))

    def _probe(self, target: Target, seconds: float) -> Sample:
        try:
            return self._prober.probe(target, seconds)
        except Exception as error:  # a thread that dies would leave its target without an answer for ever
            return Sample(at=0.0, ok=False, reason=f"{target.place} could not be probed ({type(error).__name__})")


def _no_answer(target: Target, seconds: float) -> Sample:
    return Sample(at=0.0, ok=False, reason=f"{target.place} had not answered after {seconds:.3g} s", latency=seconds)
