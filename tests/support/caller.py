# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' cores as a playbook uses them, also from many processes at once and as another user."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import typing as t

from support.cores import Outcome, params_of

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.modules import lb_member, lb_member_info
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import run_command

# Fresh interpreters would take longer than what is tested; a fork sees the test's lock directory, too.
processes = multiprocessing.get_context("fork")


@dataclasses.dataclass
class Caller:
    """The modules as a playbook uses them, on one pool of a running balancer. *uid* makes the calls if given."""

    settings: dict[str, t.Any]
    uid: int | None = None

    def put(self, *members: str, state: str, **options: t.Any) -> Outcome:
        return self.call(members=list(members), state=state, **options)

    def call(self, **options: t.Any) -> Outcome:
        return self._run(lb_member, options)

    def info(self, **options: t.Any) -> Outcome:
        return self._run(lb_member_info, options)

    def run(self, module: t.Any, **options: t.Any) -> Outcome:
        """Any other module that takes a balancer."""
        return self._run(module, options)

    def states(self) -> dict[str, str]:
        """The admin state of every member as the balancer shows it now."""
        return {name: member["own"] for name, member in self.info()["members"].items()}

    def weights(self) -> dict[str, int]:
        return {name: member["weight"] for name, member in self.info()["members"].items()}

    def balancer(self) -> Balancer:
        """The contract itself, for what no module does alone."""
        return registry.open_balancer(
            params_of(lb_member_info, {"balancer": dict(self.settings)})["balancer"], run_command
        )

    def put_each(self, names: t.Sequence[str], **options: t.Any) -> dict[str, str]:
        """One call for each of *names*, all at once in processes of their own; the errors by name."""
        answers: t.Any = processes.Queue()
        children = [
            processes.Process(target=lambda name=name: answers.put((name, self.call(members=[name], **options).error)))
            for name in names
        ]
        for child in children:
            child.start()
        outcomes = dict(answers.get(timeout=120) for dummy in children)
        for child in children:
            child.join(10)
        return outcomes

    def _run(self, module: t.Any, options: dict[str, t.Any]) -> Outcome:
        options = {"balancer": dict(self.settings), **options}
        if self.uid is None:
            return call_core(module, **options)
        answers: t.Any = processes.SimpleQueue()
        child = processes.Process(target=_as_user, args=(self.uid, module, options, answers))
        child.start()
        child.join(60)
        return t.cast("Outcome", answers.get())


def call_core(module: t.Any, check_mode: bool = False, diff: bool = False, **options: t.Any) -> Outcome:
    """Runs the core of *module* in this process, with leave to run programs."""
    warnings: list[str] = []
    call = Call(params_of(module, options), check_mode, diff, warnings.append, run_command)
    try:
        return Outcome(perform(module.core, call), "", warnings)
    except RolloutError as error:
        return Outcome(error.result, error.message, warnings)


def _as_user(uid: int, module: t.Any, options: dict[str, t.Any], answers: t.Any) -> None:
    os.setgid(uid)
    os.setuid(uid)
    answers.put(call_core(module, **options))
