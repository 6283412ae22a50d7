# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls and servers of a test in another network than the test's own, without a process for each of them."""

from __future__ import annotations

import concurrent.futures
import ctypes
import os
import pathlib
import typing as t

Returned = t.TypeVar("Returned")
CLONE_NEWNET = 0x40000000


class Network:
    """A network namespace by its name; without a name, the test's own."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._pool = concurrent.futures.ThreadPoolExecutor(1, initializer=self.enter) if name else None

    @property
    def inside(self) -> list[str]:
        """The words that put a command into it."""
        return ["nsenter", f"--net=/run/netns/{self.name}", "--"] if self.name else []

    def enter(self) -> None:
        """For the calling thread, and for those that it starts from now on."""
        if not self.name:
            return
        with pathlib.Path(f"/run/netns/{self.name}").open() as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, f"setns {self.name}: {os.strerror(number)}")

    def call(self, function: t.Callable[..., Returned], *arguments: t.Any) -> Returned:
        """What the function returns, or raises, when it is called in there."""
        return function(*arguments) if self._pool is None else self._pool.submit(function, *arguments).result()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
