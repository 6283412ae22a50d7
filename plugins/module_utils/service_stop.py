# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""service_stop: stops a service and makes sure that it has stopped."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims, durations, units
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs

STOPPED = ("inactive", "failed")


def core(call: Call) -> dict[str, t.Any]:
    """The module service_stop."""
    unit, command = call.params.get("unit") or "", call.params.get("stop_command") or ""
    if bool(unit) == bool(command):
        raise InputError("unit, stop_command: exactly one of them says how the service is stopped.")
    limit = durations.positive("timeout", call.params["timeout"])
    if unit:
        units.check_name("unit", unit)
        if _is_stopped(call, unit):
            return {"changed": False, "msg": f"{unit} is stopped already"}
    if call.check_mode:
        return {"changed": True, "msg": f"would stop {unit or command}"}
    with claims.held(claims.Claim.from_params(call.params.get("claim"))):
        argv = ["systemctl", "stop", "--", unit] if unit else _words(command)
        Programs(call.run_command, {}, [], limit=limit).checked(argv, kind="start")
    if unit and not _is_stopped(call, unit):
        found = units.read(call.run_command, unit)
        raise RolloutError(
            f"{unit} was stopped and is still {found.active} ({found.sub}) with main process {found.main_pid}. End it, "
            "then run again.",
            kind="start",
        )
    return {"changed": True, "msg": f"stopped {unit or command}"}


def _is_stopped(call: Call, unit: str) -> bool:
    found = units.read(call.run_command, unit)
    return found.active in STOPPED and not found.main_pid


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise InputError(f"stop_command: expected a command line, found {command[:80]!r}.")
    return words
