# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What each type takes, and how it is opened.

A type's code is imported where one is opened: a module on a host compiles all that it imports, each time, and those
of other makes need not pay for boto3.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import routing
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer

RunCommand = t.Callable[..., t.Tuple[int, str, str]]
Settings = t.Dict[str, t.Any]

APACHE = {
    "manager_url": {"type": "str"},
    "manager_user": {"type": "str", "default": ""},
    "manager_password": {"type": "str", "no_log": True},
    "status_url": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "pid_file": {"type": "path"},
    **routing.ARGUMENTS,
}
ENVOY = {
    "admin": {"type": "str"},
    "eds_file": {"type": "path"},
    "rds_file": {"type": "path"},
}
HAPROXY = {
    "socket": {"type": "str"},
    "master_socket": {"type": "str"},
    "state_file": {"type": "path"},
    **routing.ARGUMENTS,
}
NGINX = {
    "upstream_file": {"type": "path"},
    "pid_file": {"type": "path"},
    **routing.ARGUMENTS,
}
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


def open_apache(settings: Settings, run_command: RunCommand | None = None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache import backend as apache

    return apache.open_apache(settings, run_command)


def open_envoy(settings: Settings) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import backend as envoy

    return envoy.open_envoy(settings)


def open_haproxy(settings: Settings) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import backend as haproxy

    return haproxy.open_haproxy(settings)


def open_nginx(settings: Settings, run_command: RunCommand) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx import backend as nginx

    return nginx.open_nginx(settings, run_command)


def open_target_group(settings: Settings, run_command: RunCommand | None = None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import target_group as aws_target_group

    return aws_target_group.open_target_group(settings, run_command)


def open_listener(settings: Settings) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import listener as aws_listener

    return aws_listener.open_listener(settings)


def open_route53(settings: Settings) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import route53

    return route53.open_route53(settings)
