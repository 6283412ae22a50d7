# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts, other writers, rejected files and Envoy's own ideas about too few healthy members."""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import shutil
import tempfile
import typing as t

import pytest
from support.envoy import Node
from support.haproxy import Client, fetch, shut_port, wait_until

NOBODY = 65534
NO_PANIC = {"common_lb_config": {"healthy_panic_threshold": {"value": 0}}}


def test_a_hot_restart_in_the_middle_of_a_drain(node: Node, balancer: t.Any, slow: t.Any) -> None:
    held = slow(node, "app1", seconds=3)
    with concurrent.futures.ThreadPoolExecutor(1) as pool, Client(node) as client:
        drain = pool.submit(balancer.put, "app1", state="drained", timeout=30)
        wait_until(lambda: node.health()["app1"] == "DRAINING", "app1 is marked")
        node.reload()
        assert not drain.done()
        outcome = drain.result(60)
    assert (outcome.error, outcome["members"]["app1"]["outcome"]) == ("", "reached")
    assert held.finish() == {200}
    assert node.health()["app1"] == "DRAINING"
    assert client.failures == []


def test_requests_of_the_process_before_a_hot_restart_are_waited_for(node: Node, balancer: t.Any, slow: t.Any) -> None:
    held = slow(node, "app1", seconds=4)
    node.reload()
    wait_until(lambda: (node.figure("server.parent_connections") or 0) > 0, "the old process is seen")
    info = balancer.info()
    assert info["members"]["app1"]["sessions"] == 0
    assert info["members"]["app1"]["old_sessions"] >= 1
    assert info["notes"][0].startswith("A hot restart left a process behind.")
    outcome = balancer.put("app1", state="drained", timeout=30)
    assert held.finish() == {200}
    assert (outcome.error, outcome["members"]["app1"]["old_sessions"]) == ("", 0)
    assert outcome["members"]["app1"]["sessions_at_start"] >= 1


def test_drains_and_weights_survive_a_cold_restart(node: Node, balancer: t.Any) -> None:
    balancer.put("app1", state="drained")
    balancer.weigh({"app1": 0, "app2": 40, "app3": 60})
    node.restart()
    seen = balancer.info()["members"]
    assert (seen["app1"]["admin"], seen["app1"]["weight"], seen["app1"]["in_rotation"]) == ("drained", 0, False)
    assert seen["app2"]["weight"] * 60 == seen["app3"]["weight"] * 40


def drain(settings: dict[str, t.Any], state_home: str, member: str) -> str:
    """One change from a process of its own; returns its error."""
    from support.cores import call_core

    from ansible_collections.steady.rollout.plugins.module_utils import claims
    from ansible_collections.steady.rollout.plugins.modules import lb_member

    # Without the pool's lock, so that the file's own is what keeps the changes apart.
    claims.claims_directory = lambda: f"{state_home}/{member}"  # type: ignore[attr-defined]
    return call_core(lb_member, balancer=settings, members=[member], state="drained", wait=False).error


def test_fifty_changes_at_once_and_none_is_lost(start: t.Any, make_balancer: t.Any, tmp_path: pathlib.Path) -> None:
    node = start(members=51, cluster=NO_PANIC)
    settings = make_balancer(node).settings
    names = [f"app{number}" for number in range(1, 51)]
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        out = pool.starmap(drain, [(settings, str(tmp_path), name) for name in names])
    assert set(out) == {""}
    assert {name for name, health in node.health().items() if health == "DRAINING"} == set(names)


def test_the_cluster_may_merge_updates(start: t.Any, make_balancer: t.Any) -> None:
    window = {"common_lb_config": {"update_merge_window": "1s"}}
    node = start(members=4, cluster=window)
    balancer = make_balancer(node)
    for member in ("app1", "app2"):
        assert balancer.put(member, state="drained").error == ""
        assert member not in {fetch(node.port)[1] for dummy in range(20)}
    assert balancer.put("app1", state="in_service").error == ""
    assert "app1" in {fetch(node.port)[1] for dummy in range(20)}
    balancer.weigh({"app1": 100, "app3": 0, "app4": 0})
    assert {fetch(node.port)[1] for dummy in range(20)} == {"app1"}


def test_too_few_healthy_members_is_refused(node: Node, balancer: t.Any) -> None:
    before = node.eds_file().read_text()
    outcome = balancer.put("app1", "app2", state="maintenance")
    assert outcome.error == (
        f"lb1 127.0.0.1:{node.admin_port}: refused to take 'app1', 'app2' out of pool 'shop': too few members would be "
        "healthy, so that Envoy would send traffic to all of them, drained or not (its healthy_panic_threshold is 50%; 0 "
        "in the cluster's common_lb_config ends that). In rotation now: 'app1', 'app2', 'app3'. Nothing was changed; "
        "return other members to service first."
    )
    assert balancer.put("app1", "app2", state="maintenance", check_mode=True).error == outcome.error
    assert (outcome["refused"], outcome["changed"], outcome["restore"]) == (True, False, {"states": {}})
    assert node.eds_file().read_text() == before


