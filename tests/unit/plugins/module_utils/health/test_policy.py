# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Healthy means so many successes in a row and so many seconds without a failure."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.health.policy import (
    History,
    Policy,
    Sample,
    State,
    Verdict,
    observe,
    verdict,
)

POLICY = Policy(successes=3, min_healthy_time=10.0, timeout=60.0, interval=1.0)


def sample(at: float, ok: bool = True, reason: str = "r") -> Sample:
    return Sample(at=at, ok=ok, reason=reason, latency=0.1)


def after(*probes: tuple[float, bool]) -> State:
    state = State()
    for at, ok in probes:
        state = observe(state, sample(at, ok))
    return state


def test_nothing_seen_is_not_healthy() -> None:
    assert verdict(POLICY, State(), 0.0) == Verdict.WAITING


def test_enough_successes_over_enough_time_are_healthy() -> None:
    assert verdict(POLICY, after((0, True), (5, True), (10, True)), 10.0) == Verdict.HEALTHY


def test_time_without_enough_successes_is_not_healthy() -> None:
    assert verdict(POLICY, after((0, True), (20, True)), 20.0) == Verdict.WAITING


def test_successes_without_enough_time_are_not_healthy() -> None:
    assert verdict(POLICY, after(*((at, True) for at in range(9))), 9.0) == Verdict.WAITING


def test_time_that_passed_since_the_latest_look_proves_nothing() -> None:
    assert verdict(POLICY, after((0, True), (1, True), (2, True)), 30.0) == Verdict.WAITING


def test_a_flap_takes_all_progress_away() -> None:
    state = after((0, True), (5, True), (9, False), (10, True), (11, True), (12, True))
    assert (state.flaps, state.streak, state.healthy_for) == (1, 3, 2)
    assert verdict(POLICY, state, 12.0) == Verdict.WAITING


def test_failures_one_after_the_other_are_one_flap() -> None:
    assert after((0, True), (1, False), (2, False), (3, True), (4, False)).flaps == 2


def test_failures_before_the_first_success_are_no_flap() -> None:
    assert after((0, False), (1, False), (2, True)).flaps == 0


def test_the_deadline_ends_the_wait() -> None:
    assert verdict(POLICY, after((55, True)), 60.0) == Verdict.LOST


def test_a_proof_that_cannot_be_complete_at_the_deadline_is_lost_already() -> None:
    assert verdict(POLICY, after((49, False)), 50.5) == Verdict.LOST


def test_a_proof_that_can_still_be_complete_is_waited_for() -> None:
    assert verdict(POLICY, after((49, True)), 58.0) == Verdict.WAITING


def test_a_healthy_target_stays_so_at_the_deadline() -> None:
    assert verdict(POLICY, after((0, True), (5, True), (10, True)), 61.0) == Verdict.HEALTHY


def test_the_first_looks_come_fast_and_never_slower_than_the_interval() -> None:
    pauses = [round(POLICY.pause(probe), 3) for probe in range(1, 9)]
    assert pauses == [0.1, 0.15, 0.225, 0.338, 0.506, 0.759, 1.0, 1.0]


def test_many_looks_do_not_overflow() -> None:
    assert POLICY.pause(100_000) == 1.0


def test_the_look_that_can_complete_the_proof_is_not_late() -> None:
    """With an interval of a second a proof of ten seconds took up to eleven."""
    state = after(*((0.3 + second, True) for second in range(9)), (9.9, True))
    assert POLICY.next_probe(state, 9.9) == 10.3


def test_a_look_that_cannot_complete_the_proof_keeps_its_pace() -> None:
    short = dataclasses.replace(POLICY, min_healthy_time=0.05)
    assert short.next_probe(after((0, False)), 0.0) == 0.1
    assert short.next_probe(after((0, True)), 0.0) == 0.1
    assert short.next_probe(after((0, True), (0.1, True)), 0.1) == 0.25


