# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the watch: a process of its own, which no place in forks is given to, and which ends with the run.

Its parent, the keeper, only waits: a watch that is killed is started again.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import controller, detached
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import slots

STARTS = 5
PAUSE = 0.5
"""Seconds before a watch that was killed is started again."""
NO_WATCH = (
    "This run has no watch: from here on a host is observed only while its own steps run, and nothing shows what is in "
    "flight."
)


def start(watch: t.Callable[[], None], show: t.Callable[[str], None]) -> int:
    """Runs *watch* below a process of its own, the keeper, whose process id is returned; 0 where there is none."""
    pid = detached.start(lambda: _watch_over(watch, show))
    if not pid:
        _note()
    return pid


def say_if_gone(show: t.Callable[[str], None]) -> None:
    """Whoever reads the output of a run must know that nobody observes the hosts any more."""
    if _is_gone():
        say_no_watch(show)


def say_no_watch(show: t.Callable[[str], None], why: str = "") -> None:
    """Once in a run."""
    if slots.first_time("no-watch"):
        show(f"{why} {NO_WATCH}".lstrip())


def _watch_over(watch: t.Callable[[], None], show: t.Callable[[str], None]) -> None:
    _note(os.getpid())
    keep(watch, show)


def keep(watch: t.Callable[[], None], show: t.Callable[[str], None], pause: float = PAUSE) -> None:
    """Has *watch* run in a child until it ends by itself or has been killed too often."""
    for attempt in range(1, STARTS + 1):
        status = _run_in_child(watch)
        if not os.WIFSIGNALED(status) or controller.has_ended():
            return
        killed = f"The watch of this run was killed by signal {os.WTERMSIG(status)}"
        if attempt < STARTS:
            show(f"{killed}; it is started again.")
            time.sleep(pause)
    say_no_watch(show, f"{killed} again and again.")


def _run_in_child(watch: t.Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            watch()
        finally:
            os._exit(0)
    _note(os.getpid(), pid)
    return os.waitpid(pid, 0)[1]


def _note(*pids: int) -> None:
    """Which processes have to be there for the run to be watched; one of them is enough."""
    draft = f"{_path()}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as stream:
        json.dump([[pid, controller.started(pid)] for pid in pids], stream)
    os.replace(draft, _path())


def _is_gone() -> bool:
    """Where none was ever started nobody expects one."""
    try:
        with open(_path(), encoding="utf-8") as stream:
            noted = json.load(stream)
    except FileNotFoundError:
        return False
    return not any(started and controller.started(pid) == started for pid, started in noted)


def _path() -> str:
    return os.path.join(slots.run_directory(), "watch")
