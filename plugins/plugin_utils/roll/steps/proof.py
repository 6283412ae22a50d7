# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is healthy and on the version meant for it."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.plugin_utils import targets
from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.calls import HostCalls
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.unit_watch import wait_with_unit

Result = t.Dict[str, t.Any]


class Proof(HostCalls):
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
        if versions.fails_on_purpose(self.target):
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
        is_known = seen["version"] is not None and (seen["revision"] is not None or not same_version)
        return bool(seen["healthy"]) and agrees and (is_known or failed.step == "before_update")

    def _seen_version(self) -> Result:
        health = self.settings.of(versions.of_target(targets.ANY))["rollout_health"]
        options = {"targets": [targets.any_version_target(health, self.name)], "timeout": 0, "fail": False}
        seen = self._probed("health_wait", options)
        releases = {what: targets.found(seen, what) for what in ("version", "revision")}
        return {"healthy": bool(seen.get("healthy")), **releases}

    def _with_unit(self, work: t.Callable[[], Result]) -> Result:
        """The unit's state in systemd ends the wait early, and explains a failure."""
        unit = self.now["rollout_unit"]
        return wait_with_unit(work, lambda lines_wanted: self._read_unit(unit, lines_wanted)) if unit else work()

    def _read_unit(self, unit: str, lines_wanted: int) -> Result | None:
        try:
            return self._on_host("unit_info", {"unit": unit, "lines": lines_wanted})
        except StepFailed:
            return None


def _fail_on_purpose() -> Result:
    raise StepFailed("health", versions.ON_PURPOSE)
