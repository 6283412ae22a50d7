# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the ledger takes to decide, and how large it gets, for a whole rollout of a large fleet.

Usage: PYTHONPATH=tests python tests/bench/ledger.py [--hosts 10000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import typing as t

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(REPOSITORY, ".collections"), os.path.join(REPOSITORY, "tests")]

from support.ledger_client import LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.store import Store

STEPS = ("drain", "update", "health", "restore")
POLICY = {"max_unavailable": "100", "stages": ["1", "10%", "50%", "100%"], "gate": False}
ZONES = [f"zone{number}" for number in range(10)]
WIDTH = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        figures = measured(options.hosts, directory)
    for name, value in figures.items():
        print(f"{name:<28} {value}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as stream:
            json.dump(figures, stream, indent=2)


def measured(count: int, directory: str) -> dict[str, t.Any]:
    ledger = LedgerClient(store=Store.at(directory))
    hosts = fleet(count, zones=ZONES)
    ledger.open()
    planning, plan = timed(ledger.plan, hosts, balancers=[pool(hosts), pool(hosts, "lb2")], policy=POLICY)
    decisions, computing, waits, reports = rolled(ledger, plan["order"])
    verifying, dummy = timed(ledger.info)
    ledger.store.close()
    return {
        "hosts": count,
        "plan_seconds": round(planning, 2),
        "admission_ms_median": round(statistics.median(decisions) * 1000, 2),
        "admission_ms_p99": round(statistics.quantiles(decisions, n=100)[98] * 1000, 2),
        "admission_cpu_ms_p99": round(statistics.quantiles(computing, n=100)[98] * 1000, 2),
        "refusal_ms_median": round(statistics.median(waits) * 1000, 2) if waits else None,
        "report_ms_median": round(statistics.median(reports) * 1000, 2),
        "verify_history_seconds": round(verifying, 2),
        "file_mb": round(size_of(directory) / 1e6, 1),
    }


def rolled(ledger: LedgerClient, order: list[str]) -> tuple[list[float], list[float], list[float], list[float]]:
    """A whole rollout, so many hosts at a time; the seconds of each go, also of the processor, each wait and each report."""
    decisions: list[float] = []
    computing: list[float] = []
    waits: list[float] = []
    reports: list[float] = []
    waiting, out = list(order), []
    while waiting or out:
        while waiting and len(out) < WIDTH:
            computed = time.thread_time()
            seconds, answer = timed(ledger.admit, waiting[0])
            computed = time.thread_time() - computed
            if answer["verdict"] != "go":
                waits.append(seconds)
                break
            decisions.append(seconds)
            computing.append(computed)
            out.append(waiting.pop(0))
        reports += reported(ledger, out.pop(0))
    return decisions, computing, waits, reports


def reported(ledger: LedgerClient, name: str) -> list[float]:
    steps = [timed(ledger.host, "changing", name, step=step, limit=300)[0] for step in STEPS]
    return [*steps, timed(ledger.host, "proven", name, version="2.0.0", drained_for=1.5)[0]]


def timed(act: t.Callable[..., t.Any], *arguments: t.Any, **options: t.Any) -> tuple[float, t.Any]:
    begin = time.perf_counter()
    answer = act(*arguments, **options)
    return time.perf_counter() - begin, answer


def size_of(directory: str) -> int:
    return sum(os.path.getsize(os.path.join(directory, name)) for name in os.listdir(directory))


if __name__ == "__main__":
    main()
