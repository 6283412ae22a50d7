# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from support.scripted_executors import ScriptedExecutors

from ansible_collections.steady.rollout.plugins.modules import rollout, rollout_shift
from ansible_collections.steady.rollout.plugins.plugin_utils import survey
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable

HEALTH = {"url": "http://{{ ansible_host }}/health"}
BALANCERS = [
    {"host": "lb1", "type": "haproxy", "socket": "/run/haproxy.sock", "groups": {"blue": ["app1"]}},
    {"type": "haproxy", "socket": "/run/other.sock"},
]
POOL = {"app1": {"admin": "in_service", "in_rotation": True}, "app2": {"admin": "drained", "in_rotation": False}}


def member(name: str, probed_from: str = "controller", in_scope: bool = True) -> survey.Member:
    return survey.Member(name, "a", f"{name}-member", in_scope, HEALTH, probed_from)


def seen(*names: str, healthy: bool = True) -> dict[str, t.Any]:
    last = {"reason": "" if healthy else "status 503"}
    return {"targets": {name: {"healthy": healthy, "version": 2.0, "revision": None, "last": last} for name in names}}


def test_hosts_that_are_probed_from_one_place_are_probed_in_one_call() -> None:
    executors = ScriptedExecutors(lambda host, module, given: seen(*(target["name"] for target in given["targets"])))
    members = [member("app1"), member("app2"), member("app3", "host"), member("app4", "probe1")]
    rows, refused, dummy = survey.probe_hosts(members, executors)  # type: ignore[arg-type]

    assert [(host, [one["name"] for one in given["targets"]]) for host, given in executors.done("health_wait")] == [
        ("localhost", ["app1", "app2"]),
        ("app3", ["app3"]),
        ("probe1", ["app4"]),
    ]
    assert rows[0] == {
        "name": "app1",
        "zone": "a",
        "member": "app1-member",
        "in_scope": True,
        "healthy": True,
        "version": "2.0",
        "revision": None,
        "outdated": None,
        "may_be_added": False,
    }
    assert refused == ""


def test_hosts_out_of_scope_are_not_probed_and_nothing_is_known_of_them() -> None:
    executors = ScriptedExecutors()
    rows, *dummy = survey.probe_hosts([member("app1", in_scope=False)], executors)  # type: ignore[arg-type]
    assert executors.calls == []
    assert (rows[0]["healthy"], rows[0]["version"]) == (None, None)


def test_one_place_that_cannot_probe_makes_its_hosts_unhealthy_and_refuses_nothing() -> None:
    def answer(host: str, module: str, given: dict[str, t.Any]) -> t.Any:
        return Unreachable("app2", "", "app2 cannot be reached over ssh.") if host == "app2" else seen("app1")

    rows, refused, dummy = survey.probe_hosts([member("app1"), member("app2", "host")], ScriptedExecutors(answer))  # type: ignore[arg-type]
    assert [row["healthy"] for row in rows] == [True, False]
    assert refused == ""


def test_where_no_host_can_be_probed_the_reason_is_given() -> None:
    failing = ScriptedExecutors(lambda host, module, given: {"failed": True, "msg": "url: there is none."})
    assert survey.probe_hosts([member("app1")], failing)[1] == "url: there is none."  # type: ignore[arg-type]


def test_the_watch_learns_why_a_host_is_not_healthy() -> None:
    executors = ScriptedExecutors(lambda host, module, given: seen("app1", healthy=False))
    assert survey.probe_health([member("app1")], executors) == [  # type: ignore[arg-type]
        {"name": "app1", "healthy": False, "version": 2.0, "revision": None, "why": "status 503"}
    ]


@pytest.mark.parametrize("module", [rollout, rollout_shift])
def test_what_a_survey_says_of_a_host_was_refused_by_the_shift(module: t.Any) -> None:
    executors = ScriptedExecutors(lambda host, module, given: seen("app1"))
    ((row,), *dummy) = survey.probe_hosts([member("app1")], executors)  # type: ignore[arg-type]
    assert set(row) == set(module.HOSTS)


def test_every_balancer_is_read_where_it_is() -> None:
    executors = ScriptedExecutors(lambda host, module, given: {"members": POOL})
    rows = survey.read_balancers(BALANCERS, executors, require_admin=True)  # type: ignore[arg-type]
    assert rows == [{"host": "lb1", "members": POOL}, {"host": "/run/other.sock", "members": POOL}]
    assert [host for host, dummy in executors.done("lb_member_info")] == ["lb1", "localhost"]
    assert executors.calls[0][2] == {
        "balancer": {"host": "lb1", "type": "haproxy", "socket": "/run/haproxy.sock"},
        "require_admin": True,
    }


def test_a_balancer_that_cannot_be_read_is_named_with_the_reason() -> None:
    def answer(host: str, module: str, given: dict[str, t.Any]) -> t.Any:
        return Unreachable("lb1", "", "lb1 cannot be reached over ssh.") if host == "lb1" else {"members": POOL}

    rows = survey.read_balancers(BALANCERS, ScriptedExecutors(answer))  # type: ignore[arg-type]
    assert rows[0] == {"host": "lb1", "members": {}, "unreachable": "lb1 cannot be reached over ssh."}
    assert survey.unreadable(rows) == ["Balancer lb1 cannot be used: lb1 cannot be reached over ssh."]
    assert survey.out_of_rotation(rows) == "Out of rotation now: app2 (drained) on /run/other.sock."


def test_a_node_that_splits_traffic_has_groups_of_its_own_or_those_of_all() -> None:
    executors = ScriptedExecutors(lambda host, module, given: {"members": POOL})
    rows = survey.read_nodes(BALANCERS, {"green": ["app2"]}, executors)  # type: ignore[arg-type]
    assert [row["groups"] for row in rows] == [{"blue": ["app1"]}, {"green": ["app2"]}]
