# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flags of a rollout as the role's settings describe them, for action plugins of a run."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import RecordedChange, ledger_calls
from ansible_collections.steady.rollout.plugins.plugin_utils.flags import settings
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.drive import FlagDrive
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated

Result = t.Dict[str, t.Any]
OF_THE_ROLE = ("rollout_flags", "rollout_flags_timeout", "rollout_flag_steps")


def flags_of_rollout(action: ActionBase, arguments: Result, task_vars: Result, executors: Executors) -> FlagDrive:
    """The flags of this run; raises InputError."""
    given = evaluated(action, {name: task_vars[name] for name in OF_THE_ROLE if name in task_vars}, task_vars)
    return FlagDrive(
        flags=settings.flags_of(given.get("rollout_flags"), arguments["fleet"], given.get("rollout_flag_steps")),
        ledger=RecordedChange("rollout_flag", *ledger_calls(arguments, executors)),
        together=executors.together,
        show=show,
        limit=settings.limit_of(given.get("rollout_flags_timeout", "5")),
    )
