# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that the roles read results with."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import policy
from ansible_collections.steady.rollout.plugins.plugin_utils import failures, plays, targets
from ansible_collections.steady.rollout.plugins.plugin_utils.plan_content import plan_content
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import files
from ansible_collections.steady.rollout.plugins.plugin_utils.tiers.plays import hosts_of_turn
from ansible_collections.steady.rollout.plugins.plugin_utils.traffic import request as traffic_request


def seconds(given: t.Any) -> float:
    try:
        return durations.seconds("duration", given)
    except InputError as error:
        raise AnsibleFilterError(error.message) from error


def min_available(given: t.Any, fleet: int) -> int:
    try:
        return policy.amount("rollout_min_available", given).rounded_up(int(fleet))
    except InputError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    """Each filter is documented in the YAML file of its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "bakes": traffic_request.bakes,
            "failure": failures.failure,
            "failure_text": failures.failure_text,
            "hosts_of_turn": hosts_of_turn,
            "hosts_to": plays.hosts_to,
            "located": files.located,
            "min_available": min_available,
            "plan_content": plan_content,
            "search_paths": files.search_paths,
            "seconds": seconds,
            "smoke_targets": targets.smoke_targets,
            "traffic_request": traffic_request.traffic_request,
        }
