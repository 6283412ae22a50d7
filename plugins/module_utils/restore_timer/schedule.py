# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What has a host look at a restore timer every few seconds, also after a reboot: systemd, cron where there is none.

Units in /etc and an entry in /etc/cron.d outlast a reboot, which a transient unit of systemd-run does not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shlex
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import files
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

RunCommand = t.Callable[..., t.Tuple[int, str, str]]

SYSTEMD, CRON = "systemd", "cron"
ROOT = "/"
NAME = "steady-rollout-restore"
OFTENEST, SELDOMEST, LOOKS = 5, 60, 20
"""Seconds from one look to the next, and about how many looks there are before anything is restored; cron has a resolution of minutes."""
LONGEST_RUN = 300
"""Seconds that a look may take: reloading a balancer and waiting for the claim's lock."""
UNSAFE = re.compile("[^A-Za-z0-9_]+")

SERVICE = """\
[Unit]
Description=Restore members of {service} that a rollout drained if its controller is gone

[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec={longest}
"""
TIMER = """\
[Unit]
Description=Check whether the rollout of {service} still has a controller

[Timer]
OnActiveSec={every}
OnUnitInactiveSec={every}
AccuracySec=1

[Install]
WantedBy=timers.target
"""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The looks at one timer's record; *root* is that of the host's files."""

    record: str
    service: str
    run_command: RunCommand
    root: str = ROOT

    def kind(self) -> str:
        """SYSTEMD or CRON; empty where the host has neither."""
        if os.path.isdir(self._at("run/systemd/system")):
            return SYSTEMD
        return CRON if os.path.isdir(self._at("etc/cron.d")) and self._cron_runs() else ""

    def start(self, argv: t.Sequence[str], after: float) -> None:
        """Has *argv* run again and again from now on, and after each boot. Raises RolloutError or OSError.

        *after* are the seconds until anything is restored: looking costs a balancer's host a fifth of a second each time.
        """
        if self.kind() == SYSTEMD:
            texts = {"service": SERVICE, "timer": TIMER}
            values = {"service": _literal(self.service), "command": _command_line(argv)}
            for suffix, text in texts.items():
                self._write(
                    self._unit(suffix),
                    text.format(
                        every=round(min(max(after / LOOKS, OFTENEST), SELDOMEST)), longest=LONGEST_RUN, **values
                    ),
                )
            self._systemctl("enable", "--quiet", f"{self._name}.timer")
            self._systemctl("restart", f"{self._name}.timer")
        else:
            line = " ".join(map(shlex.quote, argv)).replace("%", "\\%")
            self._write(self._cron_file, f"* * * * * root {line} 2>&1 | logger -t {NAME}\n")

    def stop(self) -> None:
        """Leaves nothing of it; does nothing where there is nothing."""
        if os.path.exists(self._unit("timer")):
            # Without --no-reload systemd would read all of its units twice, which takes it a fifth of a second each time.
            self._systemctl("stop", f"{self._name}.timer")
            self._systemctl("disable", "--quiet", "--no-reload", f"{self._name}.timer")
            for suffix in ("timer", "service"):
                _remove(self._unit(suffix))
            self._systemctl("daemon-reload")
        _remove(self._cron_file)

    @property
    def _name(self) -> str:
        """A name that systemd and cron both take, and that another place of the claims does not have."""
        digest = hashlib.sha256(self.record.encode()).hexdigest()[:8]
        return f"{NAME}-{UNSAFE.sub('_', self.service)[:80]}-{digest}"

    @property
    def _cron_file(self) -> str:
        return self._at(f"etc/cron.d/{self._name}")

    def _unit(self, suffix: str) -> str:
        return self._at(f"etc/systemd/system/{self._name}.{suffix}")

    def _at(self, path: str) -> str:
        return os.path.join(self.root, path)

    def _write(self, path: str, text: str) -> None:
        files.replace(path, text, files.Access(0o644))

    def _systemctl(self, *words: str) -> None:
        status, stdout, stderr = self.run_command(["systemctl", *words])
        if status:
            said = " ".join((stderr or stdout).split())[:200] or "it printed nothing"
            raise RolloutError(f"systemctl {' '.join(words)} failed with exit status {status}: {said}")

    def _cron_runs(self) -> bool:
        names = (self._at(f"proc/{pid}/comm") for pid in os.listdir(self._at("proc")) if pid.isdigit())
        return any(_content(name).strip() in ("cron", "crond") for name in names)


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _literal(text: str) -> str:
    """Text in a unit's description, where systemd replaces what begins with a percent sign."""
    return text.replace("%", "%%")


def _command_line(argv: t.Sequence[str]) -> str:
    return " ".join(
        '"' + _literal(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$") + '"' for word in argv
    )
