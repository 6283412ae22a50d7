# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls a module's core as Ansible would: options checked and defaulted by its argument spec, errors as results."""

from __future__ import annotations

import copy
import dataclasses
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

NOT_FOR_THE_VALIDATOR = ("argument_spec", "supports_check_mode")


@dataclasses.dataclass
class Outcome:
    """What a call came to. *error* is empty where it succeeded."""

    result: dict[str, t.Any]
    error: str
    warnings: list[str]

    def __getitem__(self, key: str) -> t.Any:
        return self.result[key]


def params_of(module: t.Any, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """The options with their defaults; fails the test where Ansible would refuse them."""
    rules = {name: value for name, value in module.SPEC.items() if name not in NOT_FOR_THE_VALIDATOR}
    checked = ArgumentSpecValidator(copy.deepcopy(module.SPEC["argument_spec"]), **rules).validate(options)
    if checked.error_messages:
        raise AssertionError("; ".join(checked.error_messages))
    return dict(checked.validated_parameters)


def call_core(module: t.Any, check_mode: bool = False, diff: bool = False, **options: t.Any) -> Outcome:
    """Runs the core of *module* in this process."""
    warnings: list[str] = []
    call = Call(params_of(module, options), check_mode, diff, warnings.append, _no_commands)
    try:
        return Outcome(perform(module.core, call), "", warnings)
    except RolloutError as error:
        return Outcome(error.result, error.message, warnings)


def _no_commands(*args: t.Any, **options: t.Any) -> tuple[int, str, str]:
    raise AssertionError(f"no command was expected: {args}")
