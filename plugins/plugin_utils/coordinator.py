# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an action plugin of a run reaches the run's ledger."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Executor
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors

Arguments = t.Mapping[str, t.Any]

OF_EVERY_CALL = ("ledger", "service", "run", "token")


def ledger_calls(arguments: Arguments, executors: Executors) -> tuple[Executor, dict[str, t.Any]]:
    """The coordinator that the plugin's *arguments* name, and the options that every call of the ledger has."""
    reached = executors.on(arguments["coordinator"], become=arguments.get("coordinator_become"))
    return reached, {option: arguments.get(option) for option in OF_EVERY_CALL}
