# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The types of load balancers there are: one row each, and everything else is made from the rows.

That is the argument spec, the documentation of the option, README.md's table, and the suites that every type passes.
A type's code is imported where one is opened, by name: what is imported here is shipped to a host and compiled there
each time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations, typed_options
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache import options as apache_options
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import options as aws_options
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import options as envoy_options
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import options as haproxy_options
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx import options as nginx_options
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

Settings = t.Dict[str, t.Any]
RunCommand = t.Callable[..., t.Tuple[int, str, str]]


class Row(t.NamedTuple):
    """One type."""

    faces: dict[str, str]
    """Title in README.md and class ('module:Class' in this package) of each kind of pool that the type has."""
    pool: str
    """What its pools are, for the documentation."""
    options: Options
    """Beside the common ones. Types may share one; its documentation is then that of all."""
    required: tuple[str, ...]
    open: t.Callable[[Settings, RunCommand | None], Balancer]
    """Raises InputError where the settings cannot be right; connects to nothing yet."""


def _apache(settings: Settings, run_command: RunCommand | None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache import backend

    return backend.open_apache(settings, run_command)


def _aws_listener(settings: Settings, run_command: RunCommand | None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import listener

    return listener.open_listener(settings)


def _aws_target_group(settings: Settings, run_command: RunCommand | None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import target_group

    return target_group.open_target_group(settings, run_command)


def _envoy(settings: Settings, run_command: RunCommand | None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import backend

    return backend.open_envoy(settings)


def _haproxy(settings: Settings, run_command: RunCommand | None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import backend

    return backend.open_haproxy(settings)


def _nginx(settings: Settings, run_command: RunCommand | None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx import backend

    if run_command is None:
        raise InputError("balancer.type: nginx cannot be reloaded from here, where no program may be run.")
    return backend.open_nginx(settings, run_command)


def _route53(settings: Settings, run_command: RunCommand | None) -> Balancer:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import route53

    return route53.open_route53(settings)


TYPES = {
    "haproxy": Row(
        {"HAProxy": "haproxy.backend:HAProxy"}, haproxy_options.POOL, haproxy_options.OPTIONS, ("socket",), _haproxy
    ),
    "nginx": Row(
        {"nginx": "nginx.backend:NginxUpstream"}, nginx_options.POOL, nginx_options.OPTIONS, ("upstream_file",), _nginx
    ),
    "apache": Row(
        {"Apache": "apache.backend:Apache"}, apache_options.POOL, apache_options.OPTIONS, ("manager_url",), _apache
    ),
    "envoy": Row(
        {
            "Envoy, a cluster's members": "envoy.cluster:EnvoyCluster",
            "Envoy, a route's clusters": "envoy.routes:EnvoyRoutes",
        },
        envoy_options.POOL,
        envoy_options.OPTIONS,
        ("admin",),
        _envoy,
    ),
    "aws_target_group": Row(
        {"AWS target group": "aws.target_group:TargetGroup"},
        aws_options.TARGET_GROUP_POOL,
        aws_options.TARGET_GROUP,
        (),
        _aws_target_group,
    ),
    "aws_listener": Row(
        {"AWS listener or rule": "aws.listener:Listener"},
        aws_options.LISTENER_POOL,
        aws_options.LISTENER,
        (),
        _aws_listener,
    ),
    "route53": Row(
        {"Route 53": "aws.route53:Route53"}, aws_options.ROUTE53_POOL, aws_options.ROUTE53, ("zone",), _route53
    ),
}


def options() -> Options:
    """All options of a balancer, those of every type together."""
    common = {
        "type": option("The type of the load balancer.", choices=sorted(TYPES), default="haproxy"),
        "host": option(
            "The node's name, for messages only. The module connects from the host where it runs.", default=""
        ),
        "pool": option("The pool.", *(row.pool for row in TYPES.values()), required=True),
        "request_log": option(
            "Where the load balancer logs single requests: for V(haproxy) the name of a C(ring) in its memory, for V(nginx), "
            "V(apache) and V(envoy) an access log of JSON lines. README.md shows the configuration.",
            "With it M(steady.rollout.metric_gate) compares latencies by kind of request, pages with pages and downloads with "
            "downloads. Without it, what is slower among requests that take longer anyway is not seen.",
        ),
        "timeout": option("Seconds that the node may take for one answer.", type="str", default="5"),
    }
    return typed_options.of_all_types("balancer", common, TYPES)


def arguments() -> dict[str, t.Any]:
    """The option ``balancer`` of every module that talks to one."""
    return typed_options.argument(options(), TYPES)


DURATIONS = ("timeout", "connections_quiet")


def _time(name: str, given: t.Any) -> float:
    where = f"balancer.{name}"
    return durations.positive(where, given) if name == "timeout" else durations.seconds(where, given)


def open_balancer(settings: Settings, run_command: RunCommand | None = None) -> Balancer:
    """The balancer that the option describes; raises InputError where its settings cannot be right.

    *run_command* is that of the Call, for types that run programs.
    """
    times = {name: _time(name, settings[name]) for name in DURATIONS if settings.get(name) is not None}
    return TYPES[settings["type"]].open({**settings, **times}, run_command)
