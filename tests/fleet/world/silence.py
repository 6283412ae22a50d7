# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a program that writes to a file has been silent."""

from __future__ import annotations

import os
import threading
import time
import typing as t

INTERVAL = 0.1


def longest(moments: t.Sequence[float]) -> float:
    """The longest time between two moments that follow each other."""
    return max((after - before for before, after in zip(moments, moments[1:])), default=0.0)


class Listener:
    """Notes from its making on when the file grows, until *is_over* says that nobody writes any more.

    A file and no pipe, because who reads a pipe too slowly holds the writer up.
    """

    def __init__(
        self, descriptor: int, is_over: t.Callable[[], bool], clock: t.Callable[[], float] = time.monotonic
    ) -> None:
        self._descriptor = os.dup(descriptor)
        self._is_over = is_over
        self._clock = clock
        self._moments = [clock()]
        self._sizes = [0]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def longest_silence(self) -> float:
        """In seconds, up to the end; to be asked once the program is over."""
        self._thread.join()
        return longest(self._moments)

    def before_longest(self) -> int:
        """How many bytes had been written when the longest silence began."""
        self._thread.join()
        lengths = [after - before for before, after in zip(self._moments, self._moments[1:])]
        return self._sizes[lengths.index(max(lengths))] if lengths else 0

    def _listen(self) -> None:
        size = 0
        while not self._is_over():
            grown = os.fstat(self._descriptor).st_size
            if grown != size:
                self._moments.append(self._clock())
                self._sizes.append(grown)
                size = grown
            time.sleep(INTERVAL)
        self._moments.append(self._clock())
        os.close(self._descriptor)
