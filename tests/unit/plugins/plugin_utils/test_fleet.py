# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils import targets
from ansible_collections.steady.rollout.plugins.plugin_utils.fleet import fleet


def looked(healthy: bool, version: str | None) -> dict[str, object]:
    return {"healthy": healthy, "targets": {"app1": {"healthy": healthy, "version": version}}}


def test_hosts_outside_the_limit_count_but_are_not_in_scope() -> None:
    hostvars = {"app1": {"rollout_zone": "a", "rollout_member": "web1"}, "app2": {}}
    assert fleet(["app1", "app2"], hostvars, ["app1"]) == [
        {"name": "app1", "zone": "a", "member": "web1", "in_scope": True, "healthy": None, "version": None},
        {"name": "app2", "zone": "", "member": "app2", "in_scope": False, "healthy": None, "version": None},
    ]


def test_a_host_is_healthy_or_not_as_of_the_version_it_answers_to_be() -> None:
    (row,) = fleet(["app1"], {"app1": {"__rollout_look": looked(False, "1.0.0")}}, ["app1"])
    assert (row["healthy"], row["version"]) == (False, "1.0.0")
    (row,) = fleet(["app1"], {"app1": {"__rollout_look": {"failed": True, "msg": "no jmespath"}}}, ["app1"])
    assert (row["healthy"], row["version"]) == (False, None)


def test_a_look_expects_nothing_of_the_version_and_no_speed() -> None:
    health = {"url": "http://app1/", "expect": "version == '2'", "version": "2", "latency": 1}
    assert targets.any_version_target(health, "app1") == {
        "url": "http://app1/", "expect": "version == '2'", "name": "app1", "version_placeholder": targets.ANY_VERSION,
    }  # fmt: skip
    assert targets.health_target(health, "app1") == {**health, "name": "app1"}
