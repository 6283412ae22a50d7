# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all steps of a host share: its settings, its journal, and the calls to it and to others."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located, why_missing
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.artifact import Artifacts
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import Journal, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.ledger import HostLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HostSettings, Settings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.asking import Asking

Result = t.Dict[str, t.Any]
REPORTED_STEPS = ("mark changing", "record intent", "report proven", "report reverted", "report failed", "report stuck")
"""What is a call of the ledger already, or over at once."""


@dataclasses.dataclass
class HostCalls:
    """What all steps of one host share. *planned* is the version that the plan means for it, empty where only admission can say."""

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
        self._is_fenced = False

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

    def _last(self, step: str) -> Result:
        entry = self.journal.find(step)
        return entry.result if entry else {}

    def aim_at(self, version: str | None) -> None:
        """From here on the host is on its way to *version*, which may have a revision."""
        self.target = version
        self._skipped_hooks = {
            entry.step
            for entry in self.journal.entries
            if entry.failure and (entry.failure.get("timed_out") or entry.result.get("missing"))
        }

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
