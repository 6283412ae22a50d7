# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every make declares that it can do, and why it cannot do the rest."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache import backend as apache
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import listener as aws_listener
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import route53
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import target_group as aws_target_group
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import cluster as envoy_cluster
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import routes as envoy_routes
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import backend as haproxy
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx import backend as nginx

MAKES: dict[str, type[contract.Balancer]] = {
    "apache": apache.Apache,
    "aws_listener": aws_listener.Listener,
    "aws_target_group": aws_target_group.TargetGroup,
    "envoy cluster": envoy_cluster.EnvoyCluster,
    "envoy routes": envoy_routes.EnvoyRoutes,
    "haproxy": haproxy.HAProxy,
    "nginx": nginx.NginxUpstream,
    "route53": route53.Route53,
}


@pytest.mark.parametrize("make", sorted(MAKES))
def test_what_a_make_cannot_do_has_a_reason_and_nothing_else_has(make: str) -> None:
    found = MAKES[make]
    assert sorted([*found.capabilities, *found.lacks]) == sorted(contract.ALL_CAPABILITIES)
    assert all(reason and not reason.endswith(".") for reason in found.lacks.values())


def test_a_refusal_says_why() -> None:
    cluster: t.Any = object.__new__(envoy_cluster.EnvoyCluster)
    cluster.where = "lb1 127.0.0.1:9901"
    with pytest.raises(contract.RolloutError) as caught:
        cluster.end_sessions(["app1"])
    assert caught.value.message == (
        "lb1 127.0.0.1:9901: this type of load balancer cannot end sessions: Envoy has no command that cuts single "
        "requests."
    )
