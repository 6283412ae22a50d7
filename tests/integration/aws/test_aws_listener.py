# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares of target groups in a listener or rule, with the traffic that they make of the fake of support.aws."""

from __future__ import annotations

import collections
import threading
import typing as t

import pytest
from support.aws_world import World
from support.haproxy import Client, fetch, wait_until

Balancer = t.Any
StartWorld = t.Callable[..., World]

STICKY = {"Enabled": True, "DurationSeconds": 3600}


class Site:
    """Target groups blue (app1, app2) and green (app3) behind the listener, blue with all of the traffic."""

    def __init__(self, world: World) -> None:
        self.world = world
        for name, members in {"blue": ["app1", "app2"], "green": ["app3"]}.items():
            world.make_group(name, members)
        self.set_actions(self.forward(blue=100, green=0))
        wait_until(lambda: set(world.states("green").values()) == {"healthy"}, "green is healthy")
        wait_until(lambda: set(world.states("blue").values()) == {"healthy"}, "blue is healthy")

    def forward(self, sticky: dict[str, t.Any] | None = None, **weights: int) -> dict[str, t.Any]:
        groups = [{"TargetGroupArn": self.world.groups[name], "Weight": weight} for name, weight in weights.items()]
        config: dict[str, t.Any] = {"TargetGroups": groups}
        if sticky:
            config["TargetGroupStickinessConfig"] = sticky
        return {"Type": "forward", "Order": 50, "ForwardConfig": config}

    def set_actions(self, *actions: dict[str, t.Any]) -> None:
        self.world.elb.modify_listener(ListenerArn=self.world.listener, DefaultActions=list(actions))

    def answers(self, requests: int) -> collections.Counter[str]:
        return collections.Counter(fetch(self.world.port)[1] for _request in range(requests))


@pytest.fixture
def site(world: World) -> Site:
    return Site(world)


@pytest.fixture
def listener(site: Site, make_balancer: type[Balancer]) -> Balancer:
    return make_balancer(type="aws_listener", pool="front:80")


@pytest.mark.parametrize("green", [5, 25, 50, 100])
def test_the_split_that_was_returned_is_the_one_that_clients_see(site: Site, listener: Balancer, green: int) -> None:
    outcome = listener.split(shares={"blue": 100 - green, "green": green})
    assert (outcome.error, outcome["changed"], outcome["at_once"]) == ("", True, True)
    assert outcome["achieved"] == {"blue": 100.0 - green, "green": float(green)}
    assert site.answers(200)["app3"] == 2 * green


def test_twenty_changes_under_traffic_lose_no_request(site: Site, listener: Balancer) -> None:
    with Client(t.cast("t.Any", site.world)) as client:
        for number in range(20):
            assert listener.split(shares={"blue": 100 - 5 * number, "green": 5 * number}).error == ""
    assert client.failures == []
    assert client.requests > 100


def test_it_is_one_change_that_keeps_all_else(site: Site, listener: Balancer) -> None:
    login = {
        "Type": "authenticate-oidc",
        "Order": 1,
        "AuthenticateOidcConfig": {
            "Issuer": "https://id.example.com",
            "AuthorizationEndpoint": "https://id.example.com/auth",
            "TokenEndpoint": "https://id.example.com/token",
            "UserInfoEndpoint": "https://id.example.com/user",
            "ClientId": "shop",
            "ClientSecret": "only AWS knows",
        },
    }
    site.set_actions(login, site.forward(sticky=STICKY, blue=100, green=0))
    before = site.world.elb.describe_listeners(ListenerArns=[site.world.listener])["Listeners"]
    with site.world.aws.counting() as counter:
        outcome = listener.split(shares={"blue": "95", "green": "5"})
    assert outcome.error == ""
    # The first one asks whether it may.
    assert counter["ModifyListener"] == 2
    after = site.world.elb.describe_listeners(ListenerArns=[site.world.listener])["Listeners"]
    assert site.world.weights() == {"blue": 95, "green": 5}
    assert after[0]["DefaultActions"][-1]["ForwardConfig"]["TargetGroupStickinessConfig"] == STICKY
    for shown in (before, after):
        for group in shown[0]["DefaultActions"][-1]["ForwardConfig"]["TargetGroups"]:
            group["Weight"] = 0
    assert after == before
    assert site.world.aws.elb.secret(site.world.listener) == "only AWS knows"
    assert outcome["notes"] == ["Clients stay with their target group for 3600 s: a share holds for new clients."]


def test_a_rule_keeps_its_conditions(site: Site, make_balancer: type[Balancer]) -> None:
    conditions = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/slow*"]}}]
    for priority in (5, 10, 20):
        site.world.elb.create_rule(
            ListenerArn=site.world.listener,
            Priority=priority,
            Conditions=conditions,
            Actions=[site.forward(blue=1, green=0)],
        )
    rules = make_balancer(type="aws_listener", pool="front:80/10")
    assert rules.split(shares={"blue": 0, "green": 100}).error == ""
    found = site.world.elb.describe_rules(ListenerArn=site.world.listener)["Rules"]
    (rule,) = [one for one in found if one["Priority"] == "10"]
    assert site.world.weights(rule["Actions"]) == {"blue": 0, "green": 100}
    assert rule["Conditions"] == conditions
    assert [site.world.weights(one["Actions"])["green"] for one in found if one["Priority"] in ("5", "20")] == [0, 0]
    assert site.world.weights() == {"blue": 100, "green": 0}
    by_arn = make_balancer(type="aws_listener", pool=rule["RuleArn"])
    assert by_arn.info()["members"]["green"]["weight"] == 100


