# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses settings that the role's argument spec does not allow, for all hosts in one worker."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils import settings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated, variables_of, why_not_evaluated

Result = t.Dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        arguments = validated("validate_settings", source_of("validate_settings").SPEC, self._task.args)
        try:
            spec = settings.spec_from(arguments["argument_specs"], arguments["entry_point"])
        except InputError as error:
            return {**result, "failed": True, "msg": error.message}
        hostvars = task_vars["hostvars"]
        written = {host: _only(spec, hostvars.raw_get(host)) for host in arguments["hosts"]}
        read = functools.lru_cache(maxsize=None)(lambda host: variables_of(self, host, task_vars))
        errors = {}
        for host, *_others in settings.distinct(written):
            errors[host] = self._errors(spec, _only(spec, read(host)), read(host))
        refused = settings.refusal(errors) or self._disagreement(written, read)
        if refused:
            return {**result, "failed": True, "msg": refused}
        return {**result, "changed": False}

    def _errors(self, spec: settings.Settings, written: Result, variables: Result) -> list[str]:
        try:
            return settings.errors_of(spec, evaluated(self, written, variables))
        except AnsibleError:
            undefined = [sentence for name in written if (sentence := self._undefined(name, written, variables))]
            if not undefined:
                raise
            return undefined

    def _disagreement(self, written: t.Mapping[str, Result], read: t.Callable[[str], Result]) -> str:
        """Of hosts with the same templates the first and the last are compared: all of them would take too long."""
        alike = settings.distinct({host: _only(settings.ONE_FOR_THE_FLEET, values) for host, values in written.items()})
        values = {}
        for host in dict.fromkeys(host for hosts in alike for host in (hosts[0], hosts[-1])):
            values[host] = evaluated(self, _only(settings.ONE_FOR_THE_FLEET, read(host)), read(host))
        sentences = settings.disagreements(values)
        return " ".join([*sentences, "Nothing was touched."]) if sentences else ""

    def _undefined(self, name: str, written: Result, variables: Result) -> str:
        """Why the setting cannot be evaluated by itself, such as for a variable that is not there; empty where it can."""
        try:
            evaluated(self, written[name], variables)
        except AnsibleError as error:
            return why_not_evaluated(name, error)
        return ""


def _only(spec: t.Iterable[str], variables: t.Mapping[str, t.Any]) -> Result:
    return {name: variables[name] for name in spec if name in variables}
