# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Order, arithmetic of the refusals, and what is read from balancers and probes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ledger_client import DOWN, DRAINED, UP, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import fleet as reading
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, planning
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host


def planned(hosts, balancers=(), **options):
    ledger = LedgerClient()
    ledger.open()
    return ledger.plan(hosts, balancers=list(balancers), **options)


def refusal(hosts, balancers=(), **options):
    with pytest.raises(InputError) as caught:
        planned(hosts, balancers, **options)
    return caught.value.message


def host(name, zone="", condition=model.HEALTHY, lb_state=model.IN_SERVICE):
    return Host(rollout=1, name=name, zone=zone, condition=condition, lb_state=lb_state)


def test_out_of_service_first_then_the_weakest():
    """Invariant 4."""
    hosts = [
        host("healthy"),
        host("unknown", condition=model.UNKNOWN),
        host("out", condition=model.HALF_UPDATED, lb_state=model.DRAINED_BY_US),
        host("half", condition=model.HALF_UPDATED),
        host("down", condition=model.DOWN, lb_state=model.DOWN),
        host("sick", condition=model.DOWN),
    ]
    assert [found.name for found in planning.ordered(hosts)] == ["down", "out", "sick", "unknown", "half", "healthy"]


def test_zones_are_interleaved():
    hosts = [host(f"a{n}", "a") for n in range(4)] + [host(f"b{n}", "b") for n in range(2)]
    assert [found.name for found in planning.interleaved(hosts)] == ["a0", "b0", "a1", "a2", "b1", "a3"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(model.WEAK), st.booleans())))
def test_everybody_gets_a_place_and_neighbours_keep_their_order(drawn):
    hosts = [
        host(f"app{n}", zone, condition, model.IN_SERVICE if serving else model.DOWN)
        for n, (zone, condition, serving) in enumerate(drawn)
    ]
    ordered = planning.ordered(hosts)
    assert sorted(found.name for found in ordered) == sorted(found.name for found in hosts)
    alike = [
        found for found in ordered if (found.zone, found.condition, found.lb_state) == ("a", model.DOWN, model.DOWN)
    ]
    assert alike == [found for found in hosts if found in alike]


def lb_state(member=UP, left_out=(), **changes):
    hosts = [{"name": "app1", "healthy": True, "version": "1", **changes}]
    (seen,) = reading.read_fleet(hosts, [pool(hosts), pool(hosts, "lb2", app1=member)], left_out)
    return seen.lb_state, seen.note


def test_in_service_means_on_every_node():
    """Invariants 2 and 13."""
    assert lb_state() == (model.IN_SERVICE, "")
    assert lb_state(DOWN) == (model.DOWN, "down on lb2")
    assert lb_state(healthy=False) == (model.DOWN, "not healthy")


def test_who_took_it_out():
    """Invariant 12."""
    assert lb_state(DRAINED) == (model.DRAINED_EXTERNALLY, "drained on lb2")
    assert lb_state(DRAINED, left_out=["app1"]) == (model.DRAINED_BY_US, "drained on lb2")
    assert lb_state({**DRAINED, "admin": "maintenance"}) == (model.DRAINED_EXTERNALLY, "put into maintenance on lb2")


def test_maintenance_is_never_ours_even_on_a_host_that_we_drained_before():
    """Invariant 12: we only ever drain."""
    maintenance = {**DRAINED, "admin": "maintenance"}
    assert lb_state(maintenance, left_out=["app1"]) == (model.DRAINED_EXTERNALLY, "put into maintenance on lb2")
    hosts = [{"name": "app1", "healthy": True, "version": "1"}]
    both = [pool(hosts, app1=DRAINED), pool(hosts, "lb2", app1=maintenance)]
    (seen,) = reading.read_fleet(hosts, both, ["app1"])
    assert (seen.lb_state, seen.note) == (model.DRAINED_EXTERNALLY, "put into maintenance on lb2")


