# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rollout_veto as each host of the fleet has it, evaluated in an action plugin."""

from __future__ import annotations

import functools
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated, variables_of
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.asking import Asking
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.rules import Rule, rules_of

SETTING = "rollout_veto"
FLEET = "__rollout_fleet_hosts"


def asking_of(action: ActionBase, executors: Executors, task_vars: dict[str, t.Any]) -> Asking:
    """Each host's rules are evaluated once."""

    @functools.lru_cache(maxsize=None)
    def rules(name: str) -> list[Rule]:
        variables = variables_of(action, name, task_vars)
        found = evaluated(action, {key: variables.get(key) for key in (SETTING, FLEET)}, variables)
        return rules_of(found[SETTING], task_vars.get("groups") or {}, found[FLEET] or [])

    return Asking(executors, rules)
