# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads all settings of a rollout before anything is touched, and refuses what cannot work."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import files, loading, names, settings, steps
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.findings import Finding, accepted, refusals
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HOOKS
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated, why_not_evaluated

Result = t.Dict[str, t.Any]

OF_EACH_VERSION = (
    "rollout_artifact", "rollout_artifact_checksum", "rollout_health", "rollout_update_tasks", *settings.OF_READY_STEPS
)  # fmt: skip
"""What a host that is rolled back needs for the version before."""
STEPS = (*(f"rollout_{hook}_tasks" for hook in HOOKS), "rollout_gate_tasks")
ANOTHER = "0.another.version"


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        arguments = validated("check_settings", source_of("check_settings").SPEC, self._task.args)
        found = [Finding(sentence) for sentence in names.unknown(task_vars)]
        values, undefined = self._evaluated(task_vars)
        found += undefined or self._findings(values, arguments, task_vars)
        errors = refusals(found, accepted(values.get("rollout_accept")))
        return {
            **result,
            "changed": False,
            "errors": errors,
            "failed": bool(errors),
            "msg": " ".join([*errors, "Nothing was touched."]) if errors else "The settings can work.",
        }

    def _evaluated(self, task_vars: Result) -> tuple[Result, list[Finding]]:
        """All settings for the version asked for, and a finding for each that uses a variable that is not there."""
        version = str(self._of("rollout_version", task_vars, "") or "")
        found = {
            name: self._tried(name, task_vars, version)
            for name in sorted(names.settings().difference(names.OF_A_RELEASE))
        }
        undefined = [value for value in found.values() if isinstance(value, Finding)]
        return {name: value for name, value in found.items() if not isinstance(value, Finding)}, undefined

    def _tried(self, name: str, task_vars: Result, version: str) -> t.Any:
        try:
            return self._of(name, task_vars, version)
        except AnsibleError as error:
            return Finding(why_not_evaluated(name, error))

    def _of(self, name: str, task_vars: Result, version: str, **overlay: t.Any) -> t.Any:
        target = {"version": version, "revision": str(self._raw_revision(task_vars) or "")}
        return evaluated(self, task_vars.get(name), task_vars, rollout_target=target, **overlay)

    def _raw_revision(self, task_vars: Result) -> t.Any:
        return evaluated(self, task_vars.get("rollout_revision"), task_vars)

    def _findings(self, values: Result, arguments: Result, task_vars: Result) -> list[Finding]:
        search = self._of("__rollout_search_paths", task_vars, "")
        task_files = {name: str(values[name]) for name in STEPS if values[name]}
        given = settings.Given(
            values=values,
            direction=arguments["direction"],
            strategy=arguments.get("strategy") or "",
            operation=arguments.get("operation") or "",
            fleet=arguments["hosts"],
            groups=task_vars.get("groups") or {},
            artifact_for=lambda version: files.located(str(self._of("rollout_artifact", task_vars, version)), search),
            depends=self._depending_on_the_request(values, task_vars),
        )
        reader = loading.Reader(
            play=self._task.get_play(),
            role=self._task._role._role_path if self._task._role else "",
            variables=task_vars["hostvars"]._variable_manager,
            loader=self._loader,
        )
        wrong = steps.wrong_steps(task_files, steps.Reader(search, self._loader.load_from_file, reader.problems))
        return [*settings.findings(given), *map(Finding, [*wrong, *_unread(arguments["hosts"], task_vars)])]

    def _depending_on_the_request(self, values: Result, task_vars: Result) -> list[str]:
        version = str(values["rollout_version"] or "")
        return [
            name
            for name in OF_EACH_VERSION
            if values[name] and self._of(name, task_vars, version, rollout_version=ANOTHER) != values[name]
        ]


def _unread(hosts: t.Sequence[str], task_vars: Result) -> list[str]:
    groups = {name for name, members in (task_vars.get("groups") or {}).items() if set(members) & set(hosts)}
    paths = files.unread_variables(str(task_vars.get("playbook_dir") or ""), {*groups, *hosts}, names.PREFIX)
    return [
        f"{path} is not read: Ansible reads variables beside an inventory, and not beside a playbook that imports another; move "
        "it beside the inventory."
        for path in paths
    ]
