"""Waiting for several things together under one deadline."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pools import ManualClock

from ansible_collections.steady.rollout.plugins.module_utils.waiting import Pace, Verdict, Waited, wait_together

REACHED, NOT_YET, IMPOSSIBLE = Verdict.REACHED, Verdict.NOT_YET, Verdict.IMPOSSIBLE


def script(**looks: t.Sequence[Verdict]) -> t.Callable[[], dict[str, Verdict]]:
    """Answers of one look after the other for each name; the last one stays."""
    number = -1

    def look() -> dict[str, Verdict]:
        nonlocal number
        number += 1
        return {name: verdicts[min(number, len(verdicts) - 1)] for name, verdicts in looks.items()}

    return look


def verdicts(waited: dict[str, Waited]) -> dict[str, Verdict]:
    return {name: one.verdict for name, one in waited.items()}


def test_reached_takes_three_looks_in_a_row() -> None:
    time = ManualClock()
    waited = wait_together(script(a=[REACHED]), 10, time.clock)
    assert verdicts(waited) == {"a": REACHED}
    assert time.slept == [Pace().confirm, Pace().confirm]


def test_a_zero_between_two_requests_does_not_count() -> None:
    time = ManualClock()
    flapping = [REACHED, REACHED, NOT_YET] * 5 + [REACHED]
    waited = wait_together(script(a=flapping), 10, time.clock)
    assert verdicts(waited) == {"a": REACHED}
    assert len(time.slept) == len(flapping) - 1 + 2


def test_all_must_be_reached_in_the_same_looks() -> None:
    time = ManualClock()
    waited = wait_together(
        script(a=[REACHED] * 4 + [NOT_YET] * 4 + [REACHED], b=[NOT_YET] * 6 + [REACHED]), 10, time.clock
    )
    assert verdicts(waited) == {"a": REACHED, "b": REACHED}
    assert waited["a"].seconds >= waited["b"].seconds


def test_one_look_at_the_end_proves_nothing() -> None:
    time = ManualClock()
    wait_together(script(b=[NOT_YET]), 0.1, time.clock)
    looks = 1 + len(time.slept)
    waited = wait_together(script(a=[NOT_YET] * (looks - 1) + [REACHED], b=[NOT_YET]), 0.1, ManualClock().clock)
    assert verdicts(waited) == {"a": NOT_YET, "b": NOT_YET}


def test_each_has_its_own_seconds() -> None:
    time = ManualClock()
    waited = wait_together(script(a=[REACHED], b=[NOT_YET] * 20 + [REACHED]), 10, time.clock)
    assert waited["a"].seconds < waited["b"].seconds == pytest.approx(time.now)


def test_not_reached_when_the_time_is_over() -> None:
    time = ManualClock()
    waited = wait_together(script(a=[REACHED], b=[NOT_YET]), 2, time.clock)
    assert verdicts(waited) == {"a": REACHED, "b": NOT_YET}
    assert waited["b"].seconds == pytest.approx(2, abs=0.001)


def test_a_confirmation_under_way_is_finished() -> None:
    time = ManualClock()
    assert verdicts(wait_together(script(a=[REACHED]), 0, time.clock)) == {"a": REACHED}


def test_no_time_is_one_look() -> None:
    time = ManualClock()
    assert verdicts(wait_together(script(a=[NOT_YET]), 0, time.clock)) == {"a": NOT_YET}
    assert time.slept == []


def test_the_impossible_is_not_waited_for_but_the_others_are() -> None:
    time = ManualClock()
    waited = wait_together(script(a=[IMPOSSIBLE], b=[NOT_YET] * 3 + [REACHED]), 10, time.clock)
    assert verdicts(waited) == {"a": IMPOSSIBLE, "b": REACHED}


def test_nothing_to_wait_for() -> None:
    time = ManualClock()
    assert wait_together(dict, 10, time.clock) == {}
    assert time.slept == []


def test_looks_come_fast_at_first_and_never_further_apart_than_the_longest() -> None:
    time = ManualClock()
    wait_together(script(a=[NOT_YET]), 2, time.clock)
    assert time.slept[0] == Pace().first <= 0.01
    growing = time.slept[:-1]
    assert growing == sorted(growing)
    assert max(growing) == Pace().longest == 0.025


def test_a_wait_of_ten_minutes_is_not_polled_forty_times_a_second() -> None:
    time = ManualClock()
    wait_together(script(a=[NOT_YET]), 1200, time.clock)
    assert max(time.slept) == pytest.approx(0.5, abs=0.01)


def test_a_node_that_answers_slowly_is_left_to_its_work() -> None:
    time = ManualClock()

    def slow() -> dict[str, Verdict]:
        time.now += 0.2
        return {"a": NOT_YET}

    wait_together(slow, 2, time.clock)
    assert time.slept[:2] == pytest.approx([0.6, 0.6])


def test_every_second_is_about_every_second() -> None:
    time = ManualClock()
    seconds: list[float] = []
    wait_together(script(a=[NOT_YET]), 5, time.clock, every_second=lambda: seconds.append(time.now))
    assert len(seconds) == 4
    assert all(1 <= later - earlier <= 1.1 for earlier, later in zip(seconds, seconds[1:]))


def test_every_second_may_end_the_wait() -> None:
    def lost() -> None:
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        wait_together(script(a=[NOT_YET]), 5, ManualClock().clock, every_second=lost)


@given(
    looks=st.dictionaries(
        st.sampled_from("abc"), st.lists(st.sampled_from(Verdict), min_size=1, max_size=30), min_size=1
    ),
    timeout=st.floats(0, 3),
)
def test_it_always_ends_and_never_claims_what_was_not_seen(looks: dict[str, list[Verdict]], timeout: float) -> None:
    time = ManualClock()
    seen: list[dict[str, Verdict]] = []
    answers = script(**looks)

    def look() -> dict[str, Verdict]:
        seen.append(answers())
        return seen[-1]

    waited = wait_together(look, timeout, time.clock)
    for name, one in waited.items():
        last_three = [verdict[name] for verdict in seen[-3:]]
        assert (one.verdict is REACHED) == (last_three == [REACHED] * 3)
        assert 0 <= one.seconds <= time.now
    assert time.now <= timeout + 3 * Pace().confirm


def test_the_impossible_alone_is_reported_at_once() -> None:
    time = ManualClock()
    assert verdicts(wait_together(script(a=[IMPOSSIBLE]), 10, time.clock)) == {"a": IMPOSSIBLE}
    assert time.slept == []
