# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Restarts the service that runs a release, in the same call and under the same claim as the switch to it."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations, units
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.processes import RUN_MARK
from ansible_collections.steady.rollout.plugins.module_utils.release import daemon_reload

OPTIONS = ("restart", "stop_command", "start_command")
OUT_OF_TIME = (124, 137)
"""What the program "timeout" exits with when it had to end the command, by TERM or by KILL."""
KILL_AFTER = "5"


@dataclasses.dataclass(frozen=True)
class Restart:
    """How the service is restarted: by its systemd *unit*, by *commands*, by both or not at all."""

    unit: str = ""
    commands: tuple[tuple[str, ...], ...] = ()
    timeout: float = 300.0

    @property
    def actions(self) -> list[str]:
        """The sentences for the result."""
        return [*([f"restart {self.unit}"] if self.unit else []), *(f"run {shlex.join(one)}" for one in self.commands)]


def from_params(params: dict[str, t.Any]) -> Restart:
    """InputError where the options cannot be right."""
    for name in OPTIONS:
        if params.get(name) and params["state"] != "active":
            raise InputError(f"{name}: goes with state=active only, not with state={params['state']}.")
    unit = params.get("restart") or ""
    units.check_name("restart", unit)
    commands = tuple(_argv(name, params[name]) for name in OPTIONS[1:] if params.get(name))
    return Restart(unit, commands, durations.positive("restart_timeout", params.get("restart_timeout") or 300))


def perform(call: Call, restart: Restart) -> None:
    """RolloutError of kind start where the service could not be restarted."""
    if restart.unit:
        if daemon_reload.is_needed(call.run_command, restart.unit):
            _run(call, ("systemctl", "daemon-reload"), restart.timeout)
        # A release that crashed at its start has used up systemd's start limit, which would refuse the good one too.
        call.run_command(["systemctl", "reset-failed", "--", restart.unit])
        try:
            _run(call, ("systemctl", "restart", "--", restart.unit), restart.timeout)
        except RolloutError as error:
            error.message = " ".join([error.message, *units.explained(call.run_command, restart.unit)])
            raise
    for command in restart.commands:
        # A service keeps the environment that it is started with, and must not look like one of the run's processes.
        _run(call, ("env", "-u", RUN_MARK, *command), restart.timeout)


def _run(call: Call, argv: tuple[str, ...], seconds: float) -> None:
    guarded = ["timeout", "-k", KILL_AFTER, f"{seconds:.3f}", *argv] if shutil.which("timeout") else list(argv)
    status, stdout, stderr = call.run_command(guarded, handle_exceptions=False, expand_user_and_vars=False)
    shown = shlex.join(argv[3:] if argv[0] == "env" else [word for word in argv if word != "--"])
    if status in OUT_OF_TIME and len(guarded) > len(argv):
        raise RolloutError(f"'{shown}' did not end within {seconds:g} s and was terminated.", kind="start")
    if status:
        said = " ".join((stderr or stdout).split())[-500:] or "it printed nothing"
        raise RolloutError(f"'{shown}' failed with exit status {status}: {said}", kind="start")


def _argv(name: str, given: t.Any) -> tuple[str, ...]:
    try:
        words = shlex.split(given) if isinstance(given, str) else [str(word) for word in given]
    except (ValueError, TypeError):
        words = []
    if not words or not words[0]:
        raise InputError(f"{name}: expected a command line, or a list of words; found {str(given)[:80]!r}.")
    return tuple(words)
