# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a step, in the words that users read."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.judge import spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.decide import decide
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    BASELINE,
    CANARY,
    Evidence,
    Progress,
    Sample,
    Unmeasured,
    Verdict,
)

Cells = t.Dict[str, t.Tuple[float, float]]
SHARE = {"kind": "share", "judge": True}
VALUE = {"judge": True, "unit": "ms"}


def samples(canary: Cells, baseline: Cells, looks: int = 6) -> list[Sample]:
    """The same in every interval of 10 s."""
    groups = {CANARY: canary, BASELINE: baseline}
    return [
        Sample(look * 10.0, group, host, *cell)
        for look in range(1, looks + 1)
        for group, cells in groups.items()
        for host, cell in cells.items()
    ]


def verdict(
    words: dict[str, t.Any],
    seen: t.Sequence[Sample],
    final: bool = True,
    elapsed: float = 60.0,
    unmeasured: t.Sequence[Unmeasured] = (),
    **evidence: t.Any,
) -> Verdict:
    """Of a single metric, named m, in a window of 60 s."""
    metrics = spec.parse_metrics([{"name": "m", **words}])
    known = Evidence({"m": seen}, {"m": unmeasured}, **evidence)
    return decide(metrics, known, Progress(0.0, elapsed, 60.0, final), spec.parse_policy(None))


def said(*arguments: t.Any, **options: t.Any) -> tuple[str, str]:
    found = verdict(*arguments, **options)
    return found.verdict, found.reason


def errors(canary: float, baseline: float, looks: int = 6, requests: float = 1000) -> list[Sample]:
    """Bad ones among so many requests of one host each, in every interval."""
    return samples({"c": (requests, canary)}, {"b": (requests, baseline)}, looks)


def test_no_worse() -> None:
    assert said(SHARE, errors(10, 10)) == (
        "pass",
        "m: 1 % of 6,000 requests against 1 % of 6,000 requests, ratio 1; "
        "no worse than tolerance and differences between hosts (10 %) explain (p 0.73).",
    )
    assert said(SHARE, errors(10, 10), final=False, elapsed=30.0) == (
        "wait",
        "30 of 60 s. m: 1 % of 6,000 requests against 1 % of 6,000 requests, ratio 1; no proof of harm so far.",
    )


def test_three_times_as_many_errors_fail_before_the_end() -> None:
    assert said(SHARE, errors(30, 10), final=False) == (
        "fail",
        "m: 3 % of 6,000 requests against 1 % of 6,000 requests, ratio 3, for sure at least 1.76 times the baseline; "
        "worse than tolerance and differences between hosts (10 %) explain (p 8.7e-06).",
    )


def test_the_last_look_needs_less() -> None:
    seen = samples({"c": (1000, 19)}, {"b1": (9000, 90), "b2": (9000, 90)})
    assert verdict(SHARE, seen, final=False).verdict == "wait"
    assert said(SHARE, seen) == (
        "fail",
        "m: 1.9 % of 6,000 requests against 1 % of 108,000 requests, ratio 1.9; "
        "worse than tolerance and differences between hosts (9.1 %) explain (p 1.2e-05).",
    )


def test_suspect_is_not_certain() -> None:
    assert said(SHARE, errors(2, 1, requests=100)) == (
        "inconclusive",
        "m: 2 % of 600 requests against 1 % of 600 requests, ratio 2; suspect, but too little to be sure (p 0.16).",
    )


def test_few_bad_requests_are_never_a_sentence() -> None:
    beside_many = [Sample(10.0, CANARY, "c", 200, 4), Sample(10.0, BASELINE, "b", 1000000, 100)]
    assert verdict(SHARE, beside_many).verdict == "inconclusive"
    assert verdict(SHARE, [Sample(10.0, CANARY, "c", 200, 5), beside_many[1]]).verdict == "fail"


def test_nothing_bad_anywhere_is_good() -> None:
    assert said(SHARE, errors(0, 0)) == (
        "pass",
        "m: 0 % of 6,000 requests against 0 % of 6,000 requests; "
        "no worse than tolerance and differences between hosts (10 %) explain (p 1).",
    )


def test_a_share_that_should_be_high() -> None:
    words = {**SHARE, "direction": "decrease"}
    fewer, more = errors(150, 300), errors(300, 150)
    assert said(words, fewer) == (
        "fail",
        "m: 15 % of 6,000 requests against 30 % of 6,000 requests, ratio 0.5, for sure at most 0.585 times the baseline; "
        "worse than tolerance and differences between hosts (10 %) explain (p 4.1e-07).",
    )
    assert verdict(words, more).verdict == "pass"
    assert verdict({**words, "direction": "either"}, fewer).verdict == "fail"
    assert verdict({**words, "direction": "either"}, more).verdict == "fail"
    assert verdict({**words, "direction": "either"}, errors(300, 300)).verdict == "pass"


