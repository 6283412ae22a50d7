# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Marks a change that must not be cut short, and cuts the waits of a caller that has gone.

A session serves several callers. ``closed`` ends it for all of them: no new change begins, and it returns when the last
one is over. ``served`` is for one of them, whose thread changes nothing any more once its caller is gone. A wait, such as
that for a drain, is no change: ``pause`` cuts it.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

_turn = threading.Condition()
_state = {"changes": 0, "closed": 0}


class _Thread(threading.local):
    """What one thread is at."""

    caller_gone: threading.Event | None = None
    changes: int = 0


_thread = _Thread()


@contextlib.contextmanager
def served(caller_gone: threading.Event) -> t.Iterator[None]:
    """The block is the work of this thread for a caller, of whom *caller_gone* says that nobody waits for it any more."""
    _thread.caller_gone = caller_gone
    try:
        yield
    finally:
        _thread.caller_gone = None


def pause(seconds: float) -> None:
    """Sleeps; raises RolloutError instead where the caller is gone and no change is in progress."""
    if not _thread.changes and _is_caller_gone():
        raise _ended()
    time.sleep(seconds)


@contextlib.contextmanager
def change() -> t.Iterator[None]:
    """Holds the process until the change is over; refuses to begin one after ``closed`` or for a caller that is gone."""
    with _turn:
        if _state["closed"] or _is_caller_gone():
            raise _ended()
        _state["changes"] += 1
    _thread.changes += 1
    try:
        yield
    finally:
        _thread.changes -= 1
        with _turn:
            _state["changes"] -= 1
            _turn.notify_all()


def closed(limit: float) -> bool:
    """Refuses further changes and waits for those in progress; False where one is not over after *limit* seconds."""
    with _turn:
        _state["closed"] = 1
        return _turn.wait_for(lambda: not _state["changes"], limit)


def _is_caller_gone() -> bool:
    return _thread.caller_gone is not None and _thread.caller_gone.is_set()


def _ended() -> RolloutError:
    return RolloutError("The connection to the controller has ended; nothing more is changed.")
