# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
import typing as t

import pytest
from support.sightings import NodeRecord, Record, lowest_of_zones, parse_clusters, parse_servers_state, violations

HEADER = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight\n"
ALL = {"app1": True, "app2": True, "app3": True}
ONE_OUT = {"app1": False, "app2": True, "app3": True}
ANOTHER_OUT = {"app1": True, "app2": False, "app3": True}


def a_record(*nodes: str) -> Record:
    return Record(1000.0, {name: NodeRecord() for name in nodes})


@pytest.mark.parametrize(
    ("state", "rotates"),
    [
        pytest.param("2 0 1", True, id="running"),
        pytest.param("2 0 0", False, id="no weight"),
        pytest.param("0 0 1", False, id="down"),
        pytest.param("1 0 1", False, id="starting"),
        pytest.param("3 0 1", False, id="stopping"),
        pytest.param("2 8 1", False, id="drained"),
        pytest.param("2 1 1", False, id="maintenance"),
        pytest.param("2 16 1", False, id="drained by the one it tracks"),
    ],
)
def test_a_member_is_in_rotation_only_when_nothing_keeps_requests_from_it(state: str, rotates: bool) -> None:
    assert parse_servers_state(f"{HEADER}3 shop 1 app1 10.0.0.1 {state}\n\n", "shop") == {"app1": rotates}


def test_members_of_other_pools_are_left_out() -> None:
    reply = f"{HEADER}3 shop 1 app1 10.0.0.1 2 0 1\n4 cart 1 app9 10.0.0.9 2 0 1\n"
    assert parse_servers_state(reply, "shop") == {"app1": True}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("Can't find backend.\n", 'no table of servers: "Can\'t find backend."'),
        ("", "no table of servers: ''"),
        (HEADER, "no member of the pool 'shop' in the table"),
    ],
)
def test_what_is_no_table_of_the_pool_is_no_look(reply: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_servers_state(reply, "shop")


@pytest.mark.parametrize(
    ("health", "rotates"),
    [
        pytest.param({"eds_health_status": "HEALTHY"}, True, id="healthy"),
        pytest.param({"eds_health_status": "DRAINING"}, False, id="drained"),
        pytest.param({"eds_health_status": "HEALTHY", "failed_active_health_check": True}, False, id="down"),
    ],
)
def test_a_member_of_an_envoy_is_in_rotation_only_when_healthy_in_every_way(
    health: dict[str, t.Any], rotates: bool
) -> None:
    hosts = [{"hostname": "app1", "health_status": health}]
    clusters = [{"name": "shop", "host_statuses": hosts}, {"name": "cart", "host_statuses": hosts}]
    assert parse_clusters(json.dumps({"cluster_statuses": clusters}), "shop") == {"app1": rotates}


def test_what_has_no_such_cluster_is_no_look() -> None:
    with pytest.raises(ValueError, match=r"^no member of the pool 'shop' among the clusters$"):
        parse_clusters('{"cluster_statuses": [{"name": "cart"}]}', "shop")


def test_the_lowest_and_the_highest_are_kept_for_each_node() -> None:
    record = a_record("lb1", "lb2")
    for second, members in enumerate((ALL, ONE_OUT, ALL)):
        record.see(1000.1 + second / 10, "lb1", members)
        record.see(1000.1 + second / 10, "lb2", ALL)
    nodes = record.report(1001.0)["nodes"]
    assert nodes["lb1"] == {
        "looks": 3, "missed": 0, "members": 3, "lowest": 2, "lowest_at": 1000.2, "highest_out": 1
    }  # fmt: skip
    assert (nodes["lb2"]["lowest"], nodes["lb2"]["highest_out"]) == (3, 0)


def test_only_what_differs_from_the_look_before_is_written_down() -> None:
    record = a_record("lb1")
    for number, members in enumerate((ALL, ALL, ONE_OUT, ONE_OUT, ALL)):
        record.see(1000.0 + number / 10, "lb1", members)
    assert record.changes == [
        {"at": 1000.0, "node": "lb1", "in": ["app1", "app2", "app3"], "out": []},
        {"at": 1000.2, "node": "lb1", "in": ["app2", "app3"], "out": ["app1"]},
        {"at": 1000.4, "node": "lb1", "in": ["app1", "app2", "app3"], "out": []},
    ]


def test_a_failed_look_opens_a_gap_until_the_next_good_one() -> None:
    record = a_record("lb1")
    record.see(1000.0, "lb1", ALL)
    record.miss(1000.1, "lb1", "refused")
    record.miss(1000.2, "lb1", "refused")
    record.see(1000.3, "lb1", ALL)
    record.see(1000.4, "lb1", ALL)
    assert record.gaps == [{"at": 1000.0, "node": "lb1", "seconds": 0.3, "reason": "refused"}]
    assert record.nodes["lb1"].missed == 2


def test_a_late_look_is_a_gap() -> None:
    record = a_record("lb1")
    record.see(1000.0, "lb1", ALL)
    record.see(1000.5, "lb1", ALL)
    record.see(1000.6, "lb1", ALL)
    assert record.gaps == [{"at": 1000.0, "node": "lb1", "seconds": 0.5, "reason": "late"}]


def test_a_node_that_never_answered_is_a_gap_from_the_beginning() -> None:
    record = a_record("lb1")
    record.miss(1003.0, "lb1", "refused")
    assert record.gaps == [{"at": 1000.0, "node": "lb1", "seconds": 3.0, "reason": "refused"}]


def two_nodes_with_one_out_each() -> dict[str, t.Any]:
    record = a_record("lb1", "lb2")
    record.see(1000.1, "lb1", ONE_OUT)
    record.see(1000.1, "lb2", ANOTHER_OUT)
    record.see_round(1000.1, [ONE_OUT, ANOTHER_OUT])
    return record.report(1001.0)


def test_across_nodes_a_member_out_anywhere_is_out() -> None:
    report = two_nodes_with_one_out_each()
    assert violations(report, floor=2, window=1) == [
        "0.10 s, all nodes: 1 in rotation, floor 2 (out: app1, app2)",
        "0.10 s, all nodes: 2 out, window 1 (out: app1, app2)",
    ]


def test_nothing_is_reported_within_floor_and_window() -> None:
    assert violations(two_nodes_with_one_out_each(), floor=1, window=2) == []


def test_zones_are_judged_by_themselves() -> None:
    report = two_nodes_with_one_out_each()
    zones = {"a": ["app1"], "b": ["app2", "app3"]}
    assert violations(report, zones=zones, zone_floor=1) == [
        "0.10 s, lb1: 0 of zone a in rotation, floor 1",
        "0.10 s, all nodes: 0 of zone a in rotation, floor 1",
    ]
    assert lowest_of_zones(report, zones) == {"a": 0, "b": 1}