@pytest.mark.parametrize(
    ("changes", "member", "left", "condition"),
    [
        ({}, UP, False, model.HEALTHY),
        ({"version": "2"}, UP, False, model.CURRENT),
        ({"version": "2"}, UP, True, model.HALF_UPDATED),
        ({"version": "2"}, DRAINED, True, model.HALF_UPDATED),
        ({"healthy": None}, UP, False, model.UNKNOWN),
        ({"version": None}, UP, False, model.HEALTHY),
        ({"healthy": False}, UP, False, model.DOWN),
        ({"healthy": False}, DRAINED, True, model.DOWN),
        ({"version": "2"}, DOWN, False, model.DOWN),
    ],
)
def test_how_far_a_host_is_trusted(changes, member, left, condition):
    hosts = [{"name": "app1", "healthy": True, "version": "1", **changes}]
    (seen,) = reading.read_fleet(hosts, [pool(hosts, app1=member)], ["app1"] if left else [])
    assert reading.condition_of(seen, "2", left) == condition


def test_where_no_version_is_reported_the_ledgers_proof_stands_for_it():
    hosts = [{"name": "app1", "healthy": True, "version": None}]
    (seen,) = reading.read_fleet(hosts, [pool(hosts)], [])
    assert reading.condition_of(seen, "2", False, "2") == model.CURRENT
    assert reading.condition_of(seen, "2", False, "1") == model.HEALTHY
    assert reading.condition_of(seen, None, False) == model.HEALTHY


def test_members_that_are_not_in_the_inventory_count():
    """Invariants 1 and 3."""
    hosts = fleet(3)
    plan = planned(
        hosts, [pool(hosts, other1=UP, other2=DRAINED)], policy={"max_unavailable": "2", "min_available": "1"}
    )
    assert plan["fleet"] == 5
    assert plan["order"] == ["app1", "app2", "app3"]
    assert plan["lowest_capacity"] == 3


def test_hosts_out_of_scope_count_and_are_not_touched():
    """Invariants 1 and 3, under --limit."""
    hosts = fleet(4)
    for found in hosts[:3]:
        found["in_scope"] = False
    plan = planned(hosts, [pool(hosts)], policy={"max_unavailable": "50%"})
    assert (plan["fleet"], plan["max_unavailable"], plan["min_available"], plan["order"]) == (4, 2, 2, ["app4"])


def test_the_guard_says_the_same_to_the_balancer():
    hosts = fleet(4, zones=("a", "b"))
    assert planned(hosts, [pool(hosts)])["guard"] == {
        "min_in_service": 2,
        "max_out_of_service": 1,
        "zones": [
            {"name": "a", "members": ["app1", "app3"], "min_in_service": 1},
            {"name": "b", "members": ["app2", "app4"], "min_in_service": 1},
        ],
    }


def test_the_plan_as_people_read_it():
    hosts = fleet(4, zones=("a", "b"))
    hosts[3]["healthy"] = False
    assert planned(hosts, policy={"stages": ["1", "100%"], "max_unavailable": "2"}, forks=1)["text"] == [
        "shop: 4 of 4 hosts to 2.0.0, stages 1, 4",
        "stage  host  zone  from   to     condition  why",
        "1      app4  b     1.0.0  2.0.0  down       not healthy",
        "2      app1  a     1.0.0  2.0.0  healthy    -",
        "2      app2  b     1.0.0  2.0.0  healthy    -",
        "2      app3  a     1.0.0  2.0.0  healthy    -",
        "max unavailable 2, min available 2 of 4; lowest capacity 2; time unknown (no history yet)",
        "note: forks is 1, below the 2 hosts that may be out of service at once: at most 1 are changed at the same time. Run with --forks "
        "2 or more.",
    ]


def test_nothing_to_do():
    plan = planned(fleet(3, version="2.0.0"))
    assert plan["nothing_to_do"] is True
    assert plan["text"] == ["shop: nothing to do for 2.0.0, 3 hosts are already on it"]
    assert plan["up_to_date"] == ["app1", "app2", "app3"]


