# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How a core is called, whether from a module on a host or from an action plugin in Ansible's worker.

A core is a function ``core(call) -> result``. It does not use AnsibleModule: everything it may request of
Ansible is in the Call, and everything it has to say is in the result or in a RolloutError.
"""

from __future__ import annotations

import dataclasses
import math
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.printable import printable, printable_all

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

    Core = t.Callable[["Call"], t.Dict[str, t.Any]]


UNUSABLE = re.compile("[\0\ud800-\udfff]")


@dataclasses.dataclass
class Call:
    """One call of a module's core."""

    params: dict[str, t.Any]
    check_mode: bool
    diff: bool
    warn: t.Callable[[str], None]
    run_command: t.Callable[..., tuple[int, str, str]]
    """(argv, **AnsibleModule.run_command options) -> (exit code, stdout, stderr)"""


LARGEST = 2**63
"""Integers from here on fit neither into files nor into the ledger."""
DEEPEST = 60


def perform(core: Core, call: Call) -> dict[str, t.Any]:
    """Runs a core; the only way that modules, action plugins and sessions do.

    Numbers that no option can mean are refused before the core sees them. What hosts and balancers said is made
    printable in results, warnings and errors.
    """
    safe = dataclasses.replace(call, params=usable(call.params), warn=lambda text: call.warn(printable(text)))
    try:
        return t.cast("dict[str, t.Any]", printable_all(core(safe)))
    except RolloutError as error:
        error.message = printable(error.message)
        error.result = printable_all(error.result)
        raise


def usable(value: t.Any, where: str = "", depth: int = 0) -> t.Any:
    """The options with text that cannot be encoded or written replaced; InputError names a number that cannot be meant.

    Text is replaced and not refused, because a failure that a host worded must still reach the ledger.
    """
    if depth > DEEPEST:
        raise InputError(f"{where.split('.')[0]}: nested deeper than {DEEPEST} levels.")
    if isinstance(value, str):
        return UNUSABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {
            usable(name, where, depth + 1): usable(one, f"{where}.{name}" if where else str(name), depth + 1)
            for name, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [usable(one, where, depth + 1) for one in value]
    if _is_unusable_number(value):
        shown = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else repr(value)
        raise InputError(f"{where}: {shown} is not a finite number that fits in 64 bits.")
    return value


def _is_unusable_number(value: t.Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, int) and not -LARGEST < value < LARGEST


def run_as_module(module: AnsibleModule, core: Core) -> None:
    """Runs the core for a module; the only place where an error becomes fail_json."""
    call = Call(
        params=module.params,
        check_mode=module.check_mode,
        diff=module._diff,
        warn=module.warn,
        run_command=module.run_command,
    )
    try:
        result = perform(core, call)
    except RolloutError as error:
        module.fail_json(**{**error.result, "msg": error.message})
    module.exit_json(**result)
