# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module seen from the controller: its options, its core, and a call of it."""

from __future__ import annotations

import collections.abc
import dataclasses
import importlib
import re
import types
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import parsing

MODULES = "ansible_collections.steady.rollout.plugins.modules"
SPEC_OPTIONS = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
PLAIN = frozenset((str, int, float, bool, type(None)))

Spec = t.Mapping[str, t.Any]
Place = t.List[t.Union[str, int]]
"""The keys and positions that lead to one option's value."""


@dataclasses.dataclass(frozen=True)
class ModuleCall:
    """One call of a module as a task would make it; *arguments* as in a playbook."""

    module: str
    arguments: t.Mapping[str, t.Any]
    check_mode: bool = False
    diff: bool = False


def plain(value: t.Any) -> t.Any:
    """A copy of dictionaries and lists, with texts and numbers of Python's own types; anything else stays what it is.

    Ansible's types remember where a value comes from. Its validation of options copies that too, which takes ten times as long.
    """
    if type(value) in PLAIN:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, collections.abc.Mapping):
        return {plain(name): plain(one) for name, one in value.items()}
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    return value


def source_of(module: str) -> types.ModuleType:
    """The module's file, which offers ``SPEC`` (the keyword arguments of AnsibleModule) and ``core``."""
    if not NAME.match(module):
        raise InputError(f"'{module}' cannot be the name of a module of this collection.")
    return importlib.import_module(f"{MODULES}.{module}")


def core_name(core: t.Callable[..., t.Any]) -> str:
    """The core's place as the other end of a session imports it."""
    return f"{core.__module__}:{core.__qualname__}"


@dataclasses.dataclass(frozen=True)
class Params:
    values: dict[str, t.Any]
    secrets: t.Collection[str]
    """What Ansible hides in results where the module says nothing else."""


def validated(module: str, spec: Spec, arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The parameters of ``checked`` alone."""
    return checked(module, spec, arguments).values


def checked(module: str, spec: Spec, arguments: t.Mapping[str, t.Any]) -> Params:
    """The module's parameters; raises InputError where the options are wrong."""
    options = {name: spec[name] for name in SPEC_OPTIONS if name in spec}
    # Ansible fills suboptions into the defaults themselves, which would stay changed for the next call.
    argument_spec = plain(spec["argument_spec"])
    with parsing.ONE_AT_A_TIME:
        outcome = ArgumentSpecValidator(argument_spec, **options).validate(dict(arguments))
    if outcome.error_messages:
        raise InputError(_message(module, outcome.errors))
    return Params(dict(outcome.validated_parameters), outcome._no_log_values)


def without_secrets(source: types.ModuleType, params: Params, result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result as Ansible would show it: a module may say by ``hidden`` what is secret, and what is not."""
    secrets = source.hidden(params.values) if hasattr(source, "hidden") else params.secrets
    if not secrets:
        return result
    shown: dict[str, t.Any] = remove_values(result, set(secrets))
    return shown


def _message(module: str, errors: t.Any) -> str:
    """In AnsibleModule's words."""
    text = str(errors.msg)
    is_unknown = isinstance(errors[0], UnsupportedError)
    return f"Unsupported parameters for (steady.rollout.{module}) module: {text}" if is_unknown else text


def checked_for_elsewhere(module: str, spec: Spec, arguments: t.Mapping[str, t.Any]) -> tuple[Params, list[Place]]:
    """The parameters with paths as they were given, and where those are: ``~`` means another user's home there."""
    elsewhere = {**spec, "argument_spec": _without_paths(spec["argument_spec"])}
    params = checked(module, elsewhere, arguments)
    return params, list(_path_places(spec["argument_spec"], params.values))


def _without_paths(argument_spec: Spec) -> dict[str, t.Any]:
    result: dict[str, t.Any] = plain(argument_spec)
    for option in result.values():
        for key in ("type", "elements"):
            if option.get(key) == "path":
                option[key] = "str"
        if option.get("options"):
            option["options"] = _without_paths(option["options"])
    return result


def _path_places(argument_spec: Spec, params: t.Mapping[str, t.Any]) -> t.Iterator[Place]:
    for name, option in argument_spec.items():
        value = params.get(name)
        if value is None:
            continue
        if option.get("type") == "path":
            yield [name]
        elif option.get("elements") == "path":
            for number in range(len(value)):
                yield [name, number]
        elif option.get("options"):
            for start, one in _inner(name, value):
                yield from ([*start, *rest] for rest in _path_places(option["options"], one))


def _inner(name: str, value: t.Any) -> list[tuple[Place, t.Mapping[str, t.Any]]]:
    """The dictionaries of an option that is one or a list of them."""
    if isinstance(value, t.Mapping):
        return [([name], value)]
    return [([name, number], one) for number, one in enumerate(value)]
