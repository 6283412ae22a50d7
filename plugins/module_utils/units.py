# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What systemd reports of a unit: it shows a crash loop at once, long before a wait for probes times out."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.plurals import counted

RunCommand = t.Callable[..., t.Tuple[int, str, str]]

NAME = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "NRestarts",
    "ExecMainCode",
    "ExecMainStatus",
    "MainPID",
    "TimeoutStopUSec",
    "InvocationID",
)
LINES, MOST_LINES = 20, 1000
LONGEST_LINE = 300
SECONDS = "10"
CODES = {"1": "exited with status", "2": "was killed by signal", "3": "dumped core after signal"}


@dataclasses.dataclass(frozen=True)
class Unit:
    """A unit as systemd shows it. *sub* says more than *active*: running, auto-restart, dead."""

    name: str
    load: str
    active: str
    sub: str
    result: str
    restarts: int
    main_pid: int
    exit: str
    """How the main process last ended, in words; empty where it did not."""
    stop_timeout: float | None = None
    """Seconds that it may take to stop; None where it has all the time there is."""
    invocation: str = ""
    """Another one after each start."""

    @property
    def crash_loops(self) -> bool:
        """systemd is between two starts of it, or has given up starting it."""
        return self.sub in ("auto-restart", "auto-restart-queued") or self.result == "start-limit-hit"

    @property
    def has_failed(self) -> bool:
        """It will not become healthy by waiting."""
        return self.active == "failed" or self.result == "start-limit-hit"

    @property
    def described(self) -> str:
        restarts = f", restarted {counted(self.restarts, 'time')}" if self.restarts else ""
        result = f", result {self.result}" if self.result not in ("", "success") else ""
        return f"{self.name} is {self.active} ({self.sub}){result}{restarts}{f'; its process {self.exit}' if self.exit else ''}"


def core(call: Call) -> dict[str, t.Any]:
    """unit_info."""
    name = call.params["unit"]
    if not name:
        raise InputError("unit: empty; give the name of a systemd unit, such as shop.service.")
    check_name("unit", name)
    if not 0 <= call.params["lines"] <= MOST_LINES:
        raise InputError(f"lines is {call.params['lines']}; expected from 0 to {MOST_LINES}.")
    unit = read(call.run_command, name)
    lines = journal(call.run_command, name, call.params["lines"]) if call.params["lines"] else []
    return {
        "changed": False,
        "unit": unit.name,
        "load_state": unit.load,
        "active_state": unit.active,
        "sub_state": unit.sub,
        "result": unit.result,
        "restarts": unit.restarts,
        "main_pid": unit.main_pid,
        "stop_timeout": unit.stop_timeout,
        "invocation_id": unit.invocation,
        "crash_loops": unit.crash_loops,
        "has_failed": unit.has_failed,
        "journal": lines,
        "msg": unit.described,
    }


def check_name(option: str, name: str) -> None:
    """InputError where systemd has no unit of that name; one that begins with a dash would be read as an option."""
    if name and not NAME.fullmatch(name):
        raise InputError(f"{option}: '{name[:80]}' is not the name of a systemd unit, such as shop.service.")


def read(run_command: RunCommand, name: str) -> Unit:
    """RolloutError where systemd does not answer."""
    status, found, said = show(run_command, f"--property={','.join(PROPERTIES)}", "--", name)
    if status or "ActiveState" not in found:
        raise RolloutError(f"systemctl show {name} failed with exit status {status}: {said}")
    code, value = CODES.get(found.get("ExecMainCode", "")), found.get("ExecMainStatus", "")
    return Unit(
        name=name,
        load=found.get("LoadState", ""),
        active=found["ActiveState"],
        sub=found.get("SubState", ""),
        result=found.get("Result", ""),
        restarts=_whole(found.get("NRestarts")),
        main_pid=_whole(found.get("MainPID")),
        exit=f"{code} {value}" if code else "",
        stop_timeout=_span(found.get("TimeoutStopUSec")),
        invocation=found.get("InvocationID", ""),
    )


def show(run_command: RunCommand, *words: str) -> tuple[int, dict[str, str], str]:
    """The exit status of systemctl show, the properties it printed, and all it printed in one line."""
    status, stdout, stderr = _ask(run_command, "systemctl", "show", *words)
    said = " ".join((stderr or stdout).split())[:LONGEST_LINE] or "it printed nothing"
    return status, dict(line.partition("=")[::2] for line in stdout.splitlines() if "=" in line), said


def journal(run_command: RunCommand, name: str, lines: int = LINES) -> list[str]:
    """The last lines that the unit logged; empty where this user may not read them."""
    words = ("--no-pager", "--output=cat", f"--lines={lines}", f"--unit={name}")
    status, stdout, dummy = _ask(run_command, "journalctl", *words)
    if status:
        return []
    return [line[:LONGEST_LINE] for line in stdout.splitlines() if line.strip()][-lines:]


def explained(run_command: RunCommand, name: str) -> list[str]:
    """Sentences on a unit that did not start: its state and what it logged last. Empty where systemd does not say."""
    try:
        state = read(run_command, name)
    except RolloutError:
        return []
    lines = journal(run_command, name, 5)
    return [f"{state.described}.", *([f"Its journal ends with: {' | '.join(lines)}"] if lines else [])]


def _ask(run_command: RunCommand, *argv: str) -> tuple[int, str, str]:
    try:
        return run_command(["timeout", "-k", "1", SECONDS, *argv], handle_exceptions=False, expand_user_and_vars=False)
    except OSError as error:
        return 127, "", f"{argv[0]}: {error.strerror or error}"


def _span(text: str | None) -> float | None:
    """A time as systemd writes it, such as "1min 30s"; None for "infinity" and what it says of no other unit."""
    try:
        return durations.seconds("TimeoutStopUSec", text)
    except InputError:
        return None


def _whole(text: str | None) -> int:
    return int(text) if text and re.fullmatch("[0-9]{1,18}", text) else 0
