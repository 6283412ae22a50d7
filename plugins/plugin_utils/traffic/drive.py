# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves the traffic between two groups of hosts, as the ledger says, on all nodes at the same time.

The ledger says what comes next (rollout_shift); this carries it out and reports what came of it, until hosts have to be
changed, steps of the user's have to judge, or all is over.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import controller, metric_gates, survey
from ansible_collections.steady.rollout.plugins.plugin_utils.balancer_calls import error_of, node_of, on_balancer
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, Invocation, Outcome
from ansible_collections.steady.rollout.plugins.plugin_utils.survey import Member
from ansible_collections.steady.rollout.plugins.plugin_utils.traffic.ledger import TrafficLedger

Answer = t.Dict[str, t.Any]
Settings = t.Mapping[str, t.Any]
Verdict = t.Dict[str, t.Any]

OWN_ACTS = ("check", "set", "bake")
"""What is carried out here; every other act is for the hosts, or the end."""
COMPARE = (
    "requests", "rate", "seconds", "max_seconds", "warm_up", "percentile", "max_slowdown", "negligible", "max_failures",
    "min_samples",
)  # fmt: skip


@dataclasses.dataclass
class TrafficDrive:
    """*shift* is the plan's: strategy, groups, candidate, live, steps. *members* are the hosts of the fleet."""

    shift: Answer
    settings: Settings
    ledger: TrafficLedger
    executors: Executors
    members: t.Sequence[Member]
    claim: Answer
    show: t.Callable[[str], None]
    run_load: t.Callable[[str], str]
    """Runs a command on the controller and says why it failed."""
    routed_in: str = ""
    """The phase in which the testers' route was seen to last."""
    check_watch: t.Callable[[], None] = lambda: None
    """Prints a warning where the run is not watched any more."""
    before_rollback: t.Callable[[], None] = lambda: None
    """What comes before the first share and the first host are rolled back."""

    def __post_init__(self) -> None:
        self._hosts: list[Answer] = []
        self._rolls_back = False

    def begin(self, played: str) -> Answer:
        """The first question of a pass; *played* is what the hosts were brought somewhere for just before."""
        self._hosts = survey.probe_hosts(self.members, self.executors)[0]
        verdict = self._compared_at_rest() if played == "prepare" and self.shift["strategy"] == "blue_green" else {}
        return self._ask(self._read(), played=played or None, **verdict)

    def drive(self, asked: Answer) -> tuple[Answer, Verdict]:
        """Carries out what is asked until it is not for this process; with a verdict that the user's steps have to confirm."""
        while True:
            self._route_testers(asked)
            if asked["act"] not in OWN_ACTS:
                return asked, {}
            controller.leave_if_ended()
            if asked["act"] == "check":
                asked = self._check(asked)
            elif asked["act"] == "set":
                asked = self._set(asked)
            else:
                verdict = metric_gates.unless_steps_are_missing(self._bake(asked), self.settings)
                if verdict.get("verdict") in metric_gates.LETS_PASS and self.settings[metric_gates.TASKS]:
                    return asked, verdict
                asked = self._ask(self._read(), **verdict)

    def resume(self, verdict: Verdict) -> Answer:
        """The next question of a pass that steps of the user's have interrupted."""
        self._hosts = survey.probe_hosts(self.members, self.executors)[0]
        return self._ask(self._read(), **verdict)

    # Acts

    def _check(self, asked: Answer) -> Answer:
        """All or none: what one node would refuse is not begun on the others."""
        checked = self._weigh(asked["split"], check_mode=True)
        return self._ask(self._read(checked), checked=asked["split"])

    def _set(self, asked: Answer) -> Answer:
        done = self._weigh(asked["split"], check_mode=False)
        return self._ask(self._read(done))

    def _weigh(self, split: Answer, check_mode: bool) -> list[Outcome]:
        claim = {} if check_mode else {"claim": self.claim}
        return self.executors.together(
            [
                on_balancer(
                    node, "lb_weight", check_mode, shares=split, groups=node.get("groups") or self._groups, **claim
                )
                for node in self._nodes
            ]
        )

    def _bake(self, asked: Answer) -> Verdict:
        """One measurement of the step, or one stretch of its time where nothing is measured; empty while there is no verdict."""
        bake = self.shift["steps"][asked["step"]]["bake"]
        if not self.settings["rollout_metric_gate"] or not bake or not asked["share"]:
            baked = self.ledger.bake(self.settings["rollout_analysis_interval"])
            return {"verdict": "not_judged", "reason": "nothing is measured"} if baked else {}
        is_alone = asked["share"] >= 100
        metrics = metric_gates.metrics_of(self.settings, is_alone)
        baseline = [] if is_alone else self._groups[self.shift["live"]]
        counters = (
            {"counters": metric_gates.read_counters(self._nodes, self.executors)}
            if metric_gates.counts_needed(metrics)
            else {}
        )
        measured = self.ledger.measure(
            step=f"step {asked['step'] + 1}, bake {asked['number']}",
            window=str(bake),
            interval=str(self.settings["rollout_analysis_interval"]),
            metrics=metrics,
            sources=self.settings["rollout_metric_sources"],
            groups={"canary": self._groups[self.shift["candidate"]], "baseline": baseline},
            **metric_gates.policy_options(
                self.settings["rollout_metric_policy"], metric_gates.steps_judged(self.shift)
            ),
            **counters,
        )
        return metric_gates.verdict_of(measured)

    def _compared_at_rest(self) -> Verdict:
        """Of a group that is ready and has no traffic yet: the user's load, and the same requests as the live group gets."""
        command, compare = self.settings["rollout_load_command"], self.settings["rollout_compare"]
        if command:
            failure = self.run_load(command)
            if failure:
                return {"verdict": "fail", "reason": f"the load failed: {failure}"}
        if not compare:
            return {}
        health = self.settings["rollout_health"]
        options = {
            "candidate": self._urls(self.shift["candidate"]),
            "baseline": self._urls(self.shift["live"]),
            "fail_on": [],
            **{name: compare[name] for name in COMPARE if name in compare},
            **{name: health[name] for name in ("validate_certs", "ca_path") if name in health},
        }
        outcome = self.executors.together([Invocation("localhost", "http_compare", options)])[0]
        return metric_gates.verdict_of(outcome.result)

    def _route_testers(self, asked: Answer) -> None:
        """Testers meet the candidate, whatever its share, from when it is verified until it is changed again or all is over.

        Every phase sets the route again, so what failed is tried again; users do not depend on it. While traffic is
        being taken off the candidate nobody waits for a route.
        """
        route = self.settings["rollout_header_route"]
        if not route or asked["urgent"] or asked["phase"] == self.routed_in:
            return
        present = asked["phase"] in ("shifting", "baking") and asked["status"] == "open"
        options = {
            "state": "present" if present else "absent",
            "value": route["value"],
            "claim": self.claim,
            **{name: route[name] for name in ("header", "cookie") if name in route},
            **({"target": route["target"]} if present else {}),
        }
        outcomes = self.executors.together([on_balancer(node, "lb_route", **options) for node in self._nodes])
        for one in outcomes:
            if one.failed:
                self.show(f"testers' requests are not routed as configured: {error_of(one)}")
        self.routed_in = asked["phase"]

    # What is seen and reported

    @property
    def _nodes(self) -> list[Answer]:
        return list(self.settings["rollout_traffic_balancers"] or self.settings["rollout_balancers"])

    @property
    def _groups(self) -> dict[str, list[str]]:
        return {name: list(hosts.values()) for name, hosts in (self.shift.get("groups") or {}).items()}

    def _read(self, answers: t.Sequence[Outcome] = ()) -> list[Answer]:
        """What every node shows now, and what it had against the last change."""
        why = {node_of(one): error_of(one) for one in answers if one.failed}
        nodes = survey.read_nodes(self._nodes, self._groups, self.executors)
        return [{**node, "why": why.get(node["host"], "")} for node in nodes]

    def _ask(self, nodes: list[Answer], **options: t.Any) -> Answer:
        if self.settings["rollout_traffic_balancers"]:
            options["balancers"] = survey.read_balancers(self.settings["rollout_balancers"], self.executors)
        self.check_watch()
        asked = self.ledger.next_act(hosts=self._hosts, nodes=nodes, **options)
        for line in asked.get("messages") or []:
            self.show(line)
        if asked["status"] == "reverting" and not self._rolls_back:
            self._rolls_back = True
            self.before_rollback()
        return asked

    def _urls(self, group: str) -> Answer:
        """Where the hosts of a group are reached past the balancers, as http_compare takes it."""
        in_group = set(self.shift["groups"][group])
        return {
            "name": group,
            "urls": [url for member in self.members if member.name in in_group for url in member.urls],
        }
