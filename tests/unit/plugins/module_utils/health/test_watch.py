# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many targets under one deadline, over a simulated clock."""

from __future__ import annotations

import threading
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.health import watch as watch_module
from ansible_collections.steady.rollout.plugins.module_utils.health.policy import Policy, Sample
from ansible_collections.steady.rollout.plugins.module_utils.health.watch import FIRST_THREADS, ThreadedProbes, Watch
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import Target

Behaviour = t.Callable[[float], t.Tuple[bool, float]]
"""When a probe begins -> whether it is good and how long it takes."""


class SimulatedProbes:
    """Probes that end when their behaviour says, on a clock that only waiting moves."""

    def __init__(self, behaviours: dict[str, Behaviour]) -> None:
        self._behaviours = behaviours
        self._time = 0.0
        self._under_way: list[tuple[float, str, Sample]] = []
        self.begun: list[tuple[float, str, float]] = []

    def now(self) -> float:
        return self._time

    def start(self, target: Target, seconds: float) -> None:
        ok, takes = self._behaviours[target.name](self._time)
        self.begun.append((self._time, target.name, seconds))
        self._under_way.append((self._time + takes, target.name, Sample(0.0, ok, "good" if ok else "bad", takes)))

    def ended(self, seconds: float) -> list[tuple[str, Sample]]:
        until = self._time + max(seconds, 0.001)
        ends = min((end for end, _dummy, _too in self._under_way), default=until)
        self._time = min(until, max(ends, self._time))
        over = [probe for probe in self._under_way if probe[0] <= self._time]
        self._under_way = [probe for probe in self._under_way if probe[0] > self._time]
        return [(name, sample) for _dummy, name, sample in over]


def watch(policy: Policy, **behaviours: Behaviour) -> tuple[Watch, SimulatedProbes, float]:
    probes = SimulatedProbes(behaviours)
    targets = [Target(name=name, timeout=5.0, tcp=("h", 1)) for name in behaviours]
    watching = Watch(targets, policy, probes)
    return watching, probes, watching.run()


def good(now: float) -> tuple[bool, float]:
    return True, 0.01


def good_from(moment: float) -> Behaviour:
    return lambda now: (now >= moment, 0.01)


POLICY = Policy(successes=3, min_healthy_time=10.0, timeout=60.0, interval=1.0)


def test_a_good_target_is_healthy_as_soon_as_it_is_proven() -> None:
    watching, _dummy, waited = watch(POLICY, a=good)
    assert watching.watched["a"].healthy
    assert 10.0 <= waited <= 11.1


def test_the_slowest_target_decides_and_the_others_are_still_looked_at() -> None:
    watching, probes, waited = watch(POLICY, a=good, b=good_from(20.0))
    assert all(one.healthy for one in watching.watched.values())
    assert 30.0 <= waited <= 32.1
    assert max(at for at, name, _dummy in probes.begun if name == "a") > 28.0


def test_all_are_healthy_at_the_same_time() -> None:
    def good_until_25(now: float) -> tuple[bool, float]:
        return not 25.0 < now < 27.0, 0.01

    watching, _dummy, waited = watch(POLICY, a=good_until_25, b=good_from(20.0))
    assert watching.watched["a"].state.flaps == 1
    assert all(one.healthy for one in watching.watched.values())
    assert waited > 36.0


def test_a_bad_target_ends_when_its_proof_can_no_longer_be_complete() -> None:
    watching, _dummy, waited = watch(POLICY, a=good_from(1e9))
    assert not watching.watched["a"].healthy
    assert 50.0 <= waited <= 51.1


def test_a_bad_target_does_not_stop_the_looks_at_the_others() -> None:
    watching, _dummy, _too = watch(POLICY, a=good_from(1e9), b=good_from(49.0))
    assert [name for name, one in watching.watched.items() if one.healthy] == ["b"]


def test_a_target_that_hangs_does_not_hold_up_the_end() -> None:
    watching, _dummy, waited = watch(POLICY, a=lambda now: (True, 1e9), b=good)
    assert not watching.watched["a"].healthy
    assert watching.watched["b"].healthy
    assert waited <= 60.1
    last = watching.watched["a"].state.last
    assert last is not None
    assert last.reason.startswith("h:1 had not answered after 5")


def test_an_answer_that_comes_after_it_was_given_up_counts_no_more() -> None:
    watching, dummy, dummy_too = watch(POLICY, a=lambda now: (True, 52.0), b=good_from(45.0))
    assert watching.watched["b"].healthy
    assert (watching.watched["a"].state.attempts, watching.watched["a"].state.good) == (1, 0)


def test_a_look_under_way_at_the_end_is_no_failure() -> None:
    def slow_at_the_end(now: float) -> tuple[bool, float]:
        return now < 59.0 and int(now) % 8 != 0, 0.01 if now < 59.0 else 5.0

    watching, _dummy, _too = watch(POLICY, a=slow_at_the_end)
    last = watching.watched["a"].state.last
    assert last is not None
    assert "had not answered" not in last.reason


