# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's core inside Ansible's worker where that is the same thing as running the module.

Starting a module costs 130-160 ms and 0.25 s of processor time, a call in the worker 7 ms. The two are
equal when the task's connection is local and no other user is asked for; everywhere else the module runs.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils import controller, failures
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import local
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import ModuleCall, source_of

COLLECTION = "ansible_collections.steady.rollout.plugins"


class InWorkerAction(ActionBase):
    """Base of the action plugins that share name, options and core with a module.

    The module's file offers ``SPEC`` (the keyword arguments of AnsibleModule) and ``core``.
    """

    module: t.ClassVar[str]
    kind_of_silence: t.ClassVar[str] = "unreachable"
    _supports_check_mode = True
    _supports_diff = True
    _requires_connection = False

    def __init_subclass__(cls, **options: t.Any) -> None:
        """Imports core and filters with the action plugin, in the process that all workers are forked from.

        Ansible compiles what it imports from a collection again in each process, which costs more than most cores do.
        """
        super().__init_subclass__(**options)
        importlib.import_module(f"{COLLECTION}.filter.rollout")
        if hasattr(cls, "module"):
            source_of(cls.module)

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        # Where files are transferred, Ansible's own part makes a folder on the host already.
        result: dict[str, t.Any] = self._reached(lambda: super(InWorkerAction, self).run(tmp, task_vars), task_vars)
        if result.get("failed"):
            return result
        arguments = self.arguments(dict(self._task.args), task_vars)
        if self.is_local():
            result.update(self.in_worker(arguments))
        else:
            result.update(self._reached(lambda: self.as_module(arguments, task_vars), task_vars))
        return result

    def cleanup(self, force: bool = False) -> None:
        """A lost host keeps its temporary files: that must not turn the task's answer into UNREACHABLE after all."""
        with contextlib.suppress(AnsibleConnectionFailure):
            super().cleanup(force)

    def _reached(self, work: t.Callable[[], dict[str, t.Any]], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """A host that does not answer is a failure like any other, with its kind.

        Ansible's own answer, UNREACHABLE, skips rescue and always, or marks the fleet's host as lost where it
        was the balancer that did not answer.
        """
        try:
            return work()
        except AnsibleConnectionFailure as error:
            return {"failed": True, "kind": self.kind_of_silence, "msg": self._silence(error, task_vars)}

    def _silence(self, error: Exception, task_vars: dict[str, t.Any]) -> str:
        """The host by its name: what the connection says names an address only, in the midst of a fleet."""
        name = self._task.delegate_to or task_vars.get("inventory_hostname")
        if self.kind_of_silence != "coordinator":
            return failures.unreachable(str(name), str(error))
        return f"The coordinator does not answer: {failures.unreachable(str(name), str(error))}"

    def arguments(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module gets; an action plugin may add what is known only on the controller."""
        return arguments

    def is_local(self) -> bool:
        return self._connection.transport == "local" and self._connection.become is None

    def as_module(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(
            module_name=f"steady.rollout.{self.module}", module_args=arguments, task_vars=task_vars
        )
        return result

    def environment(self) -> dict[str, str]:
        """The task's ``environment``, which a module would find in its own."""
        merged: dict[str, t.Any] = {}
        for one in self._task.environment or []:
            merged.update(self._templar.template(one) or {})
        return {str(name): str(value) for name, value in merged.items()}

    def in_worker(self, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        # The worker is a process of this task alone.
        os.environ.update(self.environment())
        return local.run(ModuleCall(self.module, arguments, self._task.check_mode, self._task.diff), "this machine")
