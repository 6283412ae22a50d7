# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the workers that Ansible forks: one for each task on each host. The number goes to the file in $COUNT_WORKERS."""

from __future__ import annotations

import os
import pathlib
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "count_workers"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._workers = 0

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._workers += 1

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        pathlib.Path(os.environ["COUNT_WORKERS"]).write_text(str(self._workers), encoding="ascii")
