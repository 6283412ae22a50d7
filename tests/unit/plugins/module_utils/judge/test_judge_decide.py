# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a step, in the words that users read."""

from __future__ import annotations

import dataclasses
import math
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
    waiting: float = 0.0,
    **evidence: t.Any,
) -> Verdict:
    """Of a single metric, named m, in a window of 60 s."""
    metrics = spec.parse_metrics([{"name": "m", **words}])
    known = Evidence({"m": seen}, {"m": unmeasured}, **evidence)
    return decide(metrics, known, Progress(0.0, elapsed, 60.0, final, waiting), spec.parse_policy(None))


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
        "no worse than chance, tolerance and differences between hosts (10 %) explain (p 0.5).",
    )
    assert said(SHARE, errors(10, 10), final=False, elapsed=30.0) == (
        "wait",
        "30 of 60 s. m: 1 % of 6,000 requests against 1 % of 6,000 requests, ratio 1; no proof of harm so far.",
    )


def test_three_times_as_many_errors_fail_before_the_end() -> None:
    assert said(SHARE, errors(30, 10), final=False) == (
        "fail",
        "m: 3 % of 6,000 requests against 1 % of 6,000 requests, ratio 3; "
        "worse than chance, tolerance and differences between hosts (10 %) explain (p 8.4e-08).",
    )


def test_the_last_look_needs_less() -> None:
    seen = samples({"c": (1000, 16)}, {"b1": (9000, 90), "b2": (9000, 90)})
    early = [sample for sample in seen if sample.at <= 40]
    assert verdict(SHARE, early, final=False, elapsed=40.0).verdict == "wait"
    assert said(SHARE, seen) == (
        "fail",
        "m: 1.6 % of 6,000 requests against 1 % of 108,000 requests, ratio 1.6; "
        "worse than chance, tolerance and differences between hosts (9.1 %) explain (p 0.0013).",
    )


def test_suspect_is_not_certain() -> None:
    """Where the gate may wait, it waits for a clearer result; where it may not, what is this likely by chance passes."""
    seen = samples({"c1": (100, 2), "c2": (100, 2)}, {"b": (200, 2)})
    assert said(SHARE, seen, waiting=60.0) == (
        "inconclusive",
        "m: 2 % of 1,200 requests against 1 % of 1,200 requests, ratio 2; suspect, but not enough evidence (p 0.031).",
    )
    assert verdict(SHARE, errors(2, 1, requests=100), waiting=60.0).verdict == "pass"


def test_what_is_suspect_after_waiting_is_no_stop_beside_the_budget() -> None:
    """Once no time was left, what a single test would have failed stopped too: as many good releases again."""
    seen = samples({"c": (1000, 15)}, {"b1": (9000, 90), "b2": (9000, 90)}, looks=12)
    found = verdict(SHARE, seen, elapsed=120.0, waiting=60.0)
    figures = found.metrics[0].figures
    assert figures["p_needed"] < figures["p_value"] <= 0.0075
    assert found.verdict == "pass"


def test_what_was_spent_of_the_chance_is_on_record() -> None:
    seen = errors(10, 10)
    spent = [
        verdict(SHARE, seen[: 2 * looks], looks == 6, 10.0 * looks).metrics[0].figures["false_stop_spent"]
        for looks in (3, 6)
    ]
    assert spent == pytest.approx([0.03 / 4 / (1 + math.exp(2)), 0.03 / 4], rel=1e-3)


def test_few_bad_requests_are_never_a_sentence() -> None:
    four = [Sample(10.0 * at, CANARY, "c", 200, bad) for at, bad in enumerate((1, 1, 2), start=1)]
    five = [*four[:2], Sample(30.0, CANARY, "c", 200, 3)]
    beside = [Sample(10.0 * at, BASELINE, "b", 1000000, 100) for at in (1, 2, 3)]
    assert verdict(SHARE, [*four, *beside]).verdict == "inconclusive"
    assert verdict(SHARE, [*five, *beside]).verdict == "fail"


