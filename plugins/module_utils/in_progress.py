# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Marks a change that must not be cut short, so that a process whose controller has gone can determine when it may end.

Whoever runs cores for a controller calls ``closed`` when the controller is gone: no new change begins, and it
returns when the last one is over. A wait, such as that for a drain, is no change: it can be cut at any moment.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

_turn = threading.Condition()
_state = {"changes": 0, "closed": 0}


@contextlib.contextmanager
def change() -> t.Iterator[None]:
    """Holds the process until the change is over; refuses to begin one after ``closed``."""
    with _turn:
        if _state["closed"]:
            raise RolloutError("The connection to the controller has ended; nothing more is changed.")
        _state["changes"] += 1
    try:
        yield
    finally:
        with _turn:
            _state["changes"] -= 1
            _turn.notify_all()


def closed(limit: float) -> bool:
    """Refuses further changes and waits for those in progress; False where one is not over after *limit* seconds."""
    with _turn:
        _state["closed"] = 1
        return _turn.wait_for(lambda: not _state["changes"], limit)
