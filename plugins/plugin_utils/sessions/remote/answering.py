# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one call of a core and turns whatever comes of it into plain data.

Shared by Ansible's worker and by the process at the other end of a session, so Python 3.8 and its standard library.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import run_command

Answer = t.Dict[str, t.Any]
"""``result``, or ``error`` ({message, result}) of a RolloutError, or ``crash`` ({what, traceback}); ``warnings`` beside it."""


def answer(
    core: t.Callable[[Call], t.Dict[str, t.Any]], params: t.Dict[str, t.Any], check_mode: bool, diff: bool
) -> Answer:
    warnings: t.List[str] = []
    call = Call(params, check_mode, diff, warnings.append, run_command)
    try:
        return {"result": perform(core, call), "warnings": warnings}
    except RolloutError as error:
        return {"error": {"message": error.message, "result": error.result}, "warnings": warnings}
    except Exception as error:
        import traceback  # Late, for a session that starts should not wait for what it hardly ever needs.

        return {"crash": {"what": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}}


def result_of(reply: t.Mapping[str, t.Any], where: str) -> t.Dict[str, t.Any]:
    """What the module would return. *where* names module and host, for what nobody has foreseen."""
    if "result" in reply:
        return {"changed": False, **reply["result"]}
    if "error" in reply:
        error = reply["error"]
        return {"changed": False, **error["result"], "failed": True, "msg": error["message"]}
    what = reply["crash"]["what"]
    return {"changed": False, "failed": True, "msg": f"{where} ended with {what}. Please report this as a bug."}