def test_nothing_bad_anywhere_is_good() -> None:
    assert said(SHARE, errors(0, 0)) == (
        "pass",
        "m: 0 % of 6,000 requests against 0 % of 6,000 requests; "
        "no worse than chance, tolerance and differences between hosts (10 %) explain (p 1).",
    )


def test_a_share_that_should_be_high() -> None:
    words = {**SHARE, "direction": "decrease"}
    fewer, more = errors(150, 300), errors(300, 150)
    assert said(words, fewer) == (
        "fail",
        "m: 15 % of 6,000 requests against 30 % of 6,000 requests, ratio 0.5; "
        "worse than chance, tolerance and differences between hosts (10 %) explain (p 9.6e-07).",
    )
    assert verdict(words, more).verdict == "pass"
    assert verdict({**words, "direction": "either"}, fewer).verdict == "fail"
    assert verdict({**words, "direction": "either"}, more).verdict == "fail"
    assert verdict({**words, "direction": "either"}, errors(300, 300)).verdict == "pass"


def test_one_slow_host_is_not_a_slow_release() -> None:
    """One against one: what hosts differ by explains a quarter, not twice as much and more."""
    assert verdict(VALUE, samples({"c": (0, 125)}, {"b": (0, 100)})).verdict == "pass"
    assert verdict(VALUE, samples({"c": (0, 220)}, {"b": (0, 100)})).verdict == "fail"


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
    assert said(VALUE, samples({"c": (0, 1)}, {"b": (0, 1)}, looks=3)) == (
        "no_data",
        "m: only 2 measurements of the canary, at least 3 are needed.",
    )
    assert said(VALUE, samples({"c": (0, float("nan"))}, {"b": (0, 1)})) == (
        "no_data",
        "m: only 0 measurements of the canary, at least 3 are needed.",
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
    assert verdict({**VALUE, "delay": 0}, cold, elapsed=90.0).metrics[0].figures["measurements"] == 9
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
        ("ignore", "not_judged", False),
    ],
)
def test_what_no_data_means_is_said_by_the_metric(action: str, found: str, decides: bool) -> None:
    answer = verdict({**SHARE, "on_no_data": action}, [])
    assert (answer.verdict, answer.metrics[0].decides) == (found, decides)


def test_a_limit_over_the_window() -> None:
    words = {"kind": "share", "limit": "< 1%"}
    assert said(words, errors(9, 0)) == ("pass", "m: 0.9 % of 6,000 requests, as wanted < 1%.")
    assert said(words, errors(11, 0)) == ("fail", "m: 1.1 % of 6,000 requests, not < 1%.")
    assert said(words, errors(30, 0), final=False) == ("fail", "m: 3 % of 6,000 requests, certainly not < 1%.")
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
        "m: 300 ms against 100 ms, ratio 3, not < 2x, and not by chance (p 0).",
    )
    assert said(words, samples({"c": (0, 190)}, {"b": (0, 100)})) == (
        "pass",
        "m: 190 ms against 100 ms, ratio 1.9, as wanted < 2x.",
    )
    assert said(words, samples({"c": (0, 300)}, {"b": (0, 100)}, looks=20), final=False)[1] == (
        "m: 300 ms against 100 ms, ratio 3, not < 2x, and not by chance (p 0)."
    )
    conversions = {"kind": "share", "baseline": "> 90%"}
    assert said(conversions, errors(200, 300)) == (
        "fail",
        "m: 20 % of 6,000 requests against 30 % of 6,000 requests, ratio 0.667, not > 90%, and not by chance (p 5.3e-24).",
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
        "pass",
        "m: 0.1 % of 1,000 requests against 0 % of 1,000 requests, not < 2x as measured, but chance explains it (p 0.31).",
    )


