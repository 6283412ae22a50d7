# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Waits until nothing that an interrupted run started on this host is still at work."""

from __future__ import annotations

import os
import re
import signal
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations, processes
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Clock, required

OF_ANSIBLE = (b"AnsiballZ", b"ansible-tmp", b"async_wrapper")
OF_A_SESSION = b"steady-rollout-session"
INTERPRETER = re.compile(rb"(.*/)?[a-z-]*python[0-9.]*")
FIRST_LOOK = 0.1
SLOWEST_LOOK = 1.0
KILL_AFTER = 5.0
"""Seconds that processes have to end by themselves once they were asked to."""


def wait_until_quiesced(
    params: dict[str, t.Any], clock: Clock, check_mode: bool, proc: str = processes.PROC
) -> dict[str, t.Any]:
    """Looks for processes whose environment carries the run; *timeout* in seconds, in check mode one look.

    With *terminate* they and what they have started are ended: by SIGTERM first, after KILL_AFTER seconds by SIGKILL.
    Those that would never end by themselves, and would change the host later, get SIGKILL, too: what somebody has stopped,
    and a module whose controller has been stopped before it sent the program.
    """
    required(params, "interrupted_run")
    timeout = (
        0.0
        if check_mode
        else durations.seconds("timeout", 60.0 if params.get("timeout") is None else params["timeout"])
    )
    started, pause = clock.monotonic(), FIRST_LOOK
    while True:
        found = processes_of(params["interrupted_run"], proc)
        waited = clock.monotonic() - started
        if not found or check_mode:
            return _answer(params, found, waited)
        if params.get("terminate"):
            # The run that ends a step of its own needs its sessions for what comes next.
            modules = [one for one in found if OF_A_SESSION.decode() not in one[1]]
            if not modules:
                return _answer(params, [], waited)
            _signal(modules, signal.SIGTERM if waited < KILL_AFTER else signal.SIGKILL, proc)
        elif waited >= KILL_AFTER:
            _signal([one for one in found if _never_ends(one[0], proc)], signal.SIGKILL, proc)
        if waited >= timeout:
            named = "; ".join(f"pid {pid}: {command}" for pid, command in found[:3])
            raise RolloutError(
                f"Modules of the interrupted run {params['interrupted_run']} are still at work on this host after {waited:.0f} s "
                f"({named}). Wait for them or end them, then run again.",
                **_answer(params, found, waited),
            )
        clock.sleep(min(pause, timeout - waited))
        pause = min(pause * 2, SLOWEST_LOOK)


def _never_ends(pid: int, proc: str) -> bool:
    """A module that reads its standard input has not got its program, and so has changed nothing: it runs from the last
    byte on, long after its interpreter looked at the claim.
    """
    is_fed = _is_fed(processes.arguments(pid, proc))
    return processes.is_stopped(pid, proc) or (is_fed and processes.reads_its_input(pid, proc))


def _signal(found: t.Sequence[tuple[int, str]], number: int, proc: str) -> None:
    """To the processes and their descendants: a shell that is ended leaves what it waited for behind."""
    for pid in _with_descendants([pid for pid, dummy in found], proc):
        _kill(pid, number)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended meanwhile
    except PermissionError:
        pass  # it is another user's, and named when the time is over


def _with_descendants(pids: t.Sequence[int], proc: str) -> list[int]:
    parents = processes.parents(proc)
    chosen = list(pids)
    for pid in chosen:
        chosen += [child for child, parent in parents.items() if parent == pid and child not in chosen]
    return [pid for pid in chosen if pid != os.getpid()]


def processes_of(run: str, proc: str = processes.PROC) -> list[tuple[int, str]]:
    """(pid, command line) of the run's processes; those of other users can only be seen by root."""
    wanted = f"{processes.RUN_MARK}={run}".encode()
    found = []
    for name in os.listdir(proc):
        if (
            name.isdigit()
            and int(name) != os.getpid()
            and wanted in processes.content(f"{proc}/{name}/environ").split(b"\0")
        ):
            words = processes.arguments(name, proc)
            if _is_module(words):
                found.append((int(name), b" ".join(words).decode("utf-8", "replace")[:120]))
    return sorted(found)


def _is_module(words: t.Sequence[bytes]) -> bool:
    """A service that a step has started inherits the mark and is there to stay; what Ansible runs there is not.

    With pipelining a module is an interpreter that got its program on standard input.
    """
    return _is_fed(words) or any(mark in word for word in words for mark in (*OF_ANSIBLE, OF_A_SESSION))


def _is_fed(words: t.Sequence[bytes]) -> bool:
    return len(words) == 1 and INTERPRETER.fullmatch(words[0]) is not None


def _answer(params: dict[str, t.Any], found: list[tuple[int, str]], waited: float) -> dict[str, t.Any]:
    return {
        "changed": False,
        "host": params.get("host"),
        "is_quiesced": not found,
        "processes": [{"pid": pid, "command": command} for pid, command in found],
        "waited": round(waited, 3),
        "msg": "quiesced" if not found else f"{len(found)} processes are still at work",
    }
