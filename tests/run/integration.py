# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs tests/integration with some pytests at a time: most of what they do is wait for servers.

Usage: python -m run.integration REPORTS [SUITE ...]

Without a SUITE, a folder or a file of tests/integration, all folders. The contract suite is one pytest for each load balancer
(contract:TYPE is that of one only), and what came of it is in build/contract.json: {balancer: {case: "passed" or why
not}}. What clients saw under traffic is in build/contract-traffic.json.

SUITE@RELEASE runs a suite on the HAProxy of another Debian release, SUITE@RELEASE+core only what differs most between
versions: drains, weights and what is read.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import pathlib
import subprocess
import sys
import time
import typing as t

from . import haproxy_versions, house

AT_A_TIME = 3
INTEGRATION = house.ROOT / "tests" / "integration"
CONTRACT = "contract"
sys.path.insert(0, str(house.ROOT / ".collections"))

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry

BACKENDS = tuple(sorted(registry.TYPES))
"""Of the contract; its conftest.py refuses to run with others."""
ROLLING = f"{CONTRACT}/test_rolling.py"
"""The one file of the contract that runs several backends at once."""
CORE = "snapshot or drain or in_service or maintenance or weights or restart"
"""Cases of the contract in which versions of HAProxy differed most, as pytest's -k."""
RESULTS = house.BUILD / "contract.json"
TRAFFIC = house.BUILD / "contract-traffic.json"


@dataclasses.dataclass(frozen=True)
class Job:
    """One pytest: *words* are its own, *backend* the only one that the contract suite is to run."""

    name: str
    words: tuple[str, ...]
    backend: str = ""
    release: str = ""
    """The Debian release whose HAProxy it is run on; otherwise the machine's own."""


@dataclasses.dataclass(frozen=True)
class Done:
    name: str
    exit_code: int
    seconds: float
    output: str


def jobs(suites: t.Iterable[str]) -> list[Job]:
    """In the order of the suites: name long ones first, so that short ones fill the end."""
    return [job for suite in suites for job in jobs_of(suite)]


def jobs_of(suite: str) -> list[Job]:
    suite, _at, version = suite.partition("@")
    if version:
        return [_on_another_haproxy(job, *version.partition("+")[::2]) for job in jobs_of(suite)]
    name, _colon, backend = suite.partition(":")
    if name != CONTRACT:
        return [plain_job(suite)]
    if backend:
        return [contract_job(backend)]
    return [*map(contract_job, BACKENDS), Job(f"{CONTRACT}-rolling", (str(INTEGRATION / ROLLING),))]


def _on_another_haproxy(job: Job, release: str, chosen: str) -> Job:
    words = (*job.words, "-k", CORE) if chosen else job.words
    return dataclasses.replace(job, name=f"{job.name}-{release}", words=words, release=release)


def contract_job(backend: str) -> Job:
    return Job(f"{CONTRACT}-{backend}", (str(INTEGRATION / CONTRACT), f"--ignore={INTEGRATION / ROLLING}"), backend)


def plain_job(suite: str) -> Job:
    return Job(suite.replace("/", "-"), (str(INTEGRATION / suite),))


def all_suites() -> list[str]:
    return sorted(path.name for path in INTEGRATION.iterdir() if any(path.glob("test_*.py")))


def _environment(job: Job) -> dict[str, str]:
    other = {"STEADY_HAPROXY": str(haproxy_versions.wrapper(job.release))} if job.release else {}
    return house.environment(STEADY_BACKEND=job.backend, **other)


def run(job: Job, reports: pathlib.Path) -> Done:
    """One job to its end. What it started ends with the part that this runs in."""
    argv = [str(house.VENV / "bin" / "python"), "-m", "pytest", "-p", "no:testinfra"]
    began = time.monotonic()
    done = subprocess.run(
        [*argv, f"--junitxml={reports / job.name}.xml", *job.words],
        cwd=house.ROOT,
        env=_environment(job),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Done(job.name, done.returncode, time.monotonic() - began, done.stdout)


def table(results: t.Mapping[str, t.Mapping[str, str]]) -> str:
    """How many cases of the contract each load balancer passes, and how many are not for it."""
    lines = [f"{'balancer':20}{'passed':>8}{'failed':>8}{'cannot':>8}"]
    for backend, cases in sorted(results.items()):
        passed = sum(outcome == "passed" for outcome in cases.values())
        failed = sum(outcome.startswith("failed") for outcome in cases.values())
        lines.append(f"{backend:20}{passed:>8}{failed:>8}{len(cases) - passed - failed:>8}")
    return "\n".join(lines)


def traffic_table(figures: t.Mapping[str, t.Mapping[str, t.Mapping[str, t.Any]]]) -> str:
    """What clients saw of each series of changes; a reconnect is an idle connection that was closed."""
    lines = [f"{'under traffic':38}{'changes':>8}{'requests':>10}{'failed':>8}{'reconnects a change':>21}"]
    for backend, series in sorted(figures.items()):
        for name, seen in sorted(series.items()):
            if "failed" in seen:
                counts = (
                    f"{seen['changes']:>8}{seen['requests']:>10}{seen['failed']:>8}{seen['reconnects_a_change']:>21.1f}"
                )
                lines.append(f"{f'{backend} {name}':38}{counts}")
    return "\n".join(lines)


def main(words: t.Sequence[str]) -> int:
    reports, suites = pathlib.Path(words[0]), list(words[1:]) or all_suites()
    if any(suite.partition(":")[0] == CONTRACT for suite in suites):
        for path in (RESULTS, TRAFFIC):
            path.unlink(missing_ok=True)
    codes = []
    for release in sorted({job.release for job in jobs(suites) if job.release}):
        why_not = haproxy_versions.get(release)
        if why_not:
            print(f"-- {why_not}; what is to run on it is skipped", flush=True)
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for waited in concurrent.futures.as_completed([pool.submit(run, job, reports) for job in jobs(suites)]):
            done = waited.result()
            codes.append(done.exit_code)
            print(f"-- {done.name}: exit code {done.exit_code} after {done.seconds:.0f} s\n{done.output}", flush=True)
    for path, table_of in ((TRAFFIC, traffic_table), (RESULTS, table)):
        if path.exists():
            print(f"{table_of(json.loads(path.read_text(encoding='utf-8')))}\n")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
