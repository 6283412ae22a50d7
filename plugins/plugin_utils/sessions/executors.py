# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All hosts that one action plugin has to do with, and calls to several of them at the same time.

with Executors(self, task_vars) as executors:
    seen = executors.on("lb1").call("lb_member_info", {"balancer": balancer})
    drained = executors.together([Invocation("lb1", "lb_member", ...), Invocation("lb2", "lb_member", ...)])
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import dataclasses
import functools
import gc
import os
import threading
import time
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import payload
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import (
    HostExecutor,
    Unreachable,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.local import Result
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of

AT_A_TIME = 32


@dataclasses.dataclass(frozen=True)
class Invocation:
    """One call on one host; what is not given is as in ``Executor.call``."""

    host: str
    module: str
    arguments: t.Mapping[str, t.Any]
    become: bool | None = None
    check_mode: bool = False
    diff: bool = False
    timeout: float | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """*result* is what the module returned or, where the host does not answer, a failure with that reason."""

    invocation: Invocation
    result: Result
    unreachable: Unreachable | None
    seconds: float

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))


class Executors:
    """A context manager; at its end all sessions are closed. With *joins* those that the run's workers share are used."""

    def __init__(self, action: ActionBase, task_vars: dict[str, t.Any], joins: bool = True) -> None:
        self._action = action
        self._task_vars = task_vars
        self._joins = joins
        self._made: dict[tuple[str, bool | None], HostExecutor] = {}
        self._turn = threading.Lock()
        # The worker is a process of this task alone; cores that run in it find what a module would.
        environment: dict[str, t.Any] = {}
        action._compute_environment_string(environment)
        os.environ.update({str(name): str(value) for name, value in environment.items()})

    def __enter__(self) -> Executors:
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        with self._turn:
            made = list(self._made.values())
        at_once([one.close for one in made])

    def on(self, host: str, become: bool | None = None) -> HostExecutor:
        """The host's executor; *become* as the keyword of a task, None for what the task itself says."""
        with self._turn:
            if (host, become) not in self._made:
                self._made[host, become] = HostExecutor(self._action, self._task_vars, host, become, self._joins)
            return self._made[host, become]

    def connect(self, hosts: t.Iterable[str]) -> None:
        """Opens the sessions of these hosts at the same time. One that cannot be reached fails at its first call."""
        at_once([functools.partial(self._connect, host) for host in dict.fromkeys(hosts)])

    def _connect(self, host: str) -> None:
        try:
            self.on(host).connect()
        except (RolloutError, AnsibleError, OSError):
            pass

    def together(self, calls: t.Sequence[Invocation]) -> list[Outcome]:
        """All calls at the same time; a call that fails is an outcome like any other."""
        return at_once([functools.partial(self._outcome, one) for one in calls])

    def _outcome(self, one: Invocation) -> Outcome:
        began = time.monotonic()
        lost: Unreachable | None = None
        try:
            result = self.on(one.host, one.become).call(
                one.module, one.arguments, check_mode=one.check_mode, diff=one.diff, timeout=one.timeout
            )
        except Unreachable as error:
            lost, result = error, {"changed": False, "failed": True, "msg": error.message}
        except (RolloutError, AnsibleError, OSError) as error:
            result = {"changed": False, "failed": True, "msg": f"{one.module} on {one.host}: {error}"}
        return Outcome(one, result, lost, time.monotonic() - began)


Done = t.TypeVar("Done")


def at_once(works: t.Sequence[t.Callable[[], Done]]) -> list[Done]:
    """What each of them returns, all of them done at the same time."""
    if len(works) < 2:
        return [work() for work in works]
    with concurrent.futures.ThreadPoolExecutor(min(len(works), AT_A_TIME)) as pool:
        # Ansible keeps where its warnings go, and more, in context variables.
        running = [pool.submit(contextvars.copy_context().run, work) for work in works]
        return [one.result() for one in running]


def prepare(*modules: str) -> None:
    """Reads the runner's sources and imports these modules, once: to be called while an action plugin is imported.

    Ansible's strategies import it in the process that all workers are forked from, and no worker does it again.
    """
    payload.payload()
    for module in modules:
        source_of(module)
    # What is there by now stays. A worker's garbage collector that went through it would copy all of its memory.
    gc.freeze()
