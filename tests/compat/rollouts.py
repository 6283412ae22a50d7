# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real rollouts under the ansible-core of the interpreter that runs this, on a fleet of local processes.

Usage: PYTHON rollouts.py [SCENARIO ...]     (rolling, rollback, canary, blue_green; all of them unless given)

What came of each is added to build/compat.json: {ansible-core: {scenario: "passed" or what went wrong}}. The exit code
is 1 where one failed. Needs HAProxy; no root.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "examples" / "demo"), str(REPOSITORY / "tests")]

import local_fleet
from ansible.release import __version__ as CORE
from support import background

RESULTS = REPOSITORY / "build" / "compat.json"
LONGEST = 900.0  # seconds for one playbook
USERS = {"rate": 120, "keepalive": 6, "close": 3, "slow": 0, "uploads": 0}
QUICK: dict[str, t.Any] = {
    "rollout_min_healthy_time": 1,
    "rollout_health_interval": 0.3,
    "rollout_healthy_deadline": 10,
    "rollout_analysis_interval": 2,
    "rollout_max_unavailable": 2,
}
CANARY: dict[str, t.Any] = {
    "rollout_canary_group": ["app5", "app6"],
    "rollout_canary_steps": [{"share": 50, "bake": 6}, {"share": 100, "bake": 2}],
}
COLOURS: dict[str, t.Any] = {
    "rollout_colours": {"blue": ["app1", "app2", "app3"], "green": ["app4", "app5", "app6"]},
    "rollout_live_colour": "blue",
    "rollout_bake_time": 2,
}
GATED: dict[str, t.Any] = {
    "rollout_stages": [1, "100%"],
    "rollout_gate_tasks": str(REPOSITORY / "tests" / "compat" / "tasks" / "gate.yml"),
    "rollout_metrics": [{"name": "errors", "query": "error_share", "limit": "< 50%", "minimum": 10}],
    "rollout_metric_window": 5,
    "rollout_analysis_interval": 0.5,
}
WARNING = re.compile(r"\[(?:DEPRECATION )?WARNING\](?!: (?:step|stage) \d)|Traceback")
"""But not of a gate that detects nothing: these bake for seconds."""


