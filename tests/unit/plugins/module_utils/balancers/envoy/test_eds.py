# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members found and changed in Envoy's file of endpoints, in every spelling that Envoy takes."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.eds import (
    BadDocument,
    Document,
    Endpoint,
    address_of,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
Json = t.Dict[str, t.Any]


def entry(**more: t.Any) -> Json:
    address = {"socket_address": {"address": "10.0.0.1", "port_value": 80}}
    return {"endpoint": {"hostname": "app1", "address": address}, **more}


def document(*entries: Json, **group: t.Any) -> str:
    resource = {"@type": TYPE, "cluster_name": "shop", "endpoints": [{"lb_endpoints": list(entries), **group}]}
    return json.dumps({"version_info": "7", "resources": [resource]})


@pytest.mark.parametrize(
    ("health", "admin"),
    [
        ({}, contract.IN_SERVICE),
        ({"health_status": "UNKNOWN"}, contract.IN_SERVICE),
        ({"health_status": "HEALTHY"}, contract.IN_SERVICE),
        ({"health_status": "DEGRADED"}, contract.IN_SERVICE),
        ({"health_status": "DRAINING"}, contract.DRAINED),
        ({"healthStatus": "DRAINING"}, contract.DRAINED),
        ({"health_status": 3}, contract.DRAINED),
        ({"health_status": "UNHEALTHY"}, contract.MAINTENANCE),
        ({"health_status": "TIMEOUT"}, contract.MAINTENANCE),
        ({"health_status": 2}, contract.MAINTENANCE),
    ],
)
def test_the_state_by_health_status(health: Json, admin: str) -> None:
    assert Endpoint(entry(**health)).admin == admin


@pytest.mark.parametrize(
    ("state", "health"),
    [(contract.DRAINED, "DRAINING"), (contract.MAINTENANCE, "UNHEALTHY")],
)
def test_out_and_back(state: str, health: str) -> None:
    data = entry()
    endpoint = Endpoint(data)
    endpoint.set_admin(state)
    assert data == entry(health_status=health)
    endpoint.set_admin(contract.IN_SERVICE)
    assert data == entry(health_status="HEALTHY")


def test_what_is_so_already_is_not_rewritten() -> None:
    for data in (entry(), entry(health_status="DEGRADED"), entry(health_status="TIMEOUT"), entry(healthStatus=3)):
        before = copy.deepcopy(data)
        endpoint = Endpoint(data)
        endpoint.set_admin(endpoint.admin)
        endpoint.set_weight(endpoint.weight)
        assert data == before


def test_the_spelling_of_the_file_is_kept() -> None:
    data = entry(healthStatus="HEALTHY", loadBalancingWeight=4)
    endpoint = Endpoint(data)
    assert endpoint.weight == 4
    endpoint.set_admin(contract.DRAINED)
    endpoint.set_weight(5)
    assert data == entry(healthStatus="DRAINING", loadBalancingWeight=5)


def test_weight_0_is_a_mark_beside_the_admin_state() -> None:
    data = entry(load_balancing_weight=4)
    endpoint = Endpoint(data)
    endpoint.set_weight(0)
    assert (endpoint.weight, endpoint.admin, endpoint.health) == (0, contract.IN_SERVICE, "DRAINING")
    assert data["metadata"]["filter_metadata"] == {"steady.rollout": {"weight": 0, "admin": "in_service"}}
    assert data["load_balancing_weight"] == 4
    endpoint.set_admin(contract.MAINTENANCE)
    assert (endpoint.weight, endpoint.admin, endpoint.health) == (0, contract.MAINTENANCE, "UNHEALTHY")
    endpoint.set_weight(9)
    assert data == entry(load_balancing_weight=9, health_status="UNHEALTHY")


def test_metadata_of_others_stays() -> None:
    theirs = {"filterMetadata": {"envoy.lb": {"version": "1"}}, "typedFilterMetadata": {}}
    data = entry(metadata=copy.deepcopy(theirs), health_status="HEALTHY")
    endpoint = Endpoint(data)
    endpoint.set_weight(0)
    assert data["metadata"]["filterMetadata"]["envoy.lb"] == {"version": "1"}
    endpoint.set_weight(1)
    assert data == entry(metadata=theirs, health_status="HEALTHY")


def test_a_mark_that_is_not_ours_means_nothing() -> None:
    for mark in ("text", {}, {"weight": 0}, {"weight": 0, "admin": "gone"}):
        data = entry(metadata={"filter_metadata": {"steady.rollout": mark}}, health_status="DRAINING")
        assert (Endpoint(data).weight, Endpoint(data).admin) == (1, contract.DRAINED)


STEPS = st.lists(st.one_of(st.sampled_from(contract.ADMIN_STATES), st.integers(0, 5)), max_size=12)


