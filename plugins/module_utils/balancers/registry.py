# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The types of load balancers there are."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import makes
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.steady.rollout.plugins.module_utils.balancers.makes import RunCommand


class Row(t.NamedTuple):
    """One type: its own options beside the common ones, those it cannot do without, and how to open it."""

    arguments: dict[str, t.Any]
    required: tuple[str, ...]
    open: t.Callable[..., Balancer]
    runs_commands: bool = False
    """Whether *open* takes the Call's run_command beside the settings."""


TYPES = {
    "apache": Row(makes.APACHE, ("manager_url",), makes.open_apache, runs_commands=True),
    "aws_listener": Row(makes.LISTENER, (), makes.open_listener),
    "aws_target_group": Row(makes.TARGET_GROUP, (), makes.open_target_group, runs_commands=True),
    "envoy": Row(makes.ENVOY, ("admin",), makes.open_envoy),
    "haproxy": Row(makes.HAPROXY, ("socket",), makes.open_haproxy),
    "nginx": Row(makes.NGINX, ("upstream_file",), makes.open_nginx, runs_commands=True),
    "route53": Row(makes.ROUTE53, ("zone",), makes.open_route53),
}


def arguments() -> dict[str, t.Any]:
    """The option ``balancer`` of every module that talks to one."""
    options: dict[str, t.Any] = {
        "type": {"type": "str", "choices": sorted(TYPES), "default": "haproxy"},
        "host": {"type": "str", "default": ""},
        "pool": {"type": "str", "required": True},
        "timeout": {"type": "float", "default": 5.0},
    }
    for row in TYPES.values():
        options.update(row.arguments)
    return {
        "type": "dict",
        "required": True,
        "options": options,
        "required_if": [("type", name, row.required) for name, row in TYPES.items()],
    }


def open_balancer(settings: dict[str, t.Any], run_command: RunCommand | None = None) -> Balancer:
    """The balancer that the option describes; raises InputError where its settings cannot be right.

    *run_command* is that of the Call, for types that run programs.
    """
    row = TYPES[settings["type"]]
    return row.open(settings, run_command) if row.runs_commands else row.open(settings)
