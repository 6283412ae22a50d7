# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the AWS types offer the registry. Their code is imported when one is opened: others need not pay for it."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer

Settings = t.Dict[str, t.Any]

SESSION = {
    "region": {"type": "str"},
    "profile": {"type": "str"},
    "role_arn": {"type": "str"},
    "endpoint_url": {"type": "str"},
}
TARGET_GROUP = {
    **SESSION,
    "targets": {"type": "dict"},
    "connections_command": {"type": "list", "elements": "str"},
    "connections_quiet": {"type": "float", "default": 5.0},
}
LISTENER = {**SESSION, "target_groups": {"type": "list", "elements": "str"}}
ROUTE53 = {**SESSION, "zone": {"type": "str"}, "record_type": {"type": "str"}}


def open_target_group(settings: Settings, run_command: t.Callable[..., tuple[int, str, str]] | None = None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers import aws_target_group

    return aws_target_group.open_target_group(settings, run_command)


def open_listener(settings: Settings) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers import aws_listener

    return aws_listener.open_listener(settings)


def open_route53(settings: Settings) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers import route53

    return route53.open_route53(settings)
