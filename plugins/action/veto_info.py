# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the rules of rollout_veto about some hosts, and changes nothing."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.asking import Opinion
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.settings import asking_of

Result = t.Dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        hosts = validated("veto_info", source_of("veto_info").SPEC, self._task.args)["hosts"]
        with Executors(self, task_vars) as executors:
            asking = asking_of(self, executors, task_vars)
            asked = {
                host: asking.ask(host, [other for other in hosts if other != host], is_before_drain=False)
                for host in hosts
            }
        return {
            **result,
            "changed": False,
            "objections": {host: opinion.objection for host, opinion in asked.items() if not opinion.consents},
            "text": [line for host, opinion in asked.items() for line in _lines(host, opinion)],
        }


def _lines(host: str, opinion: Opinion) -> t.Iterator[str]:
    for answer in opinion.answers:
        yield f"{host}  {'consent  ' if answer.consents else 'objection'}  {answer.text}"
