# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adds to the request who makes it."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import identity
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction


class ActionModule(InWorkerAction):
    module = "rollout_control"
    kind_of_silence = "coordinator"

    def arguments(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        return {**arguments, "owner": identity.owner(task_vars)}
