# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: a good release, then a bad one, on a fleet whose users are busy all the while.

Rolls 1.0.0 to 2.0.0, then tries a 3.0.0 that is healthy for five seconds and then fails every request, and
shows it rolled back. Prints what the client saw and writes build/demo/result.json:

    {"good": {"requests", "failed", "versions_after", "seconds"},
     "bad": {"requests", "failed", "versions_after", "hosts_touched", "exit_code"}}

Requests and failures are the client's, the versions are what the instances themselves answer, and a host
counts as touched when its instance was restarted or was switched to the bad release. Ends with 0 only
if no request failed, every instance is on 2.0.0 after both, and the bad release was refused.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import typing as t

import local_fleet
import process

sys.path.insert(0, str(local_fleet.REPOSITORY / "tests"))

from support import background

USUAL_PLACE = local_fleet.REPOSITORY / "build" / "demo"
GOOD_VERSION = "2.0.0"
BAD_VERSION = "3.0.0"
BAD_BEHAVIOUR = {"healthy_for": 5}
MIX = {"rate": 150, "keepalive": 8, "close": 4, "slow": 4, "slow_seconds": 2, "uploads": 2, "upload_seconds": 2}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one rollout was like, seen from outside."""

    exit_code: int
    seconds: float
    traffic: dict[str, t.Any]
    lowest: int
    versions_after: dict[str, str | None]
    hosts_touched: list[str]

    @property
    def clean(self) -> bool:
        """No request failed, and every instance serves the good version."""
        return self.traffic["failed"] == 0 and set(self.versions_after.values()) == {GOOD_VERSION}


def rollout(fleet: local_fleet.LocalFleet, version: str) -> int:
    """Runs the playbook for that version and returns its exit code; its output goes to the terminal."""
    beside = pathlib.Path(sys.executable).with_name("ansible-playbook")
    program = str(beside) if beside.exists() else shutil.which("ansible-playbook") or "ansible-playbook"
    argv = [program, "playbooks/rolling.yml", "-i", str(fleet.inventory), "-e", f"rollout_version={version}"]
    # Not in the user's home, which may not even exist.
    env = {"ANSIBLE_HOME": str(fleet.directory / "ansible"), **os.environ}
    return subprocess.run(argv, cwd=local_fleet.REPOSITORY, env=env, check=False).returncode


def observed_rollout(fleet: local_fleet.LocalFleet, name: str, version: str) -> Outcome:
    """The rollout under traffic, with what the client and the instances say of it."""
    before = fleet.seen()
    users = background.traffic(fleet.urls(), fleet.directory / f"traffic-{name}.json", inside=(), **MIX)
    eyes = background.observer(fleet.eyes(), fleet.directory / f"observer-{name}.json")
    with users, eyes:
        begun = time.monotonic()
        exit_code = rollout(fleet, version)
        seconds = time.monotonic() - begun
    after = fleet.seen()
    return Outcome(
        exit_code=exit_code,
        seconds=round(seconds, 1),
        traffic=users.report(),
        lowest=eyes.report()["across"]["lowest"],
        versions_after={host: stats["version"] if stats else None for host, stats in after.items()},
        hosts_touched=[host for host in after if _touched(fleet, host, version, before[host], after[host])],
    )


def _touched(
    fleet: local_fleet.LocalFleet,
    host: str,
    version: str,
    before: dict[str, t.Any] | None,
    after: dict[str, t.Any] | None,
) -> bool:
    restarted = not before or not after or before["started_at"] != after["started_at"]
    return restarted or (fleet.app_directory(host) / "current").resolve().name == version


def result(good: Outcome, bad: Outcome) -> dict[str, dict[str, t.Any]]:
    """The content of result.json."""
    return {
        "good": {
            "requests": good.traffic["requests"],
            "failed": good.traffic["failed"],
            "versions_after": good.versions_after,
            "seconds": good.seconds,
        },
        "bad": {
            "requests": bad.traffic["requests"],
            "failed": bad.traffic["failed"],
            "versions_after": bad.versions_after,
            "hosts_touched": len(bad.hosts_touched),
            "exit_code": bad.exit_code,
        },
    }


def summary(good: Outcome, bad: Outcome) -> str:
    """What the client saw, for people."""
    titles = (f"1.0.0 -> {GOOD_VERSION}", f"{GOOD_VERSION} -> {BAD_VERSION} (fails after 5 s)")
    lines = ["", "What the client saw", f"{'':34}{'requests':>10}{'failed':>8}{'seconds':>9}{'exit':>6}  by version"]
    for title, outcome in zip(titles, (good, bad)):
        seen = outcome.traffic
        versions = ", ".join(f"{version}: {count}" for version, count in sorted(seen["versions"].items()))
        numbers = f"{seen['requests']:>10}{seen['failed']:>8}{outcome.seconds:>9.1f}{outcome.exit_code:>6}"
        lines.append(f"{title:34}{numbers}  {versions}")
    lines.append(f"hosts that the bad release touched: {', '.join(bad.hosts_touched) or 'none'}")
    for name, outcome in (("good", good), ("bad", bad)):
        serve = ", ".join(f"{host} {version}" for host, version in outcome.versions_after.items())
        lines.append(f"the {name} release: at least {outcome.lowest} instances in service; after it: {serve}")
        lines += [f"  failed: {failure}" for failure in outcome.traffic["failures"][:5]]
    return "\n".join(lines)


def heading(title: str) -> None:
    print(f"\n== {title}", flush=True)


def passed(good: Outcome, bad: Outcome) -> bool:
    return good.clean and good.exit_code == 0 and bad.clean and bad.exit_code != 0


def main() -> int:
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    arguments = _parser().parse_args()
    fleet = local_fleet.LocalFleet(arguments.directory, make=arguments.balancer)
    heading("1/4 Start six instances of version 1.0.0 behind two load balancers")
    fleet.down()
    try:
        fleet.up()
        fleet.add_release(GOOD_VERSION)
        fleet.add_release(BAD_VERSION, BAD_BEHAVIOUR)
        heading(f"2/4 Roll out {GOOD_VERSION}, a good release, while clients send requests")
        good = observed_rollout(fleet, "good", GOOD_VERSION)
        heading(f"3/4 Roll out {BAD_VERSION}, which fails 5 s after its start, and see it rolled back")
        bad = observed_rollout(fleet, "bad", BAD_VERSION)
        heading("4/4 What came of it")
    except process.ProcessError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        fleet.down()
    path = fleet.directory / "result.json"
    path.write_text(json.dumps(result(good, bad), indent=2) + "\n", encoding="utf-8")
    print(summary(good, bad))
    print(f"written: {path}")
    print("demo passed" if passed(good, bad) else "DEMO FAILED: see above what was not as it should be")
    return 0 if passed(good, bad) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--balancer", choices=list(local_fleet.MAKES), default="", help="the first that is here")
    parser.add_argument("--directory", type=pathlib.Path, default=USUAL_PLACE)
    return parser


if __name__ == "__main__":
    sys.exit(main())