@pytest.mark.parametrize(
    ("successes", "min_healthy_time", "seconds"), [(1, 0.0, 0.0), (3, 10.0, 10.0), (2, 0.0, 0.1), (9, 0.0, 4.078)]
)
def test_the_shortest_proof(successes: int, min_healthy_time: float, seconds: float) -> None:
    policy = dataclasses.replace(POLICY, successes=successes, min_healthy_time=min_healthy_time)
    assert round(policy.shortest_proof(), 3) == seconds


def test_history_folds_looks_that_saw_the_same() -> None:
    history = History()
    for at, reason in ((0.0, "a"), (1.0, "a"), (2.0, "b"), (3.0, "a")):
        history.add(dataclasses.replace(sample(at, reason=reason), latency=at / 10))
    assert history.as_result() == [
        {"at": 0.0, "until": 1.0, "times": 2, "ok": True, "reason": "a", "latency": 0.1},
        {"at": 2.0, "until": 2.0, "times": 1, "ok": True, "reason": "b", "latency": 0.2},
        {"at": 3.0, "until": 3.0, "times": 1, "ok": True, "reason": "a", "latency": 0.3},
    ]


def test_history_keeps_the_latest() -> None:
    history = History(limit=2)
    for at in range(5):
        history.add(sample(at, reason=str(at)))
    assert [run["at"] for run in history.as_result()] == [3, 4]


@st.composite
def series(draw: st.DrawFn) -> list[tuple[float, bool]]:
    """Probes in the order of time; failures are rare enough for proofs to succeed."""
    at = 0.0
    probes = []
    for gap, luck in draw(st.lists(st.tuples(st.floats(0.01, 5.0), st.integers(0, 9)), max_size=60)):
        at += gap
        probes.append((at, luck > 0))
    return probes


policies = st.builds(
    Policy,
    successes=st.integers(1, 8),
    min_healthy_time=st.floats(0.0, 30.0),
    timeout=st.floats(31.0, 200.0),
    interval=st.just(1.0),
)


@given(policies, series())
def test_healthy_exactly_when_the_tail_proves_it(policy: Policy, probes: list[tuple[float, bool]]) -> None:
    state = State()
    seen: list[tuple[float, bool]] = []
    for at, ok in probes:
        state = observe(state, sample(at, ok))
        seen.append((at, ok))
        failures = [index for index, (dummy, good) in enumerate(seen) if not good]
        tail = seen[failures[-1] + 1 :] if failures else seen
        proven = len(tail) >= policy.successes and tail[-1][0] - tail[0][0] >= policy.min_healthy_time
        assert (verdict(policy, state, at) == Verdict.HEALTHY) == proven


@given(policies, series(), series())
def test_a_flap_is_no_progress(
    policy: Policy, before: list[tuple[float, bool]], later: list[tuple[float, bool]]
) -> None:
    end = before[-1][0] + 1 if before else 0.0
    shifted = [(end + at, ok) for at, ok in later]
    flapped = after(*before, (end, False), *shifted)
    fresh = after((end, False), *shifted)
    assert dataclasses.replace(flapped, attempts=0, good=0, flaps=0) == dataclasses.replace(
        fresh, attempts=0, good=0, flaps=0
    )


@given(policies, series(), st.floats(0.0, 300.0))
def test_what_is_lost_could_not_have_been_proven_in_time(
    policy: Policy, probes: list[tuple[float, bool]], delay: float
) -> None:
    state = after(*probes)
    now = (probes[-1][0] if probes else 0.0) + delay
    if verdict(policy, state, now) != Verdict.LOST or now >= policy.timeout:
        return
    moment = now
    while moment <= policy.timeout:
        state = observe(state, sample(moment))
        assert verdict(policy, state, moment) != Verdict.HEALTHY
        moment += 1.0


def test_history_keeps_the_worst_latency_of_probes_that_saw_the_same() -> None:
    history = History()
    for latency in (0.2, 0.9, 0.1):
        history.add(Sample(at=1.0, ok=True, reason="r", latency=latency))
    assert [run["latency"] for run in history.as_result()] == [0.9]
