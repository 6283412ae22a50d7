# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the process that observes the fleet and the balancers as long as the run is alive."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, members_file, survey, workers
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import ledger_calls
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers import calls as timers
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import members_of
from ansible_collections.steady.rollout.plugins.plugin_utils.watch import interruption, lease_mark, process
from ansible_collections.steady.rollout.plugins.plugin_utils.watch.loop import Row, Run, Watch, observed_health

Result = t.Dict[str, t.Any]

ANSWERS_WITHIN = 5.0
"""Seconds that the coordinator has to answer."""
READ_WITHIN = 10.0
"""Seconds that a load balancer, or whoever probes the hosts, has to answer."""


class ActionModule(ActionBase):
    _supports_check_mode = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        arguments = validated("watch_rollout", source_of("watch_rollout").SPEC, self._task.args)
        names, path = set(arguments["hosts"]), arguments.get("members_file")
        members = members_file.read(path, names) if path else members_of(self, names, names, task_vars)
        run = os.getppid()
        lease_mark.renew()
        pid = process.start(lambda: self._watch(arguments, task_vars, members, run), show)
        process.say_if_gone(show)
        return {**result, "changed": False, "pid": pid}

    def _watch(
        self, arguments: Result, task_vars: dict[str, t.Any], members: t.Sequence[survey.Member], run: int
    ) -> None:
        # Never closed: its sessions end with this process, which must not wait for a host that does not answer.
        executors = Executors(self, task_vars)
        by_name = {member.name: member for member in members}
        coordinator, common = ledger_calls(arguments, executors)

        def probe(wanted: t.Mapping[str, str]) -> list[Row]:
            members = [by_name[name] for name in wanted if name in by_name]
            rows = survey.probe_health(members, executors, timeout=READ_WITHIN)
            return observed_health(rows, wanted)

        def report(balancers: list[Row] | None, hosts: list[Row], read_at: float | None) -> Row | None:
            seen = {"balancers": balancers, "hosts": hosts, "read_at": read_at}
            try:
                answer = coordinator.call("rollout_watch", {**common, **seen}, timeout=ANSWERS_WITHIN)
            except RolloutError:
                return None
            return None if answer.get("failed") else answer

        claim, timed = arguments.get("claim") or {}, arguments.get("restore_timers") or []
        started = controller.started(run)
        try:
            Watch(
                run=Run(
                    is_there=lambda: controller.started(run) == started,
                    is_suspended=lambda: controller.is_suspended(run),
                    lost_hosts=workers.died,
                    has_workers=lambda: controller.has_workers(run),
                    end=lambda: controller.end(run),
                ),
                read_balancers=lambda: survey.read_balancers(arguments["balancers"], executors, timeout=READ_WITHIN),
                probe=probe,
                report=report,
                show=show,
                keep=interruption.keep,
                is_asked=interruption.is_asked,
                renew=lease_mark.renew,
                lose=lease_mark.lose,
                beat=(lambda: timers.renew(executors, timed, claim)) if timed else None,
                members={member.name: member.member for member in members},
            ).until_the_run_is_over()
        except OSError:
            pass  # the run's end, seen while a line was shown
        except Exception as error:
            process.say_no_watch(show, f"The watch of this run has ended: {type(error).__name__}: {error}.")
