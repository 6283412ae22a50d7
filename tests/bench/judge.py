# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How well the judge tells good canaries from bad ones, in simulation, beside others. `make bench-judge`.

The streams are described in judge_streams.py and differ from those of the unit tests, the rivals in judge_rivals.py. Every
scenario is judged by the default policy with a look every 10 s, which stops as soon as the judge does; what is inconclusive
at the end of the window waits, as by default, for at most as long as the window once more, and counts as stopped after that.

    judge.py [STREAMS] [SCENARIO...]     streams of each scenario on the usual fleet (100 requests/s, 2 of 10 hosts with 20 %), twice
                           as many of four gates; a tenth, but at least 20, on each of the other fleets, unless scenarios are
                           named. 1000 by default; 60 shows whether it works.
    STEADY_SEED=n          other streams; STEADY_PROCESSES=n for fewer processes than the machine has processors;
    STEADY_EVERY_POLL=1    asks the judge at every poll, see judge_polls.py.

Results go, row by row, to build/bench/judge.json as {"scenario: fleet": {seed, rate, share, hosts, n, stopped, inconclusive,
caught, median_s, half_s, rivals: {name: the same}}}; where scenarios are named, the rows of the others stay. *stopped* are fails,
*inconclusive* what stopped without a verdict after waiting, *caught* both of them for a bad release; *in_window* is what failed
before the window was over. *median_s* is that of what failed, *half_s* the time by which half of all streams had failed, and
*predicted_s* what the plan would have said of that time.
"""

from __future__ import annotations

import collections
import json
import math
import multiprocessing
import os
import pathlib
import statistics
import sys
import time
import typing as t

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests"), str(pathlib.Path(__file__).parent)]

import judge_polls
import judge_rivals
from judge_streams import ERROR_SHARE, INTERVAL, Fleet, Scenario, Stream, stream

from ansible_collections.steady.rollout.plugins.module_utils.judge import model, power, spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.decide import decide

OUT = ROOT / "build" / "bench" / "judge.json"
STREAMS = 1000
GOOD_STREAMS = 10000
SEED = int(os.environ.get("STEADY_SEED", "20"))
EVERY_POLL = bool(os.environ.get("STEADY_EVERY_POLL"))

USUAL = Fleet()
OTHERS = tuple(
    Fleet(rate, share, canary, 10)
    for rate in (20.0, 100.0, 1000.0, 5000.0)
    for share, canary in ((0.05, 1), (0.2, 2), (0.5, 5))
    if (rate, share) != (USUAL.rate, USUAL.share)
) + (Fleet(100.0, 0.2, 3), Fleet(100.0, 0.2, 4))

SCENARIOS = (
    Scenario("good", False),
    Scenario("good, unlike hosts", False, host_noise=0.2),
    Scenario("good, clumped errors", False, clumps=True),
    Scenario("good, first minute slow", False, warm_up=3.0),
    Scenario("good, one client's burst", False, base_errors=0.0, burst=8),
    Scenario("good, four gates", False, gates=(0.05, 0.1, 0.25, 0.5)),
    Scenario("good, errors only", False, metrics=("errors",)),
    Scenario("errors x 2", True, errors=2.0, metrics=("errors",)),
    Scenario("errors x 2, four gates", True, errors=2.0, metrics=("errors",), gates=(0.05, 0.1, 0.25, 0.5)),
    Scenario("latency x 1.5, unlike hosts", True, latency=1.5, host_noise=0.2),
    Scenario("latency x 1.25", True, latency=1.25),
    Scenario("orders, good", False, window=900.0, metrics=("orders",)),
    Scenario("orders - 20 %", True, orders=0.8, window=900.0, metrics=("orders",)),
    Scenario("orders by visits, good", False, window=900.0, metrics=("orders by visits",)),
    Scenario("orders by visits - 20 %", True, orders=0.8, window=900.0, metrics=("orders by visits",)),
    Scenario("orders as a share, good", False, window=900.0, metrics=("order share",)),
    Scenario("orders as a share - 20 %", True, orders=0.8, window=900.0, metrics=("order share",)),
    Scenario("good, p95 only, 6 minutes", False, window=360.0, metrics=("p95",)),
    Scenario("leak, + 100 % in 20 minutes", True, leak=1.0, window=360.0),
    Scenario("orders, good, 5 minutes", False, metrics=("orders",)),
)
METRICS = {
    "errors": {"name": "errors", "kind": "share", "judge": True},
    "p95": {"name": "p95", "unit": "ms", "judge": True},
    "orders": {"name": "orders", "baseline": "> 90%"},
    "orders by visits": {"name": "orders by visits", "baseline": "> 90%"},
    "order share": {"name": "order share", "kind": "share", "direction": "decrease", "baseline": "> 90%"},
}
POLICY = spec.parse_policy({"gates": 4})
OURS = "this judge"


class Outcome(t.NamedTuple):
    """What was said of one stream, and when, in seconds. *window* is that of the scenario."""

    verdict: str
    at: float
    window: float


def samples(metric: str, seen: Stream, fleet: Fleet, at: int, when: float) -> list[model.Sample]:
    """What one look measures. Orders per visit are those of a group, as monitoring would tell them, or with the visits."""
    found = []
    if metric in ("orders", "orders by visits"):
        for group, hosts in ((model.CANARY, slice(0, fleet.canary)), (model.BASELINE, slice(fleet.canary, None))):
            requests = float(seen.requests[at, hosts].sum())
            if requests:
                count = requests if metric == "orders by visits" else 0
                found.append(model.Sample(when, group, "", count, float(seen.orders[at, hosts].sum()) / requests))
        return found
    table = {"errors": seen.bad, "p95": seen.p95, "order share": seen.orders}[metric]
    for host in range(fleet.hosts):
        requests = float(seen.requests[at, host])
        if requests:
            group = model.CANARY if host < fleet.canary else model.BASELINE
            found.append(model.Sample(when, group, f"h{host}", requests, float(table[at, host])))
    return found


def ours(scenario: Scenario, fleet: Fleet, seen: Stream) -> Outcome:
    """All gates of a rollout, one after the other; what earlier ones measured counts at the next."""
    before = {name: _before(name, seen.past, fleet) for name in scenario.metrics}
    earlier: dict[str, list[model.Sample]] = {name: [] for name in scenario.metrics}
    found = Outcome(model.PASS, 0.0, scenario.window)
    for number in range(max(1, len(scenario.gates))):
        gathered: dict[str, list[model.Sample]] = {name: [] for name in scenario.metrics}
        found = _gate(
            scenario, fleet, seen, number * scenario.slot, model.Evidence(gathered, earlier=earlier, past=before)
        )
        if found.verdict != model.PASS:
            break
        for name, samples_of_gate in gathered.items():
            earlier[name] = [*earlier[name], *samples_of_gate]
    return found


def _before(metric: str, past: Stream, fleet: Fleet) -> list[model.Sample]:
    """What was measured before the split, which is a minute before the first gate."""
    count = len(past.requests)
    return [
        each for at in range(count) for each in samples(metric, past, fleet, at, (at - count + 1) * INTERVAL - 60.0)
    ]


def _gate(scenario: Scenario, fleet: Fleet, seen: Stream, first: int, evidence: model.Evidence) -> Outcome:
    """One gate from its interval *first* on. The samples are added to those of the evidence."""
    metrics = spec.parse_metrics([METRICS[name] for name in scenario.metrics])
    began = first * INTERVAL
    asked = _asked(scenario, fleet, seen, first)
    found = model.Verdict(model.INCONCLUSIVE, "", (), None)
    for at in range(first, first + scenario.slot):
        elapsed = (at + 1) * INTERVAL - began
        for name in scenario.metrics:
            evidence.samples[name].extend(samples(name, seen, fleet, at, began + elapsed))
        final = elapsed >= scenario.window
        if not final and not asked[at - first]:
            continue
        progress = model.Progress(began, elapsed, scenario.window, final, scenario.window)
        found = decide(metrics, evidence, progress, POLICY)
        if found.verdict in (model.PASS, model.FAIL) or found.stops:
            return Outcome(found.verdict, elapsed, scenario.window)
    return Outcome(found.verdict, 2 * scenario.window, scenario.window)


def _asked(scenario: Scenario, fleet: Fleet, seen: Stream, first: int) -> t.Sequence[bool]:
    looks = round(scenario.window / INTERVAL)
    if EVERY_POLL:
        return [True] * looks
    found: t.Sequence[bool] = judge_polls.worth_asking(scenario.metrics, fleet, seen, first, first + looks)
    return found


def outcomes(job: tuple[Scenario, Fleet, int]) -> tuple[dict[str, Outcome], dict[str, float]]:
    """One stream before all judges; the bound needs all streams together, so its figures are handed on."""
    scenario, fleet, number = job
    looks = scenario.slot * max(1, len(scenario.gates))
    place = [each.name for each in SCENARIOS].index(scenario.name)
    seen = stream(scenario, fleet, [SEED, place, *fleet.numbers, number], looks)
    found = {OURS: ours(scenario, fleet, seen)}
    for name, stopped in judge_rivals.all_of(scenario, fleet, seen).items():
        found[name] = Outcome(
            model.PASS if stopped is None else model.FAIL, stopped or scenario.window, scenario.window
        )
    return found, judge_rivals.statistics_of(scenario, fleet, seen)


def good_statistics(job: tuple[Scenario, Fleet, int]) -> dict[str, float]:
    """What the bound's tests look at in one more stream of a good release."""
    scenario, fleet, number = job
    place = [each.name for each in SCENARIOS].index(scenario.name)
    seen = stream(scenario, fleet, [SEED, 1000 + place, *fleet.numbers, number], round(scenario.window / INTERVAL))
    return judge_rivals.statistics_of(scenario, fleet, seen)