def test_a_second_run_changes_nothing_whatever_the_order(site: Site, listener: Balancer) -> None:
    listener.split(shares={"blue": 95, "green": 5})
    with site.world.aws.counting() as counter:
        again = listener.split(shares={"green": "5.0", "blue": "95 %"})
    assert (again.error, again["changed"], counter["ModifyListener"]) == ("", False, 0)


def test_check_mode_and_diff(site: Site, listener: Balancer) -> None:
    outcome = listener.split(shares={"blue": 95, "green": 5}, check_mode=True, diff=True)
    assert (outcome["changed"], outcome["achieved"]) == (True, {"blue": 95.0, "green": 5.0})
    assert (outcome["diff"]["before"], outcome["diff"]["after"]) == (
        {"green": 0, "blue": 100},
        {"green": 5, "blue": 95},
    )
    assert site.world.weights() == {"blue": 100, "green": 0}


def test_a_group_without_healthy_targets_gets_nothing(site: Site, listener: Balancer) -> None:
    site.world.members["app3"].healthy = False
    wait_until(lambda: site.world.states("green") == {"app3": "unhealthy"}, "green is unhealthy")
    outcome = listener.split(shares={"blue": 95, "green": 5})
    assert outcome["refused"] is True
    assert outcome.error == (
        "AWS eu-central-1: refused to split pool 'front:80': group 'green' is to get 5 % and has no healthy member "
        "('green' down 0 of 1 targets are healthy). Nothing was changed; bring its members in service first, or give it 0."
    )
    assert site.world.weights() == {"blue": 100, "green": 0}


def test_a_new_group_is_attached_first(site: Site, make_balancer: type[Balancer]) -> None:
    site.set_actions({"Type": "forward", "TargetGroupArn": site.world.groups["blue"]})
    wait_until(lambda: site.world.states("green") == {"app3": "unused"}, "green is in use by nothing")
    listener = make_balancer(type="aws_listener", pool="front:80", target_groups=["green"])
    refused = listener.split(shares={"blue": 95, "green": 5})
    assert "('green' down 0 of 1 targets are healthy; not forwarded to yet, which its health checks wait for)" in (
        refused.error
    )
    attached = listener.split(shares={"blue": 100, "green": 0})
    assert (attached.error, site.world.weights()) == ("", {"blue": 100, "green": 0})
    wait_until(lambda: site.world.states("green") == {"app3": "healthy"}, "green is healthy")
    assert listener.split(shares={"blue": 95, "green": 5}).error == ""
    assert site.world.weights() == {"blue": 95, "green": 5}


def test_groups_by_their_arns(site: Site, make_balancer: type[Balancer]) -> None:
    blue, green = site.world.groups["blue"], site.world.groups["green"]
    listener = make_balancer(type="aws_listener", pool=site.world.listener, target_groups=[blue, green])
    outcome = listener.split(shares={blue: 95, green: 5})
    assert (outcome.error, site.world.weights()) == ("", {"blue": 95, "green": 5})


def test_target_groups_are_not_drained(site: Site, listener: Balancer) -> None:
    outcome = listener.put("green", state="drained")
    assert outcome.error == (
        "AWS eu-central-1: 'green' are target groups, which have weights and are not drained: use lb_weight, or "
        "balancer.type=aws_target_group for their targets."
    )


def test_an_action_that_forwards_nowhere(site: Site, listener: Balancer) -> None:
    page = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "MessageBody": "later"}}
    site.set_actions(page)
    assert listener.info().error == (
        "AWS eu-central-1 front:80: forwards to no target group (its actions: fixed-response). Give one that does."
    )


@pytest.mark.parametrize(
    ("pool", "error"),
    [
        ("front", "balancer.pool: 'front' is neither 'load-balancer:port' (a listener), 'load-balancer:port/priority' "
                  "(one of its rules), nor the ARN of a listener or rule."),
        ("back:80", "AWS eu-central-1: no load balancer 'back'; there are 'front'. Correct balancer.pool, or "
                    "balancer.region and the account."),
        ("front:443", "AWS eu-central-1: load balancer 'front' does not listen on port 443; it does on '80', '81', '82'."),
        ("front:80/7", "AWS eu-central-1 front:80/7: no rule has the priority 7; there are none."),
    ],
)  # fmt: skip
def test_a_listener_that_is_not_there(site: Site, make_balancer: type[Balancer], pool: str, error: str) -> None:
    for port in (81, 82):
        site.world.listen(port, "blue")
    assert make_balancer(type="aws_listener", pool=pool).info().error == error


def test_a_network_load_balancer(start: StartWorld, make_balancer: type[Balancer]) -> None:
    site = Site(start(kind="network"))
    assert make_balancer(type="aws_listener", pool="front:80").split(shares={"blue": 75, "green": 25}).error == ""
    weights = site.world.weights()
    assert weights["blue"] == 3 * weights["green"] > 0


def test_two_writers_at_once_end_with_what_one_of_them_wanted(site: Site, make_balancer: type[Balancer]) -> None:
    errors: list[str] = []

    def change(green: int) -> None:
        outcome = make_balancer(type="aws_listener", pool="front:80").split(
            shares={"blue": 100 - green, "green": green}
        )
        errors.append(outcome.error)

    threads = [threading.Thread(target=change, args=(green,)) for green in (20, 40, 60, 80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [""] * 4
    weights = site.world.weights()
    assert 100 * weights["green"] / sum(weights.values()) in (20, 40, 60, 80)


def test_an_unknown_group(site: Site, listener: Balancer) -> None:
    outcome = listener.split(shares={"blue": 50, "gren": 50})
    assert outcome.error == (
        "AWS eu-central-1: pool 'front:80' has no member 'gren'; it has 'green', 'blue'. Give the names exactly as the "
        "load balancer has them."
    )
    assert site.world.weights() == {"blue": 100, "green": 0}
