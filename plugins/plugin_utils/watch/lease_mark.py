# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch last learned of the run's lease, read before a step of the user's is run.

A controller that was suspended, a closed laptop among them, finds the mark too old when it resumes. It waits for the
watch to ask the ledger again: another run may have taken over meanwhile, and then the step must not run.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import slots

FRESH_FOR = 15.0
"""Seconds that a mark counts; the watch renews it every few."""
WAIT_FOR = 30.0
"""Seconds that a new one is waited for: the watch may have to wait for a balancer or the coordinator first."""
LOST = "lost: "


class LeaseGone(Exception):
    """The run must not change anything any more."""


def renew() -> None:
    _write("")


def lose(reason: str) -> None:
    _write(LOST + reason)


def check(now: t.Callable[[], float] = time.time, sleep: t.Callable[[float], None] = time.sleep) -> None:
    """Raises LeaseGone unless the watch has just seen that the run holds its lease.

    Where no watch was started there is no mark, and nothing to be said.
    """
    deadline = now() + WAIT_FOR
    while True:
        seen = _read()
        if seen is None:
            return
        renewed_at, text = seen
        if text.startswith(LOST):
            raise LeaseGone(text[len(LOST) :])
        if now() - renewed_at < FRESH_FOR:
            return
        if now() >= deadline:
            raise LeaseGone(
                f"The watch of this run has not seen its lease for {now() - renewed_at:.0f} s, so another run may have taken "
                "over. Nothing more is changed; run the same playbook again to resume."
            )
        sleep(0.2)


def _path() -> str:
    return os.path.join(slots.run_directory(), "lease")


def _write(text: str) -> None:
    draft = f"{_path()}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(draft, _path())


def _read() -> tuple[float, str] | None:
    try:
        with open(_path(), encoding="utf-8") as stream:
            return os.fstat(stream.fileno()).st_mtime, stream.read()
    except FileNotFoundError:
        return None