class Wrong(Exception):
    """A rollout did something else than it should; says what."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """A fleet on 1.0.0, and the playbooks run against it by this ansible-core."""

    fleet: local_fleet.LocalFleet
    log: t.TextIO

    def play(self, playbook: str, succeeds: bool = True, **settings: t.Any) -> str:
        """Runs a playbook under traffic and returns its output; raises Wrong for another end than expected."""
        with background.traffic(self.fleet.urls(), self.fleet.directory / "traffic.json", **USERS) as users:
            code, output = self._run(playbook, {**QUICK, **settings})
        if (code == 0) is not succeeds:
            raise Wrong(f"{playbook} ended with {code}: {last_line(output)}")
        warned = next((line for line in output.splitlines() if WARNING.search(line)), "")
        if warned:
            raise Wrong(f"{playbook} printed: {warned.strip()}")
        if users.report()["failed"]:
            raise Wrong(f"{playbook}: {users.report()['failed']} of {users.report()['requests']} requests failed")
        return output

    def _run(self, playbook: str, settings: dict[str, t.Any]) -> tuple[int, str]:
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        argv = [str(program), f"playbooks/{playbook}.yml", "-i", str(self.fleet.inventory), "-e", json.dumps(settings)]
        env = {**os.environ, "ANSIBLE_HOME": str(self.fleet.directory / "ansible"), "ANSIBLE_NOCOLOR": "1"}
        self.log.write(f"== {' '.join(argv)}\n")
        self.log.flush()
        begun = self.log.tell()
        code = subprocess.run(
            argv, cwd=REPOSITORY, env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, timeout=LONGEST,
            check=False,
        ).returncode  # fmt: skip
        self.log.seek(begun)
        output = self.log.read()
        return code, output

    def expect(self, **versions: str) -> None:
        """Every host serves this version: hosts by name, *others* for the rest."""
        found = {name: seen["version"] if seen else None for name, seen in self.fleet.seen().items()}
        wanted = {name: versions.get(name, versions.get("others")) for name in found}
        if found != wanted:
            raise Wrong(f"hosts are on {found}, expected {wanted}")


def rolling(stage: Stage) -> None:
    """A good release in two stages with a gate, and a bad one that is rolled back."""
    stage.fleet.add_release("2.0.0")
    stage.play("rolling", rollout_version="2.0.0", **GATED)
    stage.expect(others="2.0.0")
    stage.fleet.add_release("3.0.0", {"health": "unhealthy"})
    said = stage.play("rolling", succeeds=False, rollout_version="3.0.0")
    stage.expect(others="2.0.0")
    if "3.0.0 is marked bad" not in " ".join(said.split()):
        raise Wrong(f"3.0.0 was not marked bad: {last_line(said)}")


def rollback(stage: Stage) -> None:
    stage.fleet.add_release("2.0.0")
    stage.play("rolling", rollout_version="2.0.0")
    stage.play("rollback")
    stage.expect(others="1.0.0")


def canary(stage: Stage) -> None:
    stage.fleet.add_release("2.0.0")
    stage.play("canary", rollout_version="2.0.0", **CANARY)
    stage.expect(others="2.0.0")


def blue_green(stage: Stage) -> None:
    """A switch of colours, and the switch back."""
    green = dict.fromkeys(COLOURS["rollout_colours"]["green"], "2.0.0")
    stage.fleet.add_release("2.0.0")
    stage.play("blue_green", rollout_version="2.0.0", **COLOURS)
    stage.expect(others="1.0.0", **green)
    stage.play("rollback", **COLOURS)
    stage.expect(others="1.0.0", **green)


SCENARIOS: dict[str, t.Callable[[Stage], None]] = {
    "rolling": rolling,
    "rollback": rollback,
    "canary": canary,
    "blue_green": blue_green,
}


def outcome(name: str) -> str:
    """Runs a scenario on a fleet of its own; "passed", or what went wrong."""
    fleet = local_fleet.LocalFleet(REPOSITORY / "build" / "compat" / f"{CORE}-{name}", make="haproxy")
    fleet.directory.mkdir(parents=True, exist_ok=True)
    with only_one(fleet.directory / "lock"), (fleet.directory / "output.log").open("w+", encoding="utf-8") as log:
        fleet.down()
        try:
            fleet.up()
            SCENARIOS[name](Stage(fleet, log))
        except Wrong as wrong:
            return f"failed: {wrong} (see {log.name})"
        except subprocess.TimeoutExpired:
            return f"failed: still running after {LONGEST:g} s (see {log.name})"
        finally:
            fleet.down()
    return "passed"


@contextlib.contextmanager
def only_one(path: pathlib.Path) -> t.Iterator[None]:
    """Two runs of the same scenario would end each other's fleet."""
    with path.open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def record(name: str, came: str) -> None:
    """Adds it to the results; those of another patch release of this ansible-core are out of date."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    series = CORE.rpartition(".")[0] + "."
    kept = {core: seen for core, seen in results.items() if core == CORE or not core.startswith(series)}
    kept.setdefault(CORE, {})[name] = came
    RESULTS.write_text(json.dumps(dict(sorted(kept.items())), indent=2) + "\n", encoding="utf-8")


def last_line(output: str) -> str:
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")


def main(names: t.Sequence[str]) -> int:
    outcomes = []
    for name in names or list(SCENARIOS):
        outcomes.append(outcome(name))
        record(name, outcomes[-1])
        print(f"ansible-core {CORE}, {name}: {outcomes[-1]}", flush=True)
    return int(any(came != "passed" for came in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