def test_one_slow_host_is_not_a_slow_release() -> None:
    """One against one: what hosts differ by explains a quarter, not three quarters."""
    assert verdict(VALUE, samples({"c": (0, 125)}, {"b": (0, 100)})).verdict == "pass"
    assert verdict(VALUE, samples({"c": (0, 175)}, {"b": (0, 100)})).verdict == "fail"


def test_more_hosts_behind_one_series_are_surer() -> None:
    seen = samples({"": (0, 132)}, {"": (0, 100)})
    assert verdict(VALUE, seen).verdict == "pass"
    assert verdict(VALUE, seen, hosts={CANARY: 20, BASELINE: 20}).verdict == "fail"


def test_no_data() -> None:
    assert said(SHARE, []) == ("no_data", "m: only 0 requests of the canary, at least 100 are needed.")
    assert said(SHARE, [], final=False, elapsed=20.0) == (
        "wait",
        "20 of 60 s. m: only 0 requests of the canary, at least 100 are needed.",
    )
    assert said(SHARE, samples({"c": (1000, 1)}, {})) == (
        "no_data",
        "m: only 0 requests of the baseline, at least 100 are needed.",
    )
    assert said(VALUE, samples({"c": (0, 1)}, {"b": (0, 1)}, looks=4)) == (
        "no_data",
        "m: only 4 measurements of the canary, at least 5 are needed.",
    )
    assert said(VALUE, samples({"c": (0, float("nan"))}, {"b": (0, 1)})) == (
        "no_data",
        "m: only 0 measurements of the canary, at least 5 are needed.",
    )


def test_a_canary_that_went_silent() -> None:
    seen = errors(10, 10, looks=2)
    assert verdict(SHARE, seen, elapsed=80.0).verdict == "pass"
    assert said(SHARE, seen, elapsed=81.0) == ("no_data", "m: nothing of the canary for the last 61 s.")


def test_the_start_may_be_left_out() -> None:
    cold = [
        *samples({"c": (0, 900)}, {"b": (0, 100)}, looks=3),
        *samples({"c": (0, 100)}, {"b": (0, 100)}, looks=9)[6:],
    ]
    assert verdict(VALUE, cold, elapsed=90.0).metrics[0].figures["measurements"] == 9
    assert verdict({**VALUE, "delay": "30s"}, cold, elapsed=90.0).metrics[0].figures["measurements"] == 6


def unmeasured(*at: float) -> list[Unmeasured]:
    return [Unmeasured(each, "Prometheus does not answer") for each in at]


def test_what_cannot_be_measured_is_given_up() -> None:
    missing = unmeasured(10, 20, 30, 40, 50)
    assert said(SHARE, [], final=False, unmeasured=missing) == (
        "no_data",
        "m: could not be measured 5 times in a row, at most 4 may be; last: Prometheus does not answer.",
    )
    assert verdict(SHARE, [], final=False, unmeasured=missing[1:]).verdict == "wait"
    assert verdict(SHARE, errors(10, 10), final=False, unmeasured=missing).verdict == "wait"
    assert said({**SHARE, "max_errors": 0}, errors(10, 10), final=False, unmeasured=missing[:1]) == (
        "no_data",
        "m: could not be measured 1 time, at most 0 may be; last: Prometheus does not answer.",
    )
    assert said(SHARE, [], unmeasured=missing[:1]) == (
        "no_data",
        "m: only 0 requests of the canary, at least 100 are needed; last error: Prometheus does not answer.",
    )


@pytest.mark.parametrize(
    ("action", "found", "decides"),
    [
        ("no_data", "no_data", True),
        ("inconclusive", "inconclusive", True),
        ("fail", "fail", True),
        ("ignore", "pass", False),
    ],
)
def test_what_no_data_means_is_said_by_the_metric(action: str, found: str, decides: bool) -> None:
    answer = verdict({**SHARE, "on_no_data": action}, [])
    assert (answer.verdict, answer.metrics[0].decides) == (found, decides)


def test_a_limit_over_the_window() -> None:
    words = {"kind": "share", "limit": "< 1%"}
    assert said(words, errors(9, 0)) == ("pass", "m: 0.9 % of 6,000 requests, as wanted < 1%.")
    assert said(words, errors(11, 0)) == ("fail", "m: 1.1 % of 6,000 requests, not < 1%.")
    assert said(words, errors(30, 0), final=False) == ("fail", "m: 3 % of 6,000 requests, for sure not < 1%.")
    assert said(words, errors(11, 0), final=False) == (
        "wait",
        "60 of 60 s. m: 1.1 % of 6,000 requests, wanted < 1%; nothing is proven so far.",
    )
    assert verdict({"kind": "share", "limit": "> 50%"}, errors(200, 0), final=False).verdict == "fail"
    assert verdict({"kind": "share", "limit": "> 50%"}, errors(600, 0)).verdict == "pass"