@settings(max_examples=40)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40))
def test_more_errors_never_help_the_canary(bad: int, other: int, more: int) -> None:
    order = ["pass", "inconclusive", "fail"]
    before = verdict(SHARE, errors(bad, other)).verdict
    after = verdict(SHARE, errors(bad + more, other)).verdict
    assert order.index(after) >= order.index(before)


@settings(max_examples=40)
@given(st.permutations(range(24)), st.integers(0, 40))
def test_the_order_of_the_samples_does_not_matter(order: list[int], bad: int) -> None:
    seen = samples({"c1": (500, bad), "c2": (400, 4)}, {"b1": (500, 4), "b2": (600, 6)})
    assert verdict(SHARE, [seen[place] for place in order]) == verdict(SHARE, seen)


def test_two_balancers_that_see_the_same_host_are_one_host() -> None:
    whole = samples({"c": (1000, 30)}, {"b": (1000, 10)})
    halves = [Sample(each.at, each.group, each.host, each.count / 2, each.value / 2) for each in whole]
    assert verdict(SHARE, halves + halves) == verdict(SHARE, whole)


def one_burst(at: float = 30.0, baseline: float = 0.0) -> list[Sample]:
    """One client's eight errors in one interval on one host, beside a baseline of such a share."""
    seen = samples({"c1": (100, 0), "c2": (100, 0)}, {"b1": (400, baseline), "b2": (400, baseline)}, looks=30)
    return [
        Sample(each.at, each.group, each.host, each.count, 8.0) if (each.at, each.host) == (at, "c1") else each
        for each in seen
    ]


@pytest.mark.parametrize("at", [10.0, 30.0, 290.0, 300.0])
def test_one_clients_burst_was_taken_for_a_bad_release(at: float) -> None:
    """Eight errors within a second where there were none: 100 % of such canaries were failed and their version marked bad."""
    metrics = spec.parse_metrics([{"name": "m", **SHARE}])
    policy = spec.parse_policy(None)
    for look in range(1, 31):
        seen = [each for each in one_burst(at) if each.at <= 10.0 * look]
        found = decide(metrics, Evidence({"m": seen}), Progress(0.0, 10.0 * look, 300.0, look == 30, 300.0), policy)
        assert found.verdict in (("wait",) if look < 30 else ("pass", "inconclusive"))


def test_what_is_bad_on_one_host_only_marks_no_version() -> None:
    seen = samples({"c1": (100, 50), "c2": (100, 0)}, {"b1": (100, 0), "b2": (100, 0)})
    found = verdict(SHARE, seen, final=False, elapsed=60.0)
    assert (found.verdict, found.stops) == ("inconclusive", True)
    assert found.reason == (
        "m: 25 % of 1,200 requests against 0 % of 1,200 requests; worse than chance explains (p 3.1e-20), but on one host only: "
        "the host or the release may be at fault."
    )


def test_a_host_is_held_against_its_own_past() -> None:
    """c was always three times as slow as b: with the past it is no worse, and without it looks like a bad release."""
    seen = samples({"c1": (0, 300), "c2": (0, 310)}, {"b1": (0, 100), "b2": (0, 105)})
    past = [Sample(each.at - 1000, BASELINE, each.host, 0, each.value) for each in seen]
    assert verdict(VALUE, seen).verdict == "fail"
    assert verdict(VALUE, seen, past={"m": past}).verdict == "pass"
    slower = [
        Sample(each.at, each.group, each.host, 0, each.value * (1.3 if each.group == CANARY else 1.0)) for each in seen
    ]
    assert verdict(VALUE, slower, past={"m": past}).verdict == "fail"


