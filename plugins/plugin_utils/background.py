# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that may take long, beside which something else goes on."""

from __future__ import annotations

import contextvars
import threading
import time
import typing as t

NAP = 0.05
"""Seconds between two looks at whether the work is over."""

T = t.TypeVar("T")
T_co = t.TypeVar("T_co", covariant=True)


class Pending(t.Protocol[T_co]):
    def is_over(self) -> bool: ...

    def result(self) -> T_co:
        """Only once it is over: what was returned, or what was raised."""
        raise NotImplementedError


class _InThread(t.Generic[T]):
    def __init__(self, work: t.Callable[[], T]) -> None:
        self._work = work
        self._found: list[T] = []
        self._raised: list[BaseException] = []
        # Ansible keeps where its warnings go, and more, in context variables.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=lambda: context.run(self._run), daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found.append(self._work())
        except BaseException as error:
            self._raised.append(error)

    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> T:
        if self._raised:
            raise self._raised[0]
        return self._found[0]


def in_thread(work: t.Callable[[], T]) -> Pending[T]:
    """Runs *work* in a thread that the end of the process does not wait for."""
    return _InThread(work)


def with_signs_of_life(
    work: t.Callable[[], T],
    show: t.Callable[[], None],
    every: float,
    begin: t.Callable[[t.Callable[[], T]], Pending[T]] = in_thread,
    now: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> T:
    """What *work* returns; *show* is called whenever it has lasted *every* seconds more."""
    pending = begin(work)
    shown_at = now()
    while not pending.is_over():
        sleep(NAP)
        if now() - shown_at >= every:
            shown_at = now()
            show()
    return pending.result()