def test_a_limit_of_a_value() -> None:
    words = {"limit": "< 500ms"}
    assert said(words, samples({"c": (0, 400)}, {})) == ("pass", "m: 400 ms, as wanted < 500ms.")
    assert said(words, samples({"c": (0, 600)}, {})) == ("fail", "m: 600 ms, not < 500ms.")
    assert verdict(words, samples({"c": (0, 600)}, {}), final=False).verdict == "wait"
    assert verdict(words, samples({"c": (0, 600)}, {}, looks=20), final=False).verdict == "fail"
    assert verdict(words, samples({"c": (0, 600)}, {}, looks=1)).verdict == "fail"


def test_figures_count_by_the_requests_behind_them() -> None:
    seen = samples({"c1": (900, 400), "c2": (100, 1400)}, {})
    assert said({"limit": "<= 500ms"}, seen) == ("pass", "m: 500 ms, as wanted <= 500ms.")


def test_measurements_beyond_the_limit_are_counted() -> None:
    values = [600, 400, 600, 600, 400, 400]
    seen = [Sample(10.0 * at, CANARY, "c", 0, value) for at, value in enumerate(values, start=1)]
    words = {"limit": "< 500ms"}
    assert said({**words, "max_failures": 2}, seen, final=False) == (
        "fail",
        "m: 3 of 6 measurements not < 500ms, 2 in a row; at most 2 allowed.",
    )
    assert said({**words, "max_consecutive_failures": 1}, seen, final=False) == (
        "fail",
        "m: 3 of 6 measurements not < 500ms, 2 in a row; at most 1 in a row allowed.",
    )
    assert said({**words, "max_failures": 3, "max_consecutive_failures": 2}, seen) == (
        "pass",
        "m: 3 of 6 measurements not < 500ms, 2 in a row; that is allowed.",
    )
    assert verdict({**words, "max_failures": 3}, seen, final=False).verdict == "wait"


def test_a_ratio_that_the_user_named() -> None:
    words = {"baseline": "< 2x", "unit": "ms"}
    assert said(words, samples({"c": (0, 300)}, {"b": (0, 100)})) == (
        "fail",
        "m: 300 ms against 100 ms, ratio 3, not < 2x.",
    )
    assert said(words, samples({"c": (0, 190)}, {"b": (0, 100)})) == (
        "pass",
        "m: 190 ms against 100 ms, ratio 1.9, as wanted < 2x.",
    )
    assert said(words, samples({"c": (0, 300)}, {"b": (0, 100)}, looks=20), final=False)[1] == (
        "m: 300 ms against 100 ms, ratio 3, for sure not < 2x."
    )
    conversions = {"kind": "share", "baseline": "> 90%"}
    assert said(conversions, errors(200, 300)) == (
        "fail",
        "m: 20 % of 6,000 requests against 30 % of 6,000 requests, ratio 0.667, for sure not > 90%.",
    )
    assert verdict(conversions, errors(280, 300)).verdict == "pass"
    within = {"kind": "share", "baseline": "within 20%"}
    assert [verdict(within, errors(bad, 300)).verdict for bad in (200, 250, 350, 400)] == [
        "fail",
        "pass",
        "pass",
        "fail",
    ]
    few = [Sample(10.0, CANARY, "c", 1000, 1), Sample(10.0, BASELINE, "b", 1000, 0)]
    assert said({"kind": "share", "baseline": "< 2x"}, few) == (
        "inconclusive",
        "m: 0.1 % of 1,000 requests against 0 % of 1,000 requests, not < 2x, but too little to be sure.",
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40))
def test_more_errors_never_help_the_canary(bad: int, other: int, more: int) -> None:
    order = ["pass", "inconclusive", "fail"]
    before = verdict(SHARE, errors(bad, other)).verdict
    after = verdict(SHARE, errors(bad + more, other)).verdict
    assert order.index(after) >= order.index(before)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(24)), st.integers(0, 40))
def test_the_order_of_the_samples_does_not_matter(order: list[int], bad: int) -> None:
    seen = samples({"c1": (500, bad), "c2": (400, 4)}, {"b1": (500, 4), "b2": (600, 6)})
    assert verdict(SHARE, [seen[place] for place in order]) == verdict(SHARE, seen)


def test_two_balancers_that_see_the_same_host_are_one_host() -> None:
    whole = samples({"c": (1000, 30)}, {"b": (1000, 10)})
    halves = [Sample(each.at, each.group, each.host, each.count / 2, each.value / 2) for each in whole]
    assert verdict(SHARE, halves + halves) == verdict(SHARE, whole)
