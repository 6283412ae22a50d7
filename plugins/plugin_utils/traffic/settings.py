# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's settings that a shift of traffic needs."""

from __future__ import annotations

TRAFFIC_SETTINGS = (
    "rollout_balancers",
    "rollout_traffic_balancers",
    "rollout_header_route",
    "rollout_health",
    "rollout_metric_gate",
    "rollout_metrics",
    "rollout_metrics_alone",
    "rollout_metrics_compared",
    "rollout_metric_sources",
    "rollout_metric_policy",
    "rollout_analysis_interval",
    "rollout_gate_tasks",
    "rollout_load_command",
    "rollout_compare",
    "rollout_step_timeout",
    "__rollout_search_paths",
)
