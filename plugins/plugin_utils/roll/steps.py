# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each step of a host's rollout does. The order of the steps is in host.py."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, targets
from ansible_collections.steady.rollout.plugins.plugin_utils.metric_gates import LETS_PASS
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import hosts as preflight
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located, why_missing
from ansible_collections.steady.rollout.plugins.plugin_utils.roll import gate as gates
from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.artifact import Artifacts
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import Journal, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.ledger import HostLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.limits import longest_rollout
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.nodes import Nodes
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HostSettings, Settings
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.unit_watch import wait_with_unit
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.asking import Asking
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.consent import Consent
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.consent import of_settings as consent_of_settings

Result = t.Dict[str, t.Any]

GATE_TASKS = "gate"
RETRIED = ("release", "start", "health", "smoke", "step")
"""Kinds of failures of the host itself, which another try may mend."""
TO_END = 15.0
"""Seconds that the processes of a step that hangs have to end."""
REPORTED_STEPS = ("mark changing", "record intent", "report proven", "report reverted", "report failed", "report stuck")
"""What is a call of the ledger already, or over at once."""
NOTHING_TO_WAIT_FOR = {"state": "quiesced", "service": "-", "interrupted_run": "-", "timeout": 0}
"""A call that shows whether the host answers, and changes nothing."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What becomes of a host that failed."""

    go_back: bool
    was_changed: bool = False
    target: str | None = None