def test_what_the_gates_before_saw_counts() -> None:
    """A share too small to be sure of at one gate, and the same at the one before."""
    seen = samples({"c1": (200, 1), "c2": (200, 1)}, {"b1": (400, 1), "b2": (400, 1)})
    earlier = [
        Sample(each.at - before, each.group, each.host, each.count, each.value)
        for before in (600, 500, 400, 300, 200, 100)
        for each in seen
    ]
    assert verdict(SHARE, seen).verdict == "pass"
    assert verdict(SHARE, seen, earlier={"m": earlier}).verdict == "fail"


def test_a_leak_is_seen_by_its_slope() -> None:
    seen = [
        Sample(10.0 * look, group, host, 0, 100 * (1 + (0.01 * look if group == CANARY else 0.0)) * jitter)
        for look in range(1, 37)
        for group, host, jitter in (
            (CANARY, "c1", 1.0 + 0.05 * (look % 3)),
            (CANARY, "c2", 1.1 - 0.05 * (look % 2)),
            (BASELINE, "b1", 1.0 + 0.05 * (look % 2)),
            (BASELINE, "b2", 1.1 - 0.05 * (look % 3)),
        )
    ]
    past = [Sample(each.at - 1000, BASELINE, each.host, 0, 100.0) for each in seen]
    metrics = spec.parse_metrics([{"name": "m", **VALUE}])
    found = decide(
        metrics, Evidence({"m": seen}, past={"m": past}), Progress(0.0, 360.0, 360.0, True), spec.parse_policy(None)
    )
    assert found.verdict == "fail"


def test_what_is_tolerated_is_no_harm() -> None:
    seen = errors(13, 10, requests=10000)
    assert verdict({**SHARE, "tolerance": "0%"}, seen).metrics[0].figures["allowed_ratio"] == 1
    assert verdict({**SHARE, "tolerance": "50%"}, seen).metrics[0].figures["allowed_ratio"] == 1.5


def needed(*words: dict[str, t.Any]) -> float:
    """The p that the first of several metrics needs: all share the chance of a false stop."""
    metrics = spec.parse_metrics([{"name": f"m{number}", **one} for number, one in enumerate(words)])
    known = Evidence({metric.name: errors(10, 10) for metric in metrics}, {})
    found = decide(metrics, known, Progress(0.0, 60.0, 60.0, True, 0.0), spec.parse_policy(None))
    return float(found.metrics[0].figures["p_needed"])


def test_the_chance_of_a_false_stop_is_shared_by_all_that_can_stop() -> None:
    alone = needed(SHARE)
    assert needed(SHARE, SHARE) < alone
    assert needed(SHARE, {**SHARE, "direction": "either"}) < needed(SHARE, SHARE)
    assert needed(SHARE, {**SHARE, "dry_run": True}) == alone


@pytest.mark.parametrize(
    "words", [SHARE, VALUE, {**VALUE, "direction": "either"}], ids=["share", "value", "both directions"]
)
def test_what_is_kept_between_polls_changes_no_verdict(words: dict[str, t.Any]) -> None:
    """One Evidence for all polls of a gate, as the benchmark has it, and a new one for each, as a gate has it."""
    metrics = spec.parse_metrics([{"name": "m", **words}])
    cells: t.Any = ({"c1": (500, 7), "c2": (400, 4)}, {"b1": (500, 5), "b2": (450, 3)})
    seen = samples(*cells, looks=30)
    before: dict[str, t.Any] = {
        "earlier": {"m": [dataclasses.replace(each, at=each.at - 400) for each in seen]},
        "past": {"m": [dataclasses.replace(each, at=each.at - 800, value=each.value + 1) for each in seen]},
    }
    gathered: list[Sample] = []
    kept = Evidence({"m": gathered}, **before)
    for poll in range(1, 31):
        gathered.extend(each for each in seen if each.at == 10.0 * poll)
        progress = Progress(0.0, 10.0 * poll, 300.0, poll == 30)
        found = [
            decide(metrics, each, progress, spec.parse_policy(None))
            for each in (kept, Evidence({"m": gathered}, **before))
        ]
        assert found[0] == found[1]
