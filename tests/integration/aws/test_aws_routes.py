# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Testers' routes and the maintenance page as rules of a listener, beside other rules, on the fake of support.aws."""

from __future__ import annotations

import typing as t

import pytest
from support.aws_world import World
from support.caller import call_core
from support.cores import Outcome
from support.haproxy import fetch, wait_until
from support.web import request

from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route, lb_weight

TESTER = "X-Canary: green\r\n"
Settings = t.Dict[str, t.Any]


class Site:
    """The listener's default action goes to blue (app1, app2), /api to shop (all three); green is app3."""

    def __init__(self, world: World) -> None:
        self.world = world
        for name, members in {"blue": ["app1", "app2"], "green": ["app3"]}.items():
            world.make_group(name, members)
        sticky = {"Enabled": True, "DurationSeconds": 60}
        groups = [{"TargetGroupArn": world.groups["blue"], "Weight": 1}]
        self.default = {
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky},
        }
        world.elb.modify_listener(ListenerArn=world.listener, DefaultActions=[self.default])
        self.add_rule(10, "shop", {"Field": "path-pattern", "Values": ["/api*"]})

    def add_rule(self, priority: int, group: str, *conditions: dict[str, t.Any]) -> str:
        made = self.world.elb.create_rule(
            ListenerArn=self.world.listener,
            Priority=priority,
            Conditions=list(conditions),
            Actions=[{"Type": "forward", "TargetGroupArn": self.world.groups[group]}],
        )
        return str(made["Rules"][0]["RuleArn"])

    def attach(self, group: str) -> None:
        """Health checks begin when a rule names the group."""
        wait_until(lambda: set(self.world.states(group).values()) == {"healthy"}, f"{group} is healthy")

    def rules(self) -> dict[str, t.Any]:
        """By priority."""
        found = self.world.elb.describe_rules(ListenerArn=self.world.listener)["Rules"]
        return {rule["Priority"]: rule for rule in found}

    def route(self, pool: str = "front:80", **options: t.Any) -> Outcome:
        settings = {"type": "aws_listener", "pool": pool}
        if options.get("state") != "absent":
            options = {"target": "green", **options}
        return call_core(lb_route, balancer=settings, **{"header": "X-Canary", "value": "green", **options})

    def page(self, pool: str = "front:80", **options: t.Any) -> Outcome:
        return call_core(lb_page, balancer={"type": "aws_listener", "pool": pool}, **options)

    def answered(self, headers: str = "", path: str = "/") -> set[str]:
        return {fetch(self.world.port, path, headers)[1] for dummy in range(8)}


@pytest.fixture
def site(world: World) -> Site:
    made = Site(world)
    made.attach("blue")
    made.attach("shop")
    return made


def test_a_route_before_the_default_action_leaves_other_rules_alone(site: Site) -> None:
    before = site.rules()
    assert site.route().error == ""
    site.attach("green")
    assert site.answered(TESTER) == {"app3"}
    assert site.answered(TESTER, "/api") == {"app1", "app2", "app3"}
    assert site.answered() == {"app1", "app2"}
    rules = site.rules()
    assert set(rules) == {"10", "12", "default"}
    assert {name: rules[name] for name in before} == before
    assert site.route(state="absent").error == ""
    assert site.rules() == before


def test_a_route_before_a_rule_has_its_conditions_too(site: Site) -> None:
    assert site.route("front:80/10").error == ""
    site.attach("green")
    assert (site.answered(TESTER, "/api"), site.answered(TESTER)) == ({"app3"}, {"app1", "app2"})
    assert site.answered(path="/api") == {"app1", "app2", "app3"}
    assert set(site.rules()) == {"2", "10", "default"}


def test_another_target_keeps_the_priority(site: Site) -> None:
    site.route()
    priority = set(site.rules())
    outcome = site.route(target="shop")
    assert (outcome.error, outcome["before"], outcome["after"]) == ("", "green", "shop")
    assert set(site.rules()) == priority
    again = site.route(target=site.world.groups["shop"])
    assert (again.error, again["changed"]) == ("", False)


def test_a_priority_that_was_taken_meanwhile(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.rules.priority_for_testers"
    choices = iter([10, 10, 77])
    monkeypatch.setattr(path, lambda *rules: next(choices))
    assert site.route().error == ""
    assert "77" in site.rules()


def test_rules_without_a_place_between_them(site: Site) -> None:
    site.add_rule(9, "shop", {"Field": "path-pattern", "Values": ["/other"]})
    outcome = site.route("front:80/10")
    assert outcome.error == (
        "AWS eu-central-1 front:80/10: no priority is free for a rule of ours between 9 and 10. Spread the rules "
        "there, to leave at least two numbers."
    )
    assert set(site.rules()) == {"9", "10", "default"}


def test_weights_after_a_route(site: Site) -> None:
    site.route()
    site.attach("green")
    settings = {"type": "aws_listener", "pool": "front:80", "target_groups": ["green"]}
    outcome = call_core(lb_weight, balancer=settings, shares={"blue": 50, "green": 50}, wait=False)
    assert outcome.error == ""
    assert site.answered(TESTER) == {"app3"}
    assert site.answered() == {"app1", "app2", "app3"}


def test_a_page_before_the_default_action_covers_no_other_rule(site: Site) -> None:
    site.route()
    before = site.rules()
    outcome = site.page(body="Soon.")
    assert outcome.error == ""
    assert outcome["notes"] == [
        "AWS cannot send Retry-After with a page of its own: clients do not learn when to retry."
    ]
    assert (request(site.world.port).status, request(site.world.port).body) == (503, "Soon.")
    assert request(site.world.port, header="X-Canary: green").status == 503
    assert site.answered(path="/api") == {"app1", "app2", "app3"}
    assert set(site.rules()) == {*before, "11"}
    assert site.page(state="absent").error == ""
    assert site.rules() == before


def test_a_page_before_a_rule(site: Site) -> None:
    assert site.page("front:80/10").error == ""
    assert request(site.world.port, path="/api/x").status == 503
    assert site.answered() == {"app1", "app2"}


def test_types_that_aws_does_not_have(site: Site) -> None:
    outcome = site.page(content_type="text/html; charset=utf-8")
    assert outcome.error == (
        "content_type: AWS has no 'text/html; charset=utf-8' for a page of its own; it has text/plain, text/css, "
        "text/html, application/javascript, application/json."
    )


def test_a_network_load_balancer_has_no_requests(start: t.Callable[..., World]) -> None:
    world = start(kind="network")
    listener = world.listener
    for module, options in ((lb_page, {}), (lb_route, {"header": "X-Canary", "value": "green", "target": "shop"})):
        outcome = call_core(module, balancer={"type": "aws_listener", "pool": listener}, **t.cast("Settings", options))
        assert outcome.error == (
            f"AWS eu-central-1 {listener}: the listener uses TCP, which has neither headers nor pages: only an "
            "Application Load Balancer's does."
        )
        assert outcome["changed"] is False


def test_nobody_may_create_rules(site: Site) -> None:
    site.world.aws.deny("CreateRule")
    outcome = site.route(check_mode=True)
    assert outcome.error.startswith("AWS eu-central-1: elasticloadbalancing:CreateRule is denied: ")