def test_a_single_look_waits_for_nothing_but_its_answer() -> None:
    watching, probes, waited = watch(Policy.single_probe(), a=good, b=good_from(1.0))
    assert [name for name, one in watching.watched.items() if one.healthy] == ["a"]
    assert len(probes.begun) == 2
    assert waited < 0.1


def test_a_single_look_that_hangs_is_given_up() -> None:
    watching, _dummy, waited = watch(Policy.single_probe(), a=good, b=lambda now: (True, 1e9))
    assert [name for name, one in watching.watched.items() if one.healthy] == ["a"]
    assert waited <= 6.1


def test_no_look_may_outlast_the_deadline() -> None:
    _dummy, probes, _too = watch(POLICY, a=good_from(1e9))
    assert all(at + seconds <= 60.002 for at, _name, seconds in probes.begun)


@given(
    st.lists(st.tuples(st.floats(0.0, 40.0), st.floats(0.1, 20.0)), max_size=4),
    st.floats(0.001, 3.0),
    st.integers(1, 6),
    st.floats(0.0, 15.0),
)
def test_whatever_the_outages_healthy_was_proven(
    outages: list[tuple[float, float]], latency: float, successes: int, min_healthy_time: float
) -> None:
    policy = Policy(successes, min_healthy_time, timeout=60.0, interval=1.0)
    seen: list[tuple[float, bool]] = []

    def behave(now: float) -> tuple[bool, float]:
        ok = not any(began <= now < began + length for began, length in outages)
        seen.append((now + latency, ok))
        return ok, latency

    watching, _dummy, waited = watch(policy, a=behave)
    assert waited <= 60.1
    if watching.watched["a"].healthy:
        ended = [probe for probe in seen if probe[0] <= waited + 0.001]
        failures = [index for index, (_dummy_at, ok) in enumerate(ended) if not ok]
        tail = ended[failures[-1] + 1 :] if failures else ended
        assert len(tail) >= successes
        assert tail[-1][0] - tail[0][0] >= min_healthy_time - 0.002


def test_a_single_probe_of_each_is_one_however_long_others_take() -> None:
    watching, probes, dummy = watch(Policy.single_probe(), a=good, b=lambda now: (True, 3.0))
    assert all(one.healthy for one in watching.watched.values())
    assert sorted(name for _at, name, _seconds in probes.begun) == ["a", "b"]


def test_no_probe_is_given_more_time_than_is_left() -> None:
    probes = SimulatedProbes({"a": lambda now: (False, 1.0)})
    Watch([Target(name="a", timeout=50.0, tcp=("h", 1))], POLICY, probes).run()
    assert probes.begun
    assert all(at + seconds <= POLICY.timeout for at, _name, seconds in probes.begun)


def test_a_probe_that_ends_in_an_error_of_ours_is_an_answer() -> None:
    class Broken:
        def probe(self, target: Target, seconds: float) -> Sample:
            raise AttributeError("ours")

    probes = ThreadedProbes(t.cast("t.Any", Broken()), 1)
    probes.start(Target(name="a", timeout=1.0, tcp=("h", 1)), 1.0)
    ((name, sample),) = probes.ended(20.0)
    probes.close()
    assert (name, sample.ok, sample.reason) == ("a", False, "h:1 could not be probed (AttributeError)")


class Meeting:
    """Answers a probe once so many are under way; notes who probes."""

    def __init__(self, parties: int) -> None:
        self._barrier = threading.Barrier(parties)
        self.threads: set[int] = set()

    def probe(self, target: Target, seconds: float) -> Sample:
        self.threads.add(threading.get_ident())
        self._barrier.wait(20.0)
        return Sample(at=0.0, ok=True, reason="answered 200")


def names_of_ended(meeting: Meeting, targets: int) -> list[str]:
    probes = ThreadedProbes(t.cast("t.Any", meeting), targets)
    for number in range(targets):
        probes.start(Target(name=f"a{number}", timeout=1.0, tcp=("h", 1)), 1.0)
    ended: list[str] = []
    while len(ended) < targets:
        found = probes.ended(20.0)
        assert found, "no probe ends any more"
        ended += [name for name, sample in found if sample.ok]
    probes.close()
    return sorted(ended)


def test_targets_that_take_long_do_not_keep_others_waiting_for_a_thread() -> None:
    assert len(names_of_ended(Meeting(10), 10)) == 10


class Slow(Meeting):
    """The first two targets take their time, as they say; the others answer once four threads probe them."""

    def probe(self, target: Target, seconds: float) -> Sample:
        if target.name in ("a0", "a1"):
            return Sample(at=0.0, ok=True, reason="answered 200", latency=0.3)
        return super().probe(target, seconds)


def test_targets_that_take_a_while_each_waited_for_two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "MORE_AFTER", 60.0)
    assert len(names_of_ended(Slow(4), 6)) == 6


def test_a_thread_was_started_for_each_of_many_targets_that_answer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "MORE_AFTER", 60.0)
    meeting = Meeting(1)
    assert len(names_of_ended(meeting, 40)) == 40
    assert len(meeting.threads) <= FIRST_THREADS
