# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls back when ansible-playbook ends, by itself, by Ctrl-C or by SIGTERM, and when its workers have ended already.

No callback of Ansible's is called for an interruption. On Ctrl-C it ends its workers and exits, in all versions. On
SIGTERM it would be gone at once, so SIGTERM is treated as Ctrl-C is.
"""

from __future__ import annotations

import atexit
import os
import signal
import types
import typing as t


def call(report: t.Callable[[], None]) -> None:
    """Has *report* called at the end of this process, and of no process that is forked from it."""
    owner = os.getpid()
    atexit.register(_report, report, owner)

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != owner:
            os.kill(os.getpid(), number)
            return
        on_interrupt = signal.getsignal(signal.SIGINT)
        if callable(on_interrupt):
            on_interrupt(signal.SIGINT, frame)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _report(report: t.Callable[[], None], owner: int) -> None:
    if os.getpid() == owner:
        try:
            report()
        except (KeyboardInterrupt, OSError):
            pass  # an impatient operator, or nobody who reads
