# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's settings for one host, evaluated once for each version that it is to run."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions

Settings = t.Dict[str, t.Any]

HOOKS = ("before_drain", "after_drain", "before_update", "update", "after_update", "before_restore", "after_restore")
STEP_SETTINGS = (
    "rollout_artifact",
    "rollout_artifact_checksum",
    "rollout_release_path",
    "rollout_shared_paths",
    "rollout_keep_releases",
    "rollout_unit",
    "rollout_start_command",
    "rollout_stop_command",
    "rollout_allow_bad",
    "rollout_balancers",
    "rollout_member",
    "rollout_add_members",
    "rollout_member_address",
    "rollout_health",
    "rollout_health_from",
    "rollout_health_successes",
    "rollout_health_interval",
    "rollout_min_healthy_time",
    "rollout_healthy_deadline",
    "rollout_smoke_tests",
    "rollout_smoke_url",
    "rollout_drain_timeout",
    "rollout_drain_on_timeout",
    "rollout_restore_timeout",
    "rollout_step_timeout",
    "rollout_retries",
    "rollout_veto",
    "rollout_veto_wait",
    "rollout_veto_poll",
    "rollout_gate_tasks",
    "rollout_metrics",
    "rollout_metric_sources",
    "rollout_metric_policy",
    "rollout_metric_window",
    "rollout_stages",
    "rollout_analysis_interval",
    "__rollout_search_paths",
    *(f"rollout_{name}_tasks" for name in HOOKS),
)


class HostSettings:
    """*template* evaluates a structure with the given variables on top of those of the task."""

    def __init__(
        self, variables: t.Mapping[str, t.Any], template: t.Callable[[t.Any, t.Mapping[str, t.Any]], t.Any]
    ) -> None:
        self._raw = {name: variables[name] for name in STEP_SETTINGS if name in variables}
        self._template = template
        self._evaluated: dict[str | None, Settings] = {}

    def of(self, version: str | None) -> Settings:
        """All settings, with rollout_target as *version*, which may have a revision."""
        if version not in self._evaluated:
            known, revision = versions.split(version)
            overlay = {"rollout_target": {"version": known or "", "revision": revision}}
            self._evaluated[version] = self._template(self._raw, overlay)
        return self._evaluated[version]