def test_the_next_plan_uses_how_long_hosts_took():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4))
    for number in range(1, 5):
        ledger.admit(f"app{number}")
        ledger.fake.move(20)
        ledger.host("proven", f"app{number}", version="2.0.0")
    ledger.rollout("concluded", hosts=fleet(4, version="2.0.0"))
    ledger.open("3.0.0")
    plan = ledger.plan(fleet(4, version="2.0.0"), policy={"bake_time": 60, "stages": ["1", "100%"]})
    assert plan["predicted_seconds"] == 4 * 20 + 60


@pytest.mark.parametrize(
    ("count", "policy", "message"),
    [
        (
            2,
            {"min_available": "60%"},
            "rollout_min_available 60% of 2 = 2 means that no host could be drained: 2 of 2 hosts can be in service. Allow at most 1, or "
            "bring more hosts into service.",
        ),
        (
            4,
            {"min_available": "4"},
            "rollout_min_available 4 means that no host could be drained: 4 of 4 hosts can be in service. Allow at most 3, or bring more "
            "hosts into service.",
        ),
        (
            4,
            {"zone_min_available": "2"},
            "rollout_zone_min_available 2 means that no host could be drained in zone a: 2 of its 2 hosts can be in service. Allow at most "
            "1 there, or bring more of its hosts into service.",
        ),
    ],
)
def test_a_policy_that_no_host_could_satisfy_is_refused_with_the_arithmetic(count, policy, message):
    hosts = fleet(count, zones=("a", "b"))
    assert refusal(hosts, [pool(hosts)], policy=policy) == message


def test_a_window_that_others_fill_is_refused():
    """Invariant 3."""
    hosts = fleet(4)
    assert refusal(hosts, [pool(hosts, app2=DRAINED)]) == (
        "rollout_max_unavailable 25% of 4 = 1 means that no host could be drained: 1 of 4 hosts are out of service already and were not "
        "drained by this rollout (app2). Bring them into service or allow more."
    )


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (
            {"min_available": "3", "zone_min_available": "0"},
            "rollout_min_available 3 means that no host could be drained: 3 of 4 hosts can be in service (without app2). Allow at most 2, or "
            "bring more hosts into service.",
        ),
        (
            {"max_unavailable": "2"},
            "rollout_zone_min_available 1 means that no host could be drained in zone b: 1 of its 2 hosts can be in service (without app2). "
            "Allow at most 0 there, or bring more of its hosts into service.",
        ),
    ],
)
def test_floors_that_others_lean_on_are_refused_with_their_names(policy, message):
    hosts = fleet(4, zones=("a", "b"))
    assert refusal(hosts, [pool(hosts, app2=DRAINED)], policy=policy) == message


def test_what_is_down_in_scope_does_not_fill_the_window_for_good():
    hosts = fleet(4)
    assert planned(hosts, [pool(hosts, app2=DOWN)])["order"][0] == "app2"


def test_the_only_member_is_never_taken_out():
    """Invariant 2."""
    hosts = fleet(1)
    assert refusal(hosts, [pool(hosts)], policy={"min_available": "0"}) == (
        "app1 is the only member behind the balancers: taking it out leaves no host in service. Add a second host, or "
        "update it in a maintenance window without a rolling deployment."
    )


def test_without_a_balancer_one_host_may_be_updated_when_the_floor_allows_it():
    assert planned(fleet(1), policy={"min_available": "0"})["order"] == ["app1"]
    assert refusal(fleet(1)).startswith("rollout_min_available 50% of 1 = 1 means that no host could be drained")


def test_a_fleet_of_two_goes_one_by_one():
    hosts = fleet(2)
    plan = planned(hosts, [pool(hosts)])
    assert (plan["max_unavailable"], plan["min_available"], plan["order"]) == (1, 1, ["app1", "app2"])


