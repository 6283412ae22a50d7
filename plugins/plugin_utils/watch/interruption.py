# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message to whoever interrupts a run: which hosts are drained or half-updated, and what a rerun does.

The watch asks the ledger for it with each report and keeps it in a file of the run. An interrupted ansible-playbook asks
the watch to do so once more, when its workers are gone, and prints the file.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import slots

ANSWERS_WITHIN = 8.0
"""Seconds that the watch has, which reads every balancer before it asks the ledger."""
UNWATCHED = (
    "No watch has reported on this run yet. Look at the ledger with status.yml; run the same command again to resume."
)


def keep(lines: t.Sequence[str]) -> None:
    """Called by the watch, as soon as the ledger has answered."""
    draft = _path(f"interrupted.{os.getpid()}")
    with open(draft, "w", encoding="utf-8") as stream:
        json.dump(list(lines), stream)
    os.replace(draft, _path("interrupted"))


def is_asked() -> bool:
    """Whether the run was interrupted and nothing has been kept since."""
    return _changed_at("ask") > _changed_at("interrupted")


def newest_lines(
    now: t.Callable[[], float] = time.monotonic, sleep: t.Callable[[float], None] = time.sleep
) -> list[str]:
    """What is known of the run that was interrupted, and how old it is where the watch does not answer."""
    if not os.path.exists(_path("interrupted")):
        return [UNWATCHED]
    with open(_path("ask"), "w", encoding="utf-8"):
        pass
    deadline = now() + ANSWERS_WITHIN
    while is_asked() and now() < deadline:
        sleep(0.1)
    with open(_path("interrupted"), encoding="utf-8") as stream:
        lines = [str(line) for line in json.load(stream)]
    if not is_asked():
        return lines
    age = max(_changed_at("ask") - _changed_at("interrupted"), 0.0)
    return [f"This was the state {age:.0f} s before the interruption; the ledger has not answered since.", *lines]


def _changed_at(name: str) -> float:
    try:
        return os.stat(_path(name)).st_mtime
    except FileNotFoundError:
        return 0.0


def _path(name: str) -> str:
    return os.path.join(slots.run_directory(), name)
