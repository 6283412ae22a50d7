# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""feature_flag_info: flags as their system shows them, and which of them should be cleaned up."""

from __future__ import annotations

import dataclasses
import re
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import audit, contract, planning, registry
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, FlagSystem
from ansible_collections.steady.rollout.plugins.module_utils.plurals import counted


def core(call: Call) -> dict[str, t.Any]:
    """feature_flag_info."""
    rules = _rules(call.params["audit"])
    for name in call.params["names"]:
        if not planning.NAME.fullmatch(name):
            raise InputError(f"names: '{name:.120}' cannot be a flag's name.")
    system = registry.open_system(call.params["system"], call.run_command)
    return report(system, call.params, rules, time.time())


def report(
    system: FlagSystem, params: t.Mapping[str, t.Any], rules: audit.Rules | None, now: float
) -> dict[str, t.Any]:
    """Raises RolloutError, with the same result, where the audit has findings and is to fail for them."""
    if rules is not None and contract.CAN_AUDIT not in system.capabilities:
        raise system.cannot("be audited", contract.CAN_AUDIT)
    names = params["names"] or system.names()
    flags = [system.audited(name) if rules is not None else system.read(name) for name in names]
    found = audit.findings(flags, rules, now, _sees_use(system)) if rules is not None else []
    result = {
        "changed": False,
        "flags": {flag.name: planning.facts(flag) for flag in flags},
        "listeners": _listeners(system, params),
        "findings": [finding._asdict() for finding in found],
        "text": audit.text(flags, found),
        "markdown": audit.markdown(flags, found),
        "msg": _summary(system, flags, found, rules is not None),
    }
    if found and params["fail_on"] == "findings":
        raise RolloutError(
            f"{result['msg']}. Remove these flags, or name their reason.", **result, kind="flags_to_clean_up"
        )
    return result


def _sees_use(system: FlagSystem) -> bool:
    return contract.CAN_LISTENERS in system.capabilities


def _listeners(system: FlagSystem, params: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    if contract.CAN_LISTENERS not in system.capabilities or not params["system"].get("application"):
        return []
    return [dataclasses.asdict(listener) for listener in system.listeners()]


def _summary(system: FlagSystem, flags: t.Sequence[Flag], found: t.Sequence[audit.Finding], is_audit: bool) -> str:
    on = sum(flag.state == contract.ON for flag in flags)
    text = f"{system.where}: {counted(len(flags), 'flag')}, {on} on"
    if not is_audit:
        return text
    names = list(dict.fromkeys(finding.flag for finding in found))
    return f"{text}, {len(names)} to clean up" + (f": {', '.join(names[:12])}" if names else "")


def _rules(given: t.Mapping[str, t.Any] | None) -> audit.Rules | None:
    """Raises InputError."""
    if given is None:
        return None
    pattern = given["ticket"]
    try:
        ticket = re.compile(pattern) if pattern else None
    except re.error as error:
        raise InputError(f"audit.ticket: '{pattern:.80}' is not a regular expression ({error}).") from None
    return audit.Rules(
        durations.seconds("audit.older_than", given["older_than"]),
        durations.seconds("audit.full_for", given["full_for"]),
        tuple(given["kinds"]),
        ticket,
    )