def test_the_last_one_stays_whatever_the_policy_says():
    """Invariant 2."""
    ledger = LedgerClient()
    ledger.open()
    hosts = fleet(2)
    ledger.plan(hosts, balancers=[pool(hosts)], policy={"max_unavailable": "100%", "min_available": "0"})
    ledger.admit("app1")
    assert ledger.admit("app2")["reason"] == "1 in service, minimum is 1"


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        (
            [{"name": "app1"}, {"name": "app1"}],
            "hosts: the host app1 is named twice; each host of the fleet has one of its own.",
        ),
        (
            [{"name": "app1", "member": "web"}, {"name": "app2", "member": "web"}],
            "hosts: the member web is named twice; each host of the fleet has one of its own, by rollout_member.",
        ),
        (
            [{"name": "app1", "member": "web1"}],
            "app1: its member 'web1' is not in the pool of lb1, which has app1, app2; set rollout_member to the host's "
            "name in the pool, correct the pool, or let the rollout add it (rollout_add_members).",
        ),
    ],
)
def test_hosts_and_members_that_do_not_fit_are_refused(hosts, message):
    assert refusal(hosts, [pool(fleet(2))]) == message


def test_a_node_that_does_not_answer_is_refused():
    hosts = fleet(2)
    assert refusal(hosts, [pool(hosts), {"host": "lb2", "unreachable": "no route to host"}]) == (
        "balancers: lb2 did not report its members; max_unavailable and min_available can be judged only when every node answers, so "
        "nothing is planned."
    )


def empty(count):
    """Hosts on which nothing runs yet, which the balancers have as down."""
    hosts = [{"name": f"app{number}", "healthy": False} for number in range(1, count + 1)]
    return hosts, [pool(hosts, **{one["name"]: DOWN for one in hosts})]


def test_a_first_deployment_waited_for_one_host_after_the_other_though_nothing_served():
    plan = planned(*empty(4), policy={"max_unavailable": "1"})
    assert (plan["max_unavailable"], plan["order"]) == (4, ["app1", "app2", "app3", "app4"])
    assert plan["notes"] == ["first deployment: no host serves yet, so all of them may be deployed at once"]


def test_hosts_of_a_first_deployment_are_admitted_together_until_all_are_proven():
    ledger = LedgerClient()
    ledger.open()
    hosts, balancers = empty(3)
    ledger.plan(hosts, balancers=balancers, policy={"max_unavailable": "1"})
    assert [ledger.admit(f"app{number}")["verdict"] for number in (1, 2, 3)] == ["go"] * 3


def test_a_fleet_that_is_down_is_no_first_deployment_where_it_once_served():
    """Its hosts come back within the limits: what was proven there may be rolled back to."""
    ledger = LedgerClient()
    ledger.open()
    hosts, balancers = empty(3)
    ledger.plan(fleet(3), balancers=[pool(fleet(3))])
    ledger.open(version="3.0.0", take_over=True)
    plan = ledger.plan(hosts, balancers=balancers, policy={"max_unavailable": "1"})
    assert (plan["max_unavailable"], plan["notes"]) == (1, [])


def test_one_host_that_serves_is_enough_to_keep_the_limits():
    hosts, balancers = empty(3)
    hosts[0] = {"name": "app1", "healthy": True, "version": "1.0.0"}
    balancers[0]["members"]["app1"] = pool([hosts[0]])["members"]["app1"]
    assert planned(hosts, balancers, policy={"max_unavailable": "1", "min_available": "0"})["max_unavailable"] == 1


def test_members_that_the_inventory_lacks_are_named():
    assert planned(fleet(2), [pool(fleet(3))])["notes"] == [
        "the balancers have members that the inventory lacks: app3. They count for the limits and are not updated: add them to "
        "the inventory, or remove them from the pool."
    ]


def test_a_host_that_a_pool_lacks_is_planned_where_the_rollout_may_add_it():
    hosts = [*fleet(2), {"name": "app3", "healthy": False, "may_be_added": True}]
    plan = planned(hosts, [pool(fleet(2))])
    assert [(row["host"], row["condition"], row["why"]) for row in plan["plan"]][:1] == [
        ("app3", "down", "to be added to the pool of lb1")
    ]
