# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Threads of this process that wait for the same lock take their turns in the order in which they came.

The session with a load balancer's host serves all workers of a run. If each of its threads tried the lock of the file by
itself, a hundred of them would take the processor from the one that holds it, and who waits longest might never get it.
"""

from __future__ import annotations

import collections
import contextlib
import os
import threading
import typing as t


class _Queue:
    def __init__(self) -> None:
        self.waiting: t.Deque[threading.Event] = collections.deque()
        """The first of them has its turn."""
        self.ended = 0


_guard = threading.Lock()
_queues: t.Dict[str, _Queue] = {}


@contextlib.contextmanager
def turn(name: str, timeout: float) -> t.Iterator[bool]:
    """Waits for its turn at *name*; False where no turn of others has ended for *timeout* seconds."""
    mine = threading.Event()
    with _guard:
        queue = _queues.setdefault(name, _Queue())
        queue.waiting.append(mine)
        queue.waiting[0].set()
    try:
        yield _came(mine, queue, timeout)
    finally:
        with _guard:
            queue.waiting.remove(mine)
            queue.ended += mine.is_set()
            if queue.waiting:
                queue.waiting[0].set()
            else:
                del _queues[name]


def _came(mine: threading.Event, queue: _Queue, timeout: float) -> bool:
    ended = -1
    while not mine.is_set() and ended != queue.ended:
        ended = queue.ended
        mine.wait(timeout)
    return mine.is_set()


def _start_anew() -> None:
    """In a forked process, which has none of the threads that wait."""
    global _guard
    _guard = threading.Lock()
    _queues.clear()


os.register_at_fork(after_in_child=_start_anew)
