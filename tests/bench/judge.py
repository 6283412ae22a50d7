# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How well the judge tells good canaries from bad ones, in simulation, beside others. `make bench-judge`.

In every setting canaries of three kinds: no worse at all (A/A), with the error rate doubled from 1 to
2 percent, with every latency up by half. All are judged with two metrics, the share of errors and the p95, by the default
policy, with a look after every interval and an early fail wherever the judge sees one: the A/A ones too. What the traffic
and the hosts do is described in tests/support/canaries.py and printed with the figures; the judge is told none of it.

A false stop is whatever is not a pass, "inconclusive" too; caught is only what fails. The verdict's time is that of
caught canaries. The figures of the file's top level are those of the first two settings together, which are what the
judge is for: a canary beside the rest of the fleet, and beside a fresh baseline of its own size. The others are harder
than that: hosts that differ twice as much as the policy believes, or little traffic on few hosts under everything that
can disturb at once.

    judge.py [CANARIES]     of each kind in each of the first two settings; a quarter of that in the others
"""

from __future__ import annotations

import collections
import json
import math
import multiprocessing
import pathlib
import statistics
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests")]

from support import canary_judges
from support.canaries import BAKE, NORMAL, QUANTILE, Effect, Setting, canary
from support.judging import judged

OUT = ROOT / "build" / "bench" / "judge.json"
CANARIES = 1000
SEED = "1"

GOOD = Effect("A/A")
ERRORS = Effect("errors x 2", errors=2.0)
LATENCY = Effect("p95 x 1.5", latency=1.5)
EFFECTS = (GOOD, ERRORS, LATENCY)

BESIDE_FLEET = Setting("beside the fleet")
FRESH = Setting("fresh baseline", baseline_hosts=3, baseline_share=0.05)
UNLIKE = Setting("unlike hosts", host_noise=0.2)
HARSH = Setting(
    "harsh",
    rate=400.0,
    canary_hosts=2,
    baseline_hosts=12,
    latency_sigma=1.0,
    host_noise=0.15,
    wander=0.1,
    jitter=0.1,
    drift=0.5,
    clump=1.5,
    hiccups=0.02,
)
SETTINGS = (BESIDE_FLEET, FRESH, UNLIKE, HARSH)
COUNTED = (BESIDE_FLEET, FRESH)

OURS = "this judge"
AT_THE_END = "Kayenta, at the end"
EVERY_MINUTE = "Kayenta, every minute"
THRESHOLD = "fixed threshold"
HEADER = f"{'':<46} {'false stops':>11} {'errors x 2':>11} {'p95 x 1.5':>10} {'median time':>12} {'canaries':>9}"
JUDGES = (OURS, AT_THE_END, EVERY_MINUTE, THRESHOLD)


class Outcome(t.NamedTuple):
    """What one judge said of one canary, and when, in seconds."""

    setting: str
    effect: str
    judge: str
    verdict: str
    at: float


def outcomes(job: tuple[Setting, Effect, int]) -> list[Outcome]:
    """One canary before all judges."""
    setting, effect, number = job
    intervals = list(canary(setting, effect, f"{SEED}/{setting.name}/{effect.name}/{number}"))
    verdict, at = judged(intervals)
    found = [Outcome(setting.name, effect.name, OURS, verdict, at)]
    every_minute = range(canary_judges.MINUTE, len(intervals) + 1, canary_judges.MINUTE)
    usual = setting.median_ms * math.exp(setting.latency_sigma * NORMAL.inv_cdf(QUANTILE))
    for name, stopped in (
        (AT_THE_END, canary_judges.kayenta(intervals, [len(intervals)])),
        (EVERY_MINUTE, canary_judges.kayenta(intervals, every_minute)),
        (THRESHOLD, canary_judges.threshold(intervals, setting, usual)),
    ):
        found.append(Outcome(setting.name, effect.name, name, "pass" if stopped is None else "fail", stopped or BAKE))
    return found


def figures(found: t.Sequence[Outcome]) -> dict[str, t.Any]:
    """Shares of canaries, and the median of the seconds that a caught one took."""
    verdicts = {effect.name: [each for each in found if each.effect == effect.name] for effect in EFFECTS}

    def part(effect: Effect, verdict: str) -> float:
        return sum(1 for each in verdicts[effect.name] if each.verdict == verdict) / len(verdicts[effect.name])

    caught = [each.at for effect in (ERRORS, LATENCY) for each in verdicts[effect.name] if each.verdict == "fail"]
    return {
        "false_stop": round(1 - part(GOOD, "pass"), 5),
        "caught_error_x2": round(part(ERRORS, "fail"), 5),
        "caught_p95_x1_5": round(part(LATENCY, "fail"), 5),
        "median_seconds_to_verdict": statistics.median(caught) if caught else None,
        "n": len(found),
    }


def all_figures(found: t.Sequence[Outcome]) -> dict[str, t.Any]:
    by_place: dict[tuple[str, str], list[Outcome]] = collections.defaultdict(list)
    for each in found:
        by_place[each.setting, each.judge].append(each)
    settings = {
        setting.name: {
            "assumes": setting.described(),
            "judges": {judge: figures(by_place[setting.name, judge]) for judge in JUDGES},
        }
        for setting in SETTINGS
    }
    counted = [each for setting in COUNTED for each in by_place[setting.name, OURS]]
    return {**figures(counted), "settings": settings}


def shown(result: t.Mapping[str, t.Any], seconds: float) -> str:
    lines = []
    for name, setting in result["settings"].items():
        lines += ["", f"{name}: {setting['assumes']}", HEADER]
        lines += [row(judge, each) for judge, each in setting["judges"].items()]
    counted = " and ".join(setting.name for setting in COUNTED)
    return "\n".join([*lines, "", HEADER, row(f"{OURS}: {counted}", result), f"in {seconds:.0f} s"])


def row(name: str, each: t.Mapping[str, t.Any]) -> str:
    median = "-" if each["median_seconds_to_verdict"] is None else f"{each['median_seconds_to_verdict']:.0f} s"
    caught = f"{each['caught_error_x2']:>11.1%} {each['caught_p95_x1_5']:>10.1%}"
    return f"{name:<46} {each['false_stop']:>11.2%} {caught} {median:>12} {each['n']:>9,}"


def main() -> int:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else CANARIES
    began = time.monotonic()
    jobs = [
        (setting, effect, each)
        for setting in SETTINGS
        for effect in EFFECTS
        for each in range(number if setting in COUNTED else math.ceil(number / 4))
    ]
    with multiprocessing.Pool() as pool:
        found = [each for some in pool.imap_unordered(outcomes, jobs, chunksize=8) for each in some]
    result = all_figures(found)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(shown(result, time.monotonic() - began))
    return 0


if __name__ == "__main__":
    sys.exit(main())
