# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that is suspended in the middle of a change."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import typing as t


def suspend_oneself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


@contextlib.contextmanager
def stopped_in(change: t.Callable[..., None], *arguments: t.Any) -> t.Iterator[int]:
    """The pid of a process that does *change*, which has to suspend itself."""
    process = multiprocessing.get_context("fork").Process(target=change, args=arguments)
    process.start()
    assert process.pid is not None
    try:
        dummy, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        yield process.pid
    finally:
        process.kill()
        process.join()