@dataclasses.dataclass
class HostSteps:
    """One host on its way. *planned* is the version that the plan means for it, empty where only admission can say."""

    name: str
    settings: HostSettings
    ledger: HostLedger
    executors: Executors
    artifacts: Artifacts
    journal: Journal
    claim: Result
    show: t.Callable[[str], None]
    planned: str = ""
    require_weight: bool = True
    timers: t.Sequence[str] = ()
    """The balancers' hosts on which a restore timer of this run is armed."""
    asking: Asking | None = None
    wall_clock: t.Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.target: str | None = self.planned or None
        self.admission: Result = {}
        self._skipped_hooks: set[str] = set()
        self._staged = ""
        self._tries = 0

    def before_step(self, step: str) -> None:
        """Nothing more is done for a run that has ended or lost its lease; everybody else sees what comes next."""
        controller.leave_if_ended()
        if self.admission.get("verdict") == "go" and step not in REPORTED_STEPS:
            self.ledger.note_step(step)

    @property
    def now(self) -> Settings:
        """The settings for the version that the host is on its way to."""
        return self.settings.of(self.shown_target)

    @property
    def shown_target(self) -> str | None:
        """What templates and tasks get as rollout_target: the revision of a drill is one of the ledger's only."""
        if not versions.is_drill(self.target):
            return self.target
        return versions.of_target(self.admission.get("previous") or {}) or self._version

    @property
    def _version(self) -> str:
        return str(versions.plain(self.target))

    @property
    def _revision(self) -> str:
        return versions.split(self.target)[1]

    # Admission

    def stage_before_admission(self) -> None:
        """Fetched and unpacked while the host serves: one that cannot be staged is never taken out of service.

        Nobody connects to a host before its turn: all at the same time would delay the first ones.
        """
        if not self.planned or not (self.now["rollout_unit"] or self.now["rollout_artifact"]):
            return
        turn = self.journal.perform("wait for turn", "coordinator", self.ledger.wait_until_due)
        if turn.get("verdict") == "stop":
            return
        if self.now["rollout_unit"]:
            self.journal.perform("check unit", "release", self._check_unit)
        if self.now["rollout_artifact"]:
            self._stage()

    def _check_unit(self) -> Result:
        unit = self._read_unit(self.now["rollout_unit"], 0)
        missing = preflight.missing_unit(self.name, self.now, unit) if unit else None
        if missing:
            raise StepFailed("release", missing)
        return {}

    def admit(self) -> str:
        """Waits for a slot, running the gates that fall to this host meanwhile; the direction to go, empty to stop."""
        while True:
            answer = self.journal.perform(
                "admit",
                "coordinator",
                self._admitted,
                lines.admitted,
            )
            if answer["verdict"] != "gate":
                break
            self.run_gate(answer["gate"])
        self.admission = answer
        if answer["verdict"] != "go":
            return ""
        self.target = versions.of_target(answer["target"])
        return str(answer["direction"])

    def _admitted(self) -> Result:
        limit = longest_rollout(self.now)
        consent = self._consent()
        return consent.admitted(limit) if consent else self.ledger.admit(limit)

    def is_objected_to(self) -> bool:
        """Asked once more after steps of the user's, such as a switchover: a host on which nothing was changed stays."""
        consent = self._consent()
        if consent is None or not self.now["rollout_before_drain_tasks"]:
            return False
        answer = self.journal.perform("consent", "coordinator", consent.confirmed)
        return bool(answer["verdict"] != "go")

    def _consent(self) -> Consent | None:
        if not self.now["rollout_veto"] or self.asking is None:
            return None
        return consent_of_settings(self.now, self.name, self.ledger, self.asking, self.show)

    def judge_last_stage(self) -> None:
        """Runs the gate of the last stage, where every host is proven and nobody waits for admission any more."""
        answer = self.journal.perform("last gate", "coordinator", self.ledger.ask_for_last_gate)
        if answer["verdict"] == "gate":
            self.run_gate(answer["gate"])

    def run_gate(self, gate: Result) -> None:
        """Measures the stage, has the user's steps judge it, and records the verdict."""
        verdict: Result = {"verdict": "pass", "reason": "nothing is measured"}
        if self.now["rollout_metrics"]:
            verdict = self.journal.perform(
                "measure stage",
                "gate",
                lambda: gates.measure(gate, self.now, self.ledger, self.executors),
                lines.verdict,
            )
        if verdict["verdict"] in LETS_PASS and self.now["rollout_gate_tasks"]:
            verdict = self._judged_by_tasks(verdict)
        self.journal.perform("judge stage", "coordinator", lambda: self.ledger.judge(gate, verdict), lines.message)

    def _judged_by_tasks(self, verdict: Result) -> Result:
        try:
            self.fence_older_runs()
            self._hook(GATE_TASKS, "rollout_gate_tasks")
        except StepFailed as failure:
            return {"verdict": "fail", "reason": failure.error}
        return {"verdict": "pass", "reason": f"the gate's steps succeeded on {self.name}"}

    # On the host

    def fence_older_runs(self) -> None:
        """From here on no change of an older run is made on the host, also where that run comes back later."""
        if self.claim:
            options = {
                "state": "fenced",
                "service": self.claim["service"],
                "ledger_id": self.claim["ledger"],
                "token": self.claim["token"],
                "coordinator": self.claim.get("coordinator"),
                "directory": self.claim.get("directory") or None,
            }
            self.journal.perform("fence", "release", lambda: self._on_host("rollout_claim", options))

    @property
    def environment(self) -> Result:
        """With it the modules of the user's steps check on the host that no later run has taken over."""
        return dict(self._last("fence").get("environment") or {})

    def wait_for_interrupted_run(self) -> None:
        """Nothing that an interrupted run started on the host may still be at work when this run changes it."""
        run = self.admission.get("interrupted_run")
        if run:
            options = {
                "state": "quiesced",
                "service": self.ledger.service,
                "interrupted_run": run,
                "timeout": self._seconds("rollout_step_timeout"),
            }
            self.journal.perform(
                "wait for interrupted run", "unreachable", lambda: self._on_host("rollout_host", options)
            )

    def stage(self) -> None:
        if self.now["rollout_artifact"]:
            if self._staged != self._version:
                self._stage()
        else:
            self.journal.perform("reach", "unreachable", lambda: self._on_host("rollout_host", NOTHING_TO_WAIT_FOR))

    def _stage(self) -> None:
        version = self._version
        self.journal.perform("stage", "release", lambda: self.artifacts.stage(self.now, version), lines.actions)
        self._staged = version

    def stage_if_missing(self) -> None:
        """The version to go back to is there as a rule; a host that has it needs no artifact."""
        if self.now["rollout_artifact"]:
            self.journal.perform(
                "stage", "release", lambda: self.artifacts.stage_if_missing(self.now, self._version), lines.actions
            )

    def record_intent(self) -> None:
        self.journal.perform("record intent", "coordinator", lambda: self.ledger.changing("update"))

    def activate_release(self) -> None:
        """Switches to the version and restarts the service, under the claim of this run on the host."""
        options = {
            "state": "active",
            "path": self.now["rollout_release_path"],
            "version": self._version,
            "shared": self.now["rollout_shared_paths"],
            "keep": self.now["rollout_keep_releases"],
            "allow_bad": self.now["rollout_allow_bad"],
            "claim": self.claim,
            **self._restart(),
        }
        self.journal.perform("activate", "release", lambda: self._on_host("release", options), lines.actions)

    def _restart(self) -> Result:
        if self.now["rollout_unit"]:
            return {"restart": self.now["rollout_unit"], "restart_timeout": self.now["rollout_step_timeout"]}
        commands = {
            "stop_command": self.now["rollout_stop_command"],
            "start_command": self.now["rollout_start_command"],
        }
        given = {name: command for name, command in commands.items() if command}
        return {**given, "restart_timeout": self.now["rollout_step_timeout"]} if given else {}

    def tries_again(self, failure: StepFailed) -> bool:
        """Whether a host that failed gets another try. What hung may still be at work, and what is lost cannot be asked."""
        last = self.journal.last_failure
        hung = bool(last and ((last.failure or {}).get("timed_out") or last.result.get("missing")))
        if hung or failure.kind not in RETRIED or self._tries >= int(self.now["rollout_retries"]):
            return False
        self._tries += 1
        told = f"{self._tries} of {self.now['rollout_retries']} (rollout_retries), after: {failure.error}"
        self.journal.perform("try again", "step", lambda: {"msg": told}, lines.message)
        return True

    def wait_until_healthy(self) -> None:
        options = {
            "targets": [targets.health_target(self.now["rollout_health"], self.name)],
            "successes": self.now["rollout_health_successes"],
            "min_healthy_time": self.now["rollout_min_healthy_time"],
            "timeout": self.now["rollout_healthy_deadline"],
            "interval": self.now["rollout_health_interval"],
        }
        self.journal.perform(
            "health", "health", lambda: self._with_unit(lambda: self._probed("health_wait", options)), lines.message
        )

    def fail_on_purpose(self) -> None:
        """In a drill, once the host is as healthy as before: what follows is what follows a bad release."""
        if versions.is_drill(self.target):
            self.journal.perform("fail", "health", _fail_on_purpose)

    def smoke_test(self) -> None:
        if not self.now["rollout_smoke_tests"]:
            return
        health = self.now["rollout_health"]
        aim = targets.smoke_targets(health, self.now["rollout_smoke_url"], self.name)
        options = {
            "requests": self.now["rollout_smoke_tests"],
            "validate_certs": health.get("validate_certs", True),
            **({"targets": aim} if aim else {}),
            **({"ca_path": health["ca_path"]} if "ca_path" in health else {}),
        }
        self.journal.perform("smoke test", "smoke", lambda: self._probed("smoke_test", options), lines.message)

    # On the load balancers

    def drain(self) -> None:
        if not self.now["rollout_balancers"]:
            return
        expected = ["in_service", "drained"] if self.admission.get("drained_by_us") else ["in_service"]
        self.journal.perform("drain", "drain", lambda: self._drain(expected, self._is_unchanged), lines.drained)

    @property
    def _is_unchanged(self) -> bool:
        """A host that an earlier run has left is known to nobody here, and one that goes back leaves a bad version."""
        return self.admission.get("direction") == "forward" and not self.admission.get("drained_by_us")

    def mark_changing(self) -> None:
        """Before the first step that could change the host: a restore timer must not put it back from here on."""
        if self.timers and self.now["rollout_balancers"]:
            self.journal.perform("mark changing", "balancer", lambda: self._nodes().mark_changing())

    def drain_again(self) -> None:
        """A host that may be back on some node is drained again before it is changed."""
        if self.now["rollout_balancers"] and self.journal.find("restore"):
            self.journal.perform("drain", "drain", lambda: self._drain(["in_service", "drained"]), lines.drained)

    def _drain(self, expected_states: list[str], restorable: bool = False) -> Result:
        timeout = self._seconds("rollout_drain_timeout")
        options = {"timeout": timeout, "on_timeout": self.now["rollout_drain_on_timeout"]}
        result = self._nodes().drain(options, expected_states, self.admission.get("guard"), timeout, restorable)
        return {**result, "out_since": self.wall_clock() - result["out_for"]}

    def put_back_in_service(self) -> None:
        if self.now["rollout_balancers"]:
            self.journal.perform("restore", "restore", self._put_back, lines.restored)

    def _put_back(self) -> Result:
        result = self._nodes().put_back(self._seconds("rollout_restore_timeout"), self.require_weight)
        return {**result, "in_rotation_at": self.wall_clock()}

    def _nodes(self) -> Nodes:
        return Nodes(self.executors, self.now["rollout_balancers"], self.now["rollout_member"], self.claim, self.timers)

    # The user's own steps

    def run_hook(self, name: str) -> bool:
        """False where there is no such task file. One that timed out or was missing on the way forward is not run on the way back."""
        path = self.now[f"rollout_{name}_tasks"]
        if path and name not in self._skipped_hooks:
            self._hook(name, f"rollout_{name}_tasks")
        return bool(path)

    def _hook(self, step: str, setting: str) -> None:
        """A task file that is not there fails its step: Ansible would drop the host from the play, drained as it is."""
        missing = why_missing(setting, self.now[setting], self.now["__rollout_search_paths"])
        if missing:
            self.journal.perform(step, "step", lambda: self._fail(missing))
        else:
            self.journal.hook(step, self._located(self.now[setting]))

    def _fail(self, missing: str) -> Result:
        raise StepFailed("step", missing, {"missing": True})

    def _located(self, path: str) -> str:
        return located(path, self.now["__rollout_search_paths"])

    # Reports

    def report_proven(self) -> None:
        self.journal.perform(
            "report proven",
            "coordinator",
            lambda: self.ledger.proven(str(self.target), self._measured()),
            lines.message,
        )

    def report_reverted(self) -> None:
        self.journal.perform(
            "report reverted",
            "coordinator",
            lambda: self.ledger.reverted(str(self.target), self._measured()),
            lines.message,
        )

    def report_stuck(self, failure: StepFailed) -> None:
        """A report that fails must not end the host's rollout: the last play names the host."""
        try:
            self.journal.perform(
                "report stuck", "coordinator", lambda: self.ledger.stuck(failure.kind, failure.error), lines.message
            )
        except StepFailed as unreported:
            self.show(f"{self.name}  not reported: {unreported.error}")

    def _end_what_hangs(self) -> None:
        """A step of the user's whose time was over may still be at work on the host: it must not change it any more."""
        failed = self.journal.last
        if failed and failed.failure and failed.failure.get("timed_out"):
            options = {"state": "quiesced", "service": self.ledger.service, "interrupted_run": self.ledger.run}
            try:
                self.journal.perform(
                    "end step",
                    "unreachable",
                    lambda: self._on_host("rollout_host", {**options, "terminate": True, "timeout": TO_END}),
                    lines.message,
                )
            except StepFailed as unended:
                self.show(f"{self.name}  {unended.error}")

    def report_failed(self, failure: StepFailed) -> Verdict:
        """The ledger's verdict or, where the coordinator cannot be reached, what is safe."""
        self._end_what_hangs()
        try:
            answer = self.journal.perform(
                "report failed", "coordinator", lambda: self.ledger.failed(failure.kind, failure.error), lines.message
            )
        except StepFailed as unreported:
            self.show(f"{self.name}  not reported: {unreported.error}")
            return self._safe_verdict(failure)
        if failure.kind == "drained_externally":
            return Verdict(go_back=False)
        return Verdict(bool(answer["go_back"]), bool(answer["was_changed"]), versions.of_target(answer["target"]))

    def _safe_verdict(self, failure: StepFailed) -> Verdict:
        """A host on which nothing was changed returns as it was; one that may have been changed is left as it is."""
        intent = self.journal.find("record intent")
        previous = versions.of_target(self.admission.get("previous") or {})
        untouched = intent is None or intent.failure is not None
        may_return = self.admission.get("verdict") == "go" and failure.kind != "drained_externally"
        return Verdict(may_return and untouched and bool(previous), False, previous)

    def aim_at(self, version: str | None) -> None:
        """From here on the host is on its way to *version*, which may have a revision."""
        self.target = version
        self._skipped_hooks = {
            entry.step
            for entry in self.journal.entries
            if entry.failure and (entry.failure.get("timed_out") or entry.result.get("missing"))
        }

    def serves_target_again(self) -> bool:
        """Whether the host never left the version to go back to: its own hook failed before anything was changed.

        Running the same hook once more would fail, or hang, once more, and keep a healthy host out of service.
        """
        failed = self.journal.last_failure
        if failed is None or failed.step not in ("before_update", "update"):
            return False
        seen = self.journal.perform("probe version", "health", self._seen_version)
        agrees = seen["version"] in (None, self._version) and seen["revision"] in (None, self._revision)
        left_for = versions.of_target(self.admission.get("target") or {})
        same_version = versions.plain(left_for) == self._version and left_for != self.target
        is_told = seen["version"] is not None and (seen["revision"] is not None or not same_version)
        return bool(seen["healthy"]) and agrees and (is_told or failed.step == "before_update")

    def _seen_version(self) -> Result:
        health = self.settings.of(versions.of_target(targets.ANY))["rollout_health"]
        options = {"targets": [targets.any_version_target(health, self.name)], "timeout": 0, "fail": False}
        seen = self._probed("health_wait", options)
        told = {what: targets.found(seen, what) for what in ("version", "revision")}
        return {"healthy": bool(seen.get("healthy")), **told}

    def _measured(self) -> Result:
        """How long the host was drained, and how long users did without it, in seconds."""
        drained, restored = self._last("drain"), self._last("restore")
        measured: Result = {}
        if "drained_for" in drained:
            measured["drained_for"] = drained["drained_for"]
        if "out_since" in drained and "in_rotation_at" in restored:
            measured["out_for"] = round(restored["in_rotation_at"] - drained["out_since"], 3)
        return measured

    def _last(self, step: str) -> Result:
        entry = self.journal.find(step)
        return entry.result if entry else {}

    # Calls

    def _seconds(self, setting: str) -> float:
        return durations.seconds(setting, self.now[setting])

    def _on_host(self, module: str, options: Result) -> Result:
        return self._called(self.name, module, options)

    def _probed(self, module: str, options: Result) -> Result:
        """From where health is probed: the controller, the host itself, or a host that is named."""
        place = {"controller": "localhost", "host": self.name}
        probes_from = str(self.now["rollout_health_from"])
        return self._called(place.get(probes_from, probes_from), module, options)

    def _called(self, place: str, module: str, options: Result) -> Result:
        try:
            result = self.executors.on(place).call(module, options)
        except Unreachable as error:
            raise StepFailed("unreachable", error.message) from None
        if result.get("failed"):
            raise StepFailed(str(result.get("kind") or ""), str(result.get("msg")), result)
        return result

    def _with_unit(self, work: t.Callable[[], Result]) -> Result:
        """What systemd knows of the unit ends the wait early, and explains a failure."""
        unit = self.now["rollout_unit"]
        return wait_with_unit(work, lambda lines_wanted: self._read_unit(unit, lines_wanted)) if unit else work()

    def _read_unit(self, unit: str, lines_wanted: int) -> Result | None:
        try:
            return self._on_host("unit_info", {"unit": unit, "lines": lines_wanted})
        except StepFailed:
            return None


def _fail_on_purpose() -> Result:
    raise StepFailed("health", versions.ON_PURPOSE)