@given(STEPS)
def test_state_and_weight_do_not_disturb_each_other(steps: list[str | int]) -> None:
    data = entry()
    endpoint = Endpoint(data)
    admin, weight = contract.IN_SERVICE, 1
    for step in steps:
        if isinstance(step, str):
            admin = step
            endpoint.set_admin(step)
        else:
            weight = step
            endpoint.set_weight(step)
        again = Endpoint(json.loads(json.dumps(data)))
        assert (again.admin, again.weight) == (admin, weight)
        assert (again.health in ("DRAINING", "UNHEALTHY")) == (admin != contract.IN_SERVICE or weight == 0)
        # Envoy rejects the whole file otherwise.
        assert data.get("load_balancing_weight", 1) > 0


def test_members_of_all_localities_and_priorities() -> None:
    data = json.loads(document(entry()))
    second = {"priority": 1, "lbEndpoints": [{"endpoint": {"address": {"pipe": {"path": "/run/app"}}}}]}
    data["resources"][0]["endpoints"].append(second)
    parsed = Document.parse(json.dumps(data))
    assert [endpoint.address for endpoint in parsed.endpoints] == ["10.0.0.1:80", "/run/app"]
    assert parsed.at("/run/app") == [parsed.endpoints[1]]
    assert parsed.at("10.0.0.1:8") == []


def test_all_else_is_written_back_as_it_was() -> None:
    text = document(entry(), locality={"zone": "a"}, policy={"overprovisioning_factor": 200})
    parsed = Document.parse(text)
    written = json.loads(parsed.text("8"))
    assert written.pop("version_info") == "8"
    before = json.loads(text)
    del before["version_info"]
    assert written == before


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ({"socket_address": {"address": "10.0.0.1", "port_value": 80}}, "10.0.0.1:80"),
        ({"socketAddress": {"address": "::1", "portValue": 80}}, "[::1]:80"),
        ({"socket_address": {"address": "host", "named_port": "http"}}, "host:http"),
        ({"pipe": {"path": "@app"}}, "@app"),
        ({}, ":0"),
    ],
)
def test_addresses(address: Json, shown: str) -> None:
    assert address_of(address) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: b",
            "it is not JSON (Expecting value: line 1 column 1 (char 0)); Envoy reads JSON from a file of any name, "
            "YAML is not edited",
        ),
        ("[]", "a DiscoveryResponse with exactly one ClusterLoadAssignment under 'resources' is expected"),
        (
            '{"resources": [{}, {}]}',
            "a DiscoveryResponse with exactly one ClusterLoadAssignment under 'resources' is expected",
        ),
        ('{"resources": [{}]}', "its resource is no ClusterLoadAssignment with 'endpoints' (found @type '')"),
        (
            json.dumps({"resources": [{"@type": TYPE, "endpoints": {}}]}),
            f"its resource is no ClusterLoadAssignment with 'endpoints' (found @type '{TYPE}')",
        ),
    ],
)
def test_a_file_that_is_something_else(text: str, message: str) -> None:
    with pytest.raises(BadDocument) as caught:
        Document.parse(text)
    assert str(caught.value) == message


def test_a_new_endpoint_is_drained_and_has_its_name() -> None:
    found = Document.parse(document(entry()))
    found.add(contract.NewMember("app7", "10.0.0.7:8080"))
    found.add(contract.NewMember("[2001:db8::7]:80", "[2001:db8::7]:80"))
    again = Document.parse(found.text("8"))
    assert [(one.address, one.admin) for one in again.endpoints] == [
        ("10.0.0.1:80", contract.IN_SERVICE),
        ("10.0.0.7:8080", contract.DRAINED),
        ("[2001:db8::7]:80", contract.DRAINED),
    ]
    written = json.loads(found.text("8"))["resources"][0]["endpoints"][0]["lb_endpoints"]
    assert [one["endpoint"].get("hostname") for one in written] == ["app1", "app7", None]


def test_a_file_without_any_endpoint_gets_its_first_one() -> None:
    for text in (document(), document().replace('[{"lb_endpoints": []}]', "[]")):
        found = Document.parse(text)
        found.add(contract.NewMember("app7", "10.0.0.7:8080"))
        assert [one.address for one in found.endpoints] == ["10.0.0.7:8080"]


def test_a_removed_endpoint_leaves_the_others() -> None:
    found = Document.parse(document(entry()))
    found.add(contract.NewMember("app7", "10.0.0.7:8080"))
    found.remove("10.0.0.1:80")
    assert [one.address for one in found.endpoints] == ["10.0.0.7:8080"]


def test_an_endpoint_by_name_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        Document.parse(document(entry())).add(contract.NewMember("app7", "app7.example:80"))
    assert caught.value.message == (
        "address: expected an IP address with a port, such as 192.0.2.7:8080 or [2001:db8::7]:8080, found 'app7.example:80'; "
        "Envoy does not resolve names in an EDS file."
    )
