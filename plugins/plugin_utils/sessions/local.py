# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's core in this process, where the task's connection is local and no other user is asked for."""

from __future__ import annotations

import json
import typing as t

from ansible.utils.display import Display

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import modules
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import ModuleCall
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.answering import answer, result_of

Result = t.Dict[str, t.Any]


def run(call: ModuleCall, host: str) -> Result:
    """What the module would return, also in that all of it has been JSON."""
    source = modules.source_of(call.module)
    try:
        params = modules.checked(call.module, source.SPEC, call.arguments)
    except InputError as error:
        return {"changed": False, "failed": True, "msg": error.message}
    reply = answer(source.core, params.values, call.check_mode, call.diff)
    return modules.without_secrets(source, params, shown(json.loads(json.dumps(reply)), call, host))


def shown(reply: t.Mapping[str, t.Any], call: ModuleCall, host: str) -> Result:
    """The result in an answer; its warnings are shown here."""
    for warning in reply.get("warnings") or ():
        Display().warning(str(warning))
    if "crash" in reply:
        Display().vvv(str(reply["crash"].get("traceback")), host=host)
    return result_of(reply, f"{call.module} on {host}")
