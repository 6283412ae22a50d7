# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cores of the modules migration and database_backup, called as on a host."""

from __future__ import annotations

import typing as t

from support.cores import Outcome, params_of

from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.modules import database_backup, migration
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import run_command

QUICK = {"lock_timeout": "300ms", "attempts": 2, "pause": "100ms"}


def run_at(database_url: str, check_mode: bool = False, **options: t.Any) -> Outcome:
    return _called(migration, {"database_url": database_url, **QUICK, **options}, check_mode)


def backup_at(database_url: str, **options: t.Any) -> Outcome:
    return _called(database_backup, {"database_url": database_url, **options}, check_mode=False)


def _called(module: t.Any, options: dict[str, t.Any], check_mode: bool) -> Outcome:
    call = Call(params_of(module, options), check_mode, False, lambda text: None, run_command)
    try:
        return Outcome(perform(module.core, call), "", [])
    except RolloutError as error:
        return Outcome(error.result, error.message, [])
