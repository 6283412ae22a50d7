# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads every host of the fleet and every load balancer in one task of one worker."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.plurals import counted
from ansible_collections.steady.rollout.plugins.plugin_utils import background, controller, members_file, survey
from ansible_collections.steady.rollout.plugins.plugin_utils.balancer_calls import place_of
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import fleet
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import hosts as sample
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.findings import refusals
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HostSettings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import shared_server
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, at_once, prepare
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated, members_of, variables_of

Result = t.Dict[str, t.Any]
Readings = t.Tuple[fleet.Seen, t.List[Result], t.List[str]]
"""What was seen, the nodes that split the traffic, and the reasons not to continue."""

prepare("fleet_info", "health_wait", "lb_member_info")


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        arguments = validated("fleet_info", source_of("fleet_info").SPEC, self._task.args)
        in_scope = set(arguments["in_scope"])
        names = list(dict.fromkeys([*arguments["hosts"], *arguments["in_scope"]]))
        if arguments["keep_sessions"] and not self._task.check_mode:
            # Before anything else: it connects while the variables of all hosts are evaluated.
            shared_server.start(Executors(self, task_vars, joins=False), _beside(names, arguments["balancers"]))
        members = members_of(self, names, in_scope, task_vars)
        what = f"{counted(len(in_scope), 'host')} and {counted(len(arguments['balancers']), 'load balancer')}"
        show(f"reading {what}")
        seen, nodes, problems = background.with_signs_of_life(
            lambda: self._read(arguments, task_vars, members),
            lambda: show(f"still reading {what}"),
            controller.SHOW_EVERY,
        )
        refused = {"failed": True, "msg": f"{' '.join(problems)} Nothing was touched."} if problems else {}
        return {
            **result,
            **(refused if arguments["refuse"] else {}),
            "changed": False,
            "hosts": seen.hosts,
            "balancers": seen.balancers,
            "nodes": nodes,
            "problems": problems,
            "pools": survey.pools_of(arguments["balancers"]),
            "out_of_rotation": survey.out_of_rotation(seen.balancers),
            "members_file": members_file.write(members),
        }

    def _read(self, arguments: Result, task_vars: dict[str, t.Any], members: list[survey.Member]) -> Readings:
        """Everything is read at the same time: most of it is waiting for the first connection."""
        asked = arguments.get("asked_version") or ""
        settings = self._sampled(members, task_vars) if asked else {}
        questions = sample.questions(settings, asked)
        with Executors(self, task_vars) as executors:
            readings: list[t.Callable[[], t.Any]] = [
                lambda: survey.probe_hosts(members, executors),
                lambda: survey.read_balancers(arguments["balancers"], executors, bool(arguments.get("require_admin"))),
                lambda: survey.read_nodes(arguments.get("traffic_balancers") or [], {}, executors),
                lambda: executors.together(questions),
            ]
            (hosts, refused, reasons), balancers, nodes, answers = at_once(readings)
        problems = [refused] if refused else survey.unreadable(balancers)
        seen = fleet.Seen(hosts, balancers, reasons)
        if not problems and asked:
            versions = {host["name"]: host["version"] for host in hosts}
            has_artifact = any(one.of(asked)["rollout_artifact"] for one in settings.values())
            found = [
                *fleet.findings(members, seen, "" if has_artifact else asked),
                *sample.findings(settings, versions, asked, answers),
            ]
            problems = refusals(found, arguments.get("accept") or [])
        return seen, nodes, problems

    def _sampled(self, members: list[survey.Member], task_vars: dict[str, t.Any]) -> dict[str, HostSettings]:
        names = [member.name for member in members if member.in_scope]
        return {name: self._settings(name, task_vars) for name in sample.some(names)}

    def _settings(self, name: str, task_vars: dict[str, t.Any]) -> HostSettings:
        variables = variables_of(self, name, task_vars)
        return HostSettings(variables, lambda raw, overlay: evaluated(self, raw, variables, **overlay))


def _beside(hosts: t.Sequence[str], balancers: t.Sequence[Result]) -> list[str]:
    """Where load balancers are and no host of the fleet: its long steps stay in sessions of their own."""
    return [place for place in dict.fromkeys(map(place_of, balancers)) if place not in hosts]