def test_without_panic_an_outage_can_be_had(start: t.Any, make_balancer: t.Any) -> None:
    node = start(cluster=NO_PANIC)
    balancer = make_balancer(node)
    outcome = balancer.put("app1", "app2", "app3", state="drained", guard={"allow_outage": True})
    assert outcome.error == ""
    assert fetch(node.port)[0] == 503


def test_a_rejected_file_is_restored(node: Node, balancer: t.Any) -> None:
    document = node.document()
    document["resources"][0]["endpoints"][0]["lb_endpoints"][2]["load_balancing_weight"] = 0
    node.write(node.eds_file(), document)
    wait_until(lambda: node.figure("cluster.shop.update_rejected") == 1, "Envoy rejected the operator's file")
    theirs = node.eds_file().read_text()
    outcome = balancer.put("app1", state="drained")
    assert outcome.error == (
        f"lb1 127.0.0.1:{node.admin_port}: Envoy rejected the new {node.eds_file()}; the old one is restored. "
        "Its log says why, in a line with 'rejected' or 'failure'."
    )
    assert outcome["changed"] is False
    assert node.eds_file().read_text() == theirs
    assert set(node.health().values()) == {"HEALTHY"}


def test_a_file_that_envoy_does_not_read(node: Node, make_balancer: t.Any, tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "shop.json"
    shutil.copy(node.eds_file(), copy)
    before = copy.read_text()
    outcome = make_balancer(node, eds_file=str(copy), timeout=0.5).put("app1", state="drained")
    assert f"Envoy did not load the new {copy} within 0.5 s; the old one is restored." in outcome.error
    assert (outcome["changed"], copy.read_text()) == (False, before)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("version_info: 1\n", "it is not JSON"),
        ("{}", "a DiscoveryResponse with exactly one ClusterLoadAssignment under 'resources' is expected"),
        (
            json.dumps({"resources": [{"@type": "x.RouteConfiguration"}]}),
            "its resource is no ClusterLoadAssignment with 'endpoints' (found @type 'x.RouteConfiguration')",
        ),
    ],
)
def test_a_file_that_is_something_else(node: Node, balancer: t.Any, content: str, message: str) -> None:
    node.eds_file().write_text(content)
    outcome = balancer.put("app1", state="drained")
    assert f"{node.eds_file()} is not the endpoints of one cluster: {message}" in outcome.error
    assert node.eds_file().read_text() == content


def test_a_pool_that_does_not_exist(node: Node, make_balancer: t.Any) -> None:
    outcome = make_balancer(node, pool="sho").put("app1", state="drained")
    assert outcome.error == f"lb1 127.0.0.1:{node.admin_port}: no pool 'sho'; its pools are 'shop'."


def test_an_unknown_member(node: Node, balancer: t.Any) -> None:
    outcome = balancer.put("app1", "app11", state="drained")
    assert "pool 'shop' has no member 'app11'; it has 'app1', 'app2', 'app3'." in outcome.error
    assert set(node.health().values()) == {"HEALTHY"}


def test_nobody_answers(node: Node, make_balancer: t.Any) -> None:
    port = shut_port()
    outcome = make_balancer(node, admin=f"127.0.0.1:{port}").put("app1", state="drained")
    assert outcome.error == (
        f"lb1 127.0.0.1:{port}: connection refused: nothing listens there. Is Envoy running, with an 'admin' section?"
    )


def test_the_interface_on_a_unix_socket(start: t.Any, make_balancer: t.Any) -> None:
    node = start(admin_on_socket=True)
    outcome = make_balancer(node, admin=str(node.admin_socket)).put("app1", state="drained")
    assert (outcome.error, node.health()["app1"]) == ("", "DRAINING")


def as_nobody(settings: dict[str, t.Any]) -> str:
    from support.cores import call_core

    from ansible_collections.steady.rollout.plugins.modules import lb_member_info

    os.setgid(NOBODY)
    os.setuid(NOBODY)
    return call_core(lb_member_info, balancer=settings, require_admin=True).error


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_directory_that_may_not_be_written(node: Node, make_balancer: t.Any) -> None:
    settings = make_balancer(node).settings
    for directory in [node.directory, *node.directory.parents]:
        if directory.is_relative_to(tempfile.gettempdir()) and directory != pathlib.Path(tempfile.gettempdir()):
            directory.chmod(0o755)
    os.chown(node.eds_file(), NOBODY, NOBODY)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        message = pool.apply(as_nobody, (settings,))
    assert message == (
        f"lb1 127.0.0.1:{node.admin_port}: uid {NOBODY} may not replace {node.eds_file()}, because the directory "
        f"{node.directory} is not writable. Use become, or give this user the directory."
    )
