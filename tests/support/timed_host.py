# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer's host with a restore timer, without systemd: what its unit would run is run by hand, at any later time."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
from support.cores import Outcome, params_of

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import schedule
from ansible_collections.steady.rollout.plugins.modules import restore_timer
from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers.program import program

START = re.compile("^ExecStart=(.*)$", re.MULTILINE)


class TimedHost:
    """The run of *ledger* with *token* has claimed the service shop here."""

    def __init__(self, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory / "claims"
        self.root = directory / "root"
        for folder in ("run/systemd/system", "etc/systemd/system"):
            (self.root / folder).mkdir(parents=True)
        self.asked: list[str] = []
        monkeypatch.setattr(schedule, "ROOT", f"{self.root}/")
        monkeypatch.setattr(claims, "state_directory", lambda: str(directory / "lib"))
        monkeypatch.setattr("os.geteuid", lambda: 0)

    def claim(self, token: int = 3, ledger: str = "ours") -> dict[str, t.Any]:
        return {"service": "shop", "ledger": ledger, "token": token, "directory": str(self.directory)}

    def acquire(self, token: int = 3, ledger: str = "ours", **options: t.Any) -> dict[str, t.Any] | None:
        return claims.acquire(claims.Claim(**self.claim(token, ledger)), **options)

    def begin(self, token: int = 3, after: str = "10m", ledger: str = "ours") -> Outcome:
        """A run leaves its claim and arms the timer, with the program where that is missing."""
        before = self.acquire(token, ledger, force=True)
        options = {"after": after, "digest": program().digest, "claim_before": before}
        outcome = self.call("armed", token, ledger, **options)
        if outcome.result.get("needs_program"):
            outcome = self.call("armed", token, ledger, **options, program=program().content)
        return outcome

    def call(
        self, state: str, token: int = 3, ledger: str = "ours", check_mode: bool = False, **options: t.Any
    ) -> Outcome:
        given = {"state": state, "claim": self.claim(token, ledger), **options}
        if state == "renewed":
            given["digest"] = program().digest
        call = Call(params_of(restore_timer, given), check_mode, False, lambda text: None, self._run)
        try:
            return Outcome(perform(restore_timer.core, call), "", [])
        except RolloutError as error:
            return Outcome(error.result, error.message, [])

    @property
    def record(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads((self.directory / "shop.restore").read_text()))

    def members(self) -> list[tuple[list[str], list[str]]]:
        """Of each pool who is drained, and who is being changed."""
        return [(pool["drained"], pool["changing"]) for pool in self.record["pools"]]

    def later(self, seconds: float) -> None:
        """So much time passes without a heartbeat."""
        record = self.record
        record["renewed"][1] -= seconds
        (self.directory / "shop.restore").write_text(json.dumps(record))

    def reboot(self) -> None:
        record = self.record
        record["renewed"][0] = "another boot"
        (self.directory / "shop.restore").write_text(json.dumps(record))

    def look(self, python: str = sys.executable) -> tuple[int, str]:
        """What systemd would run now: exit status and output."""
        (unit,) = (self.root / "etc/systemd/system").glob("*.service")
        found = START.search(unit.read_text())
        assert found
        argv = [python, *(word.strip('"') for word in found.group(1).split('" "')[1:])]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", env={"PATH": "/usr/bin:/bin"})
        return done.returncode, done.stdout + done.stderr

    def is_scheduled(self) -> bool:
        return any((self.root / "etc/systemd/system").iterdir())

    def _run(self, argv: list[str], **dummy: t.Any) -> tuple[int, str, str]:
        self.asked.append(" ".join(argv))
        return 0, "", ""
