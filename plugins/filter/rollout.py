# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that the roles read results with."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils import (
    failures,
    fleet,
    preflight,
    shifts,
    stage_metrics,
    targets,
    way,
)


def seconds(given: t.Any) -> float:
    try:
        return durations.seconds("duration", given)
    except InputError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    """Each filter is documented in the YAML file of its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "balancers_seen": failures.balancers_seen,
            "any_version_target": targets.any_version_target,
            "changed_on": failures.changed_on,
            "failure": failures.failure,
            "failure_text": failures.failure_text,
            "fleet": fleet.fleet,
            "forbidden_steps": preflight.forbidden_steps,
            "foreign_on": failures.foreign_on,
            "health_target": targets.health_target,
            "located": preflight.located,
            "no_look": failures.no_look,
            "bakes": shifts.bakes,
            "longest_wait": failures.longest_wait,
            "members_out": failures.members_out,
            "longest_way": way.longest_way,
            "seconds": seconds,
            "settings_errors": preflight.settings_errors,
            "silent_balancers": failures.silent_balancers,
            "smoke_targets": targets.smoke_targets,
            "tasks_of_answer": way.tasks_of_answer,
            "version_seen": targets.version_seen,
            "way_back": way.way_back,
            "way_home": way.way_home,
            "way_forward": way.way_forward,
            "way_of_recovery": way.way_of_recovery,
            "way_out": way.way_out,
            "members_of": shifts.members_of,
            "nodes_seen": shifts.nodes_seen,
            "stretches_needed": shifts.stretches_needed,
            "counts_needed": shifts.counts_needed,
            "polls_needed": stage_metrics.polls_needed,
            "results_of": shifts.results_of,
            "urls_of": shifts.urls_of,
            "verdict_of": shifts.verdict_of,
            "share_of": shifts.share_of,
            "shift_wish": shifts.shift_wish,
        }
