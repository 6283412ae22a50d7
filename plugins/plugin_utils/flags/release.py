# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases a feature by its flag: carries out what the ledger says comes next, and reports what came of it.

The ledger decides (rollout_flag_release). This ends when all is over, or when steps of the user's have to judge.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Share
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, metric_gates
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import JudgedSteps
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.release_settings import ReleaseRequest
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Invocation, Outcome

Answer = t.Dict[str, t.Any]
Verdict = t.Dict[str, t.Any]
Settings = t.Mapping[str, t.Any]

ON, OFF = "on", "off"
SEEN = ("state", "percent", "segments", "reason")
PAUSE = 1.0
"""Seconds before the flag is turned off once more where that has failed."""


class FlagPlaces:
    """The flag at every host that the module runs on for it. *together* makes calls on hosts at the same time."""

    def __init__(
        self, request: ReleaseRequest, together: t.Callable[[t.Sequence[Invocation]], t.Sequence[Outcome]]
    ) -> None:
        self._flag = request.flag
        self._request = request
        self._together = together

    def read(self, changed: t.Sequence[Outcome] = ()) -> list[Answer]:
        """As each place shows it now, with what it had against the last change."""
        options = {"system": self._flag.system, "names": [self._flag.name]}
        outcomes = self._together([Invocation(host, "feature_flag_info", options) for host in self._flag.hosts])
        against = {one.invocation.host: str(one.result.get("msg")) for one in changed if one.failed}
        return [self._reading(one, against.get(one.invocation.host, "")) for one in outcomes]

    def _reading(self, one: Outcome, against: str) -> Answer:
        if one.failed:
            return {"where": one.invocation.host, "why": str(one.result.get("msg"))}
        found = one.result["flags"][self._flag.name]
        seen = {name: found[name] for name in SEEN if found.get(name) is not None}
        return {"where": one.invocation.host, **seen, "why": against}

    def set(self, share: Share, check_mode: bool = False) -> list[Outcome]:
        options = {**self._flag.options(ON, waits=True), **self._request.options(share)}
        return self._change(options, check_mode)

    def off(self) -> list[Outcome]:
        """At once: nobody waits until instances have seen it."""
        return self._change(self._flag.options(OFF, waits=False), check_mode=False)

    def _change(self, options: Answer, check_mode: bool) -> list[Outcome]:
        calls = [Invocation(host, "feature_flag", options, check_mode=check_mode) for host in self._flag.hosts]
        return list(self._together(calls))


@dataclasses.dataclass
class ReleaseDrive:
    """*members* are the names of the hosts in their pools; *counters* reads what the load balancers count."""

    request: ReleaseRequest
    places: FlagPlaces
    settings: Settings
    ledger: JudgedSteps
    members: t.Sequence[str]
    counters: t.Callable[[], list[Answer]]
    show: t.Callable[[str], None]
    check_watch: t.Callable[[], None] = lambda: None
    sleep: t.Callable[[float], None] = time.sleep

    def begin(self) -> Answer:
        return self._ask(self.places.read())

    def resume(self, verdict: Verdict) -> Answer:
        """The next question after steps of the user's have judged."""
        return self._ask(self.places.read(), **verdict)

    def drive(self, asked: Answer) -> tuple[Answer, Verdict]:
        """Carries out what is asked until it is not for this process; with a verdict that the user's steps have to confirm."""
        failed_before = False
        while asked["act"] != "over":
            controller.leave_if_ended()
            if asked["act"] == "bake":
                verdict = metric_gates.unless_steps_are_missing(self._bake(asked), self.settings)
                if verdict.get("verdict") in metric_gates.LETS_PASS and self.settings[metric_gates.TASKS]:
                    return asked, verdict
                asked = self._ask(self.places.read(), **verdict)
                continue
            changed = self._changed(asked, failed_before)
            failed_before = any(one.failed for one in changed)
            asked = self._ask(self.places.read(changed))
        return asked, {}

    def _changed(self, asked: Answer, failed_before: bool) -> list[Outcome]:
        if asked["act"] == "set":
            return self.places.set(Share(asked["percent"], tuple(asked.get("segments") or ())))
        if asked["act"] != "off":
            return []
        if failed_before:
            self.sleep(PAUSE)
        return self.places.off()

    def _bake(self, asked: Answer) -> Verdict:
        """One measurement of the step, or one stretch of its time where nothing is measured; empty while there is no verdict."""
        request, step = self.request, self.request.steps[asked["step"]]
        if not request.metrics or not step.bake:
            baked = self.ledger.bake(self.settings["rollout_analysis_interval"])
            return {"verdict": "not_judged", "reason": "nothing is measured"} if baked else {}
        counters = {"counters": self.counters()} if metric_gates.counts_needed(request.metrics) else {}
        measured = self.ledger.measure(
            step=f"flag {request.flag.name}, step {asked['step'] + 1}",
            window=str(step.bake),
            interval=str(self.settings["rollout_analysis_interval"]),
            metrics=list(request.metrics),
            sources=self.settings["rollout_metric_sources"],
            groups=request.groups(step.percent, self.members),
            **metric_gates.policy_options(
                self.settings["rollout_metric_policy"], sum(1 for one in request.steps if one.bake)
            ),
            **counters,
        )
        return metric_gates.verdict_of(measured)

    def _ask(self, found: list[Answer], **options: t.Any) -> Answer:
        self.check_watch()
        asked = self.ledger.next_act(found=found, **options)
        for line in asked.get("messages") or []:
            self.show(line)
        return asked
