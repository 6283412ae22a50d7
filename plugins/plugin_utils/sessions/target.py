# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to any host of the inventory, made as Ansible makes it for a delegated task."""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible import constants as C
from ansible.executor.task_executor import TaskExecutor
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase
from ansible.template import Templar

from ansible_collections.steady.rollout.plugins.module_utils.processes import RUN_MARK
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import parsing

OF_A_USER = ("become_user", "become_exe", "become_flags")
"""Options of a become plugin that say who runs a command and how."""


class Handler(ActionBase):
    """Runs modules on the target and computes its environment; the task's own action plugin stays out of it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> t.NoReturn:
        raise NotImplementedError

    def _configure_module(self, *args: t.Any, **options: t.Any) -> t.Any:
        """Packs the module; several threads may run one."""
        with parsing.ONE_AT_A_TIME:
            return super()._configure_module(*args, **options)


class ConnectionMaker(TaskExecutor):
    """The part of Ansible's that makes connections: how options, become and passwords meet differs between versions."""

    _task: t.Any = None  # a property of the task at hand from ansible-core 2.21 on

    def __init__(self, action: ActionBase, task: t.Any, play_context: t.Any) -> None:
        self._task = task
        self._play_context = play_context
        self._loader = action._loader
        self._shared_loader_obj = action._shared_loader_obj
        self._new_stdin = None
        self._connection = None

    def make(self, own: dict[str, t.Any], templar: Templar) -> ConnectionBase:
        given = own.get("ansible_connection")
        plugin = self._task.connection if given is None else templar.template(given)
        self._connection = self._get_connection(own, templar, plugin)
        self._set_connection_options(own, templar)
        return self._connection


@dataclasses.dataclass(frozen=True)
class Target:
    host: str
    connection: ConnectionBase
    handler: Handler
    variables: dict[str, t.Any]
    """The task's, with those of the target among ``ansible_delegated_vars``."""

    @property
    def is_local(self) -> bool:
        return self.connection.transport == "local" and self.connection.become is None

    @property
    def is_ssh(self) -> bool:
        return self.connection.transport == "ssh" and hasattr(self.connection, "_build_command")

    @property
    def own_variables(self) -> dict[str, t.Any]:
        found: dict[str, t.Any] = self.variables["ansible_delegated_vars"][self.host]
        return found

    def environment(self) -> dict[str, t.Any]:
        """The task's ``environment``."""
        found: dict[str, t.Any] = {}
        self.handler._compute_environment_string(found)
        return found

    def env_prefix(self) -> str:
        """The task's ``environment`` as words of sh."""
        return str(self.handler._compute_environment_string()).strip()

    def identity(self, link: str) -> str:
        """The same for all connections over this *link* as the same user with the same environment."""
        become = self.connection.become
        user = (
            [become.name, *(become.has_option(one) and become.get_option(one) for one in OF_A_USER)] if become else []
        )
        # The shared session carries the run's mark, and tasks without it may use that one.
        environment = sorted((name, value) for name, value in self.environment().items() if name != RUN_MARK)
        return hashlib.sha256(repr((link, environment, user)).encode()).hexdigest()[:16]

    def interpreters(self) -> list[str]:
        """The Python that Ansible uses there, or where it has not looked yet those that may be there."""
        variables = self.own_variables
        given = variables.get("ansible_python_interpreter") or C.config.get_config_value(
            "INTERPRETER_PYTHON", variables=variables
        )
        given = Templar(loader=self.handler._loader, variables=variables).template(given)
        if given and not str(given).startswith("auto"):
            return [str(given)]
        known = (variables.get("ansible_facts") or {}).get("discovered_interpreter_python")
        if known:
            return [str(known)]
        return candidates(C.config.get_config_value("INTERPRETER_PYTHON_FALLBACK", variables=variables))


def candidates(fallback: t.Sequence[str]) -> list[str]:
    """In the order of Ansible's own discovery, so that modules and sessions use the same.

    Before ansible-core 2.17, whose list names platform-python, the distribution's own came first.
    """
    given = [name for name in fallback if "python2" not in name and not name.endswith("python")]
    first = ["/usr/bin/python3"] if any("platform-python" in name for name in fallback) else []
    return list(dict.fromkeys([*first, *given]))


def target(action: ActionBase, task_vars: dict[str, t.Any], host: str, become: bool | None) -> Target:
    """*become* stands for the task's keyword: as everywhere in Ansible, the host's ``ansible_become`` beats it."""
    with parsing.ONE_AT_A_TIME:
        return _target(action, task_vars, host, become)


def own_target(action: ActionBase, task_vars: dict[str, t.Any], host: str, become: bool | None) -> Target | None:
    """The task's own host by the connection that Ansible has made for the task; None where *host* is another one."""
    task = action._task
    if (
        become is not None
        or task.delegate_to
        or not action._requires_connection
        or host != task_vars["inventory_hostname"]
    ):
        return None
    parts = (task, action._connection, action._play_context, action._loader, action._templar, action._shared_loader_obj)
    return Target(host, action._connection, Handler(*parts), {**task_vars, "ansible_delegated_vars": {host: task_vars}})


def _target(action: ActionBase, task_vars: dict[str, t.Any], host: str, become: bool | None) -> Target:
    task = action._task.copy(exclude_parent=True)
    task._parent = action._task._parent
    task.delegate_to = host
    if become is not None:
        task.become = become
    variables = {**task_vars, **_delegated(action, task_vars, task)}
    own = variables["ansible_delegated_vars"][host]
    everything = Templar(loader=action._loader, variables=variables)
    templar = Templar(loader=action._loader, variables=own)
    play_context = action._play_context.set_task_and_variable_override(
        task=task, variables=variables, templar=everything
    )
    play_context.post_validate(templar=everything)
    connection = ConnectionMaker(action, task, play_context).make(own, templar)
    connection.update_vars(variables)
    connection._play_context = play_context.set_task_and_variable_override(
        task=task, variables=variables, templar=templar
    )
    handler = Handler(task, connection, connection._play_context, action._loader, everything, action._shared_loader_obj)
    return Target(host, connection, handler, variables)


def _delegated(action: ActionBase, task_vars: dict[str, t.Any], task: t.Any) -> dict[str, t.Any]:
    manager = task_vars["hostvars"]._variable_manager
    templar = Templar(loader=action._loader, variables=task_vars)
    found: dict[str, t.Any] = manager.get_delegated_vars_and_hostname(templar, task, task_vars)[0]
    return found
