# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one call of a core and turns whatever comes of it into plain data.

Shared by Ansible's worker and by the process at the other end of a session, so Python 3.8 and its standard library.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import traceback
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

LARGEST_OUTPUT = 8 * 1024 * 1024
"""Bytes of a command's output, its end."""

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


def run_command(argv: t.List[str], **options: t.Any) -> t.Tuple[int, str, str]:
    """AnsibleModule.run_command as far as the cores use it: argv, data, cwd, environ_update, handle_exceptions.

    The output goes to files: a service that a command leaves behind keeps them open, and nobody waits for that. Only
    the end of long outputs is read.
    """
    data = options.get("data")
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        try:
            done = subprocess.run(
                argv,
                input=None if data is None else data.encode(),
                stdin=subprocess.DEVNULL if data is None else None,
                cwd=options.get("cwd"),
                env={**os.environ, **options.get("environ_update", {})},
                stdout=stdout,
                stderr=stderr,
                check=False,
            )
        except OSError as error:
            if not options.get("handle_exceptions", True):
                raise
            raise RolloutError(f"{argv[0]} cannot be run: {error.strerror}.") from error
        return done.returncode, _end_of(stdout), _end_of(stderr)


def _end_of(stream: t.IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - LARGEST_OUTPUT))
    return stream.read().decode("utf-8", "replace")
