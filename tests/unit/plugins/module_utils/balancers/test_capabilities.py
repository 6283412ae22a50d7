# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every backend declares that it can do, and why it cannot do the rest."""

from __future__ import annotations

import typing as t

import pytest
from run import balancers_table

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract, registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import cluster as envoy_cluster

BACKENDS = balancers_table.backends()


def test_every_type_has_a_backend() -> None:
    assert all(row.faces for row in registry.TYPES.values())


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_what_a_backend_cannot_do_has_a_reason_and_nothing_else_has(backend: str) -> None:
    found = BACKENDS[backend]
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