def figures(found: t.Sequence[Outcome]) -> dict[str, t.Any]:
    count = len(found)
    stopped = [each for each in found if each.verdict == model.FAIL]
    in_window = sum(1 for each in stopped if each.at <= each.window)
    unclear = [each for each in found if each.verdict not in (model.FAIL, model.PASS)]
    return {
        "n": count,
        "stopped": round(len(stopped) / count, 4),
        "inconclusive": round(len(unclear) / count, 4),
        "caught": round((len(stopped) + len(unclear)) / count, 4),
        "interval": [round(each, 4) for each in wilson(len(stopped) + len(unclear), count)],
        "in_window": round(in_window / count, 4),
        "in_window_interval": [round(each, 4) for each in wilson(in_window, count)],
        "median_s": statistics.median(each.at for each in stopped) if stopped else None,
        "half_s": sorted(each.at for each in stopped)[(count - 1) // 2] if 2 * len(stopped) > count else None,
    }


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson 1927)."""
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def rows(number: int, only: t.Sequence[str]) -> list[tuple[Scenario, Fleet, int]]:
    """Which scenarios on which fleets, with how many streams: the usual fleet first."""
    wanted = [each for each in SCENARIOS if not only or each.name in only]
    found = [(scenario, USUAL, number * (2 if scenario.gates else 1)) for scenario in wanted]
    if only:
        return found
    return found + [(scenario, fleet, max(20, number // 10)) for fleet in OTHERS for scenario in wanted]


class Bench:
    """Judges row by row. Good streams for a bound are made once for each fleet."""

    def __init__(self, pool: t.Any) -> None:
        self._pool = pool
        self._good: dict[tuple[str, Fleet], list[dict[str, float]]] = {}

    def row(self, scenario: Scenario, fleet: Fleet, number: int) -> dict[str, t.Any]:
        judges: dict[str, list[Outcome]] = collections.defaultdict(list)
        seen = []
        for found, statistic in self._pool.imap(outcomes, [(scenario, fleet, each) for each in range(number)], 4):
            seen.append(statistic)
            for judge, outcome in found.items():
                judges[judge].append(outcome)
        row = {"rate": fleet.rate, "share": fleet.share, "hosts": fleet.canary, **figures(judges[OURS])}
        if scenario.name == "errors x 2":
            row["predicted_s"] = predicted(fleet, scenario)
        rivals = {judge: figures(found) for judge, found in judges.items() if judge != OURS}
        if scenario.name in judge_rivals.GOOD:
            rivals.update(judge_rivals.bound(scenario.name, seen, self._good_ones(scenario, fleet)))
        return {"seed": SEED, **row, "rivals": rivals}

    def _good_ones(self, scenario: Scenario, fleet: Fleet) -> list[dict[str, float]]:
        """More good streams than are judged: a critical value of one in some hundreds needs thousands."""
        like = next(each for each in SCENARIOS if each.name == judge_rivals.GOOD[scenario.name])
        if (like.name, fleet) not in self._good:
            number = GOOD_STREAMS if fleet == USUAL else GOOD_STREAMS // 3
            jobs = [(like, fleet, each) for each in range(number)]
            self._good[like.name, fleet] = list(self._pool.imap(good_statistics, jobs, 20))
        return self._good[like.name, fleet]


def predicted(fleet: Fleet, scenario: Scenario) -> float | None:
    """The time that the plan would have named beforehand."""
    traffic = power.Traffic(fleet.rate, ERROR_SHARE, fleet.share, fleet.canary, fleet.hosts - fleet.canary)
    return power.errors_seen(traffic, POLICY, power.Gate(scenario.window, INTERVAL, tests=len(scenario.metrics)))


def _row(name: str, row: t.Mapping[str, t.Any]) -> str:
    median = "-" if row.get("median_s") is None else f"{row['median_s']:.0f} s"
    low, high = row.get("interval", (0.0, 0.0))
    return (
        f"{name:<68} {row['stopped']:>7.1%} {row['inconclusive']:>8.1%} {row['caught']:>8.1%} "
        f"{low:>7.1%} to {high:>5.1%} {median:>7} {row['n']:>6,}"
    )


def main() -> int:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else STREAMS
    began = time.monotonic()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(OUT.read_text(encoding="utf-8")) if sys.argv[2:] and OUT.exists() else {}
    print(f"{'':<68} {'fail':>7} {'unclear':>8} {'stopped':>8} {'95 % interval':>17} {'median':>7} {'n':>6}")
    with multiprocessing.Pool(int(os.environ.get("STEADY_PROCESSES") or os.cpu_count() or 1)) as pool:
        bench = Bench(pool)
        for scenario, fleet, count in rows(number, sys.argv[2:]):
            name = f"{scenario.name}: {fleet.name}"
            kept[name] = bench.row(scenario, fleet, count)
            # After every row: what was measured is not lost with the rest.
            OUT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            rivals = kept[name]["rivals"] if fleet == USUAL else {}
            lines = [_row(name, kept[name]), *(_row(f"    {judge}", row) for judge, row in rivals.items())]
            print("\n".join(lines), flush=True)
    print(f"in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
