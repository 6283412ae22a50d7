# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo of shifted traffic: a canary that is good, one that errs, a switch of colours and the switch back.

Brings 1.0.0 to 2.0.0 by a canary, judged by what the balancers count; tries a 3.0.0 that errs on 3 percent of the requests
and shows it sent home; then switches from blue to green with 2.1.0, and back. Shares and verdicts are shown as they move.
Prints what the client saw and writes build/demo-canary/result.json, for each of "good", "bad", "switch", "back":

    {"requests", "failed", "seconds", "exit_code", "verdicts": [[share, verdict]], "versions_after"}

Ends with 0 only if the bad version was refused and no request failed but those that its share sent to it.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import typing as t

import local_fleet
import process

sys.path.insert(0, str(local_fleet.REPOSITORY / "tests"))

from support import background

USUAL_PLACE = local_fleet.REPOSITORY / "build" / "demo-canary"
GOOD, BAD, NEXT = "2.0.0", "3.0.0", "2.1.0"
ERRS = {"errors": 0.03}
MIX = {"rate": 300, "keepalive": 12, "close": 6, "slow": 0, "uploads": 0}
SETTINGS = {
    "rollout_min_healthy_time": 1,
    "rollout_health_interval": 0.5,
    "rollout_analysis_interval": 2,
    "rollout_canary_group": ["app5", "app6"],
    "rollout_canary_steps": [{"share": 10, "bake": 10}, {"share": 50, "bake": 4}, {"share": 100, "bake": 4}],
    "rollout_bake_time": 4,
}
COLOURS = {
    "rollout_colours": {"blue": ["app1", "app2", "app3"], "green": ["app4", "app5", "app6"]},
    "rollout_live_colour": "blue",
    "rollout_compare": {"seconds": 3, "warm_up": 1, "max_seconds": 9, "negligible": 0.02},
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one playbook was like, seen from outside."""

    exit_code: int
    seconds: float
    traffic: dict[str, t.Any]
    verdicts: list[tuple[float, str]]
    versions_after: dict[str, str | None]

    def as_result(self) -> dict[str, t.Any]:
        return {
            "requests": self.traffic["requests"],
            "failed": self.traffic["failed"],
            "seconds": self.seconds,
            "exit_code": self.exit_code,
            "verdicts": self.verdicts,
            "versions_after": self.versions_after,
        }


def play(fleet: local_fleet.LocalFleet, playbook: str, settings: dict[str, t.Any]) -> int:
    """Runs a playbook and returns its exit code; its output goes to the terminal."""
    beside = pathlib.Path(sys.executable).with_name("ansible-playbook")
    program = str(beside) if beside.exists() else shutil.which("ansible-playbook") or "ansible-playbook"
    argv = [
        program,
        f"playbooks/{playbook}.yml",
        "-i",
        str(fleet.inventory),
        "-e",
        json.dumps({**SETTINGS, **settings}),
    ]
    # Not in the user's home, which may not even exist.
    env = {"ANSIBLE_HOME": str(fleet.directory / "ansible"), **os.environ}
    return subprocess.run(argv, cwd=local_fleet.REPOSITORY, env=env, check=False).returncode


def observed(fleet: local_fleet.LocalFleet, name: str, title: str, playbook: str, **settings: t.Any) -> Outcome:
    """A playbook under traffic, with what the client, the ledger and the instances say of it."""
    print(f"\n== {title}", flush=True)
    before = len(verdicts(fleet))
    with background.traffic(fleet.urls(), fleet.directory / f"traffic-{name}.json", inside=(), **MIX) as users:
        begun = time.monotonic()
        exit_code = play(fleet, playbook, settings)
        seconds = time.monotonic() - begun
    after = {host: stats["version"] if stats else None for host, stats in fleet.seen().items()}
    return Outcome(exit_code, round(seconds, 1), users.report(), verdicts(fleet)[before:], after)


def verdicts(fleet: local_fleet.LocalFleet) -> list[tuple[float, str]]:
    """The share and the verdict of every step that was judged so far, as the ledger has them."""
    path = fleet.directory / "ledger" / "ledger.db"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT data FROM event WHERE kind = 'shift_gate' ORDER BY seq").fetchall()
    return [(json.loads(row[0])["share"], json.loads(row[0])["verdict"]) for row in rows]


def passed(outcomes: dict[str, Outcome]) -> bool:
    good, bad, switch, back = (outcomes[name] for name in ("good", "bad", "switch", "back"))
    unharmed = all(one.traffic["failed"] == 0 and one.exit_code == 0 for one in (good, switch, back))
    went_home = (
        bad.exit_code != 0 and bad.verdicts[-1:] == [(10.0, "fail")] and set(bad.versions_after.values()) == {GOOD}
    )
    return unharmed and set(good.versions_after.values()) == {GOOD} and went_home and _few_failed(bad)


def _few_failed(bad: Outcome) -> bool:
    """Whoever met the bad version, and no others: not more than one in ten by far."""
    return bool(0 < bad.traffic["failed"] <= 0.02 * bad.traffic["requests"])


def summary(outcomes: dict[str, Outcome]) -> str:
    """What the client saw, for people."""
    lines = ["", "What the client saw", f"{'':10}{'requests':>10}{'failed':>8}{'seconds':>9}{'exit':>6}  by version"]
    for name, outcome in outcomes.items():
        seen = outcome.traffic
        versions = ", ".join(f"{version}: {count}" for version, count in sorted(seen["versions"].items()))
        numbers = f"{seen['requests']:>10}{seen['failed']:>8}{outcome.seconds:>9.1f}{outcome.exit_code:>6}"
        lines.append(f"{name:10}{numbers}  {versions}")
    judged = "; ".join(f"{share:g} % {verdict}" for share, verdict in outcomes["bad"].verdicts)
    lines.append(f"the bad version was judged: {judged or 'never'}")
    return "\n".join(lines)


def run_all(fleet: local_fleet.LocalFleet) -> dict[str, Outcome]:
    outcomes = {}
    outcomes["good"] = observed(fleet, "good", f"canary of {GOOD}", "canary", rollout_version=GOOD)
    outcomes["bad"] = observed(fleet, "bad", f"canary of {BAD}, which errs on 3 %", "canary", rollout_version=BAD)
    switch = {"rollout_version": NEXT, **COLOURS}
    outcomes["switch"] = observed(
        fleet, "switch", f"blue-green: all traffic to {NEXT} on green", "blue_green", **switch
    )
    outcomes["back"] = observed(fleet, "back", "rollback: all traffic back to blue", "rollback", **COLOURS)
    return outcomes


def main() -> int:
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    arguments = _parser().parse_args()
    fleet = local_fleet.LocalFleet(arguments.directory, make=arguments.balancer)
    fleet.down()
    try:
        fleet.up()
        for version, behaviour in ((GOOD, None), (BAD, ERRS), (NEXT, None)):
            fleet.add_release(version, behaviour)
        outcomes = run_all(fleet)
    except process.ProcessError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        fleet.down()
    path = fleet.directory / "result.json"
    content = {name: outcome.as_result() for name, outcome in outcomes.items()}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(summary(outcomes))
    print(f"written: {path}")
    print("demo passed" if passed(outcomes) else "DEMO FAILED: see above what was not as it should be")
    return 0 if passed(outcomes) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--balancer", choices=list(local_fleet.MAKES), default="", help="the first that is here")
    parser.add_argument("--directory", type=pathlib.Path, default=USUAL_PLACE)
    return parser


if __name__ == "__main__":
    sys.exit(main())
