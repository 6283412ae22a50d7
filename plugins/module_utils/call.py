# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How a core is called, whether from a module on a host or from an action plugin in Ansible's worker.

A core is a function ``core(call) -> result``. It knows nothing of AnsibleModule: everything it may ask of
Ansible is in the Call, and everything it has to say is in the result or in a RolloutError.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

    Core = t.Callable[["Call"], t.Dict[str, t.Any]]


@dataclasses.dataclass
class Call:
    """One call of a module's core."""

    params: dict[str, t.Any]
    check_mode: bool
    diff: bool
    warn: t.Callable[[str], None]
    run_command: t.Callable[..., tuple[int, str, str]]
    """(argv, **AnsibleModule.run_command options) -> (exit code, stdout, stderr)"""


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
        result = core(call)
    except RolloutError as error:
        module.fail_json(msg=error.message, **error.result)
    module.exit_json(**result)
