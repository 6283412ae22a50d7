# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of an ALB's listener: which one is whose, and which priority is free."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import rules as aws_rules
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.rules import Base, Rule
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Selector
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

GREEN = Selector("header", "x-canary", "green")
COOKIE = Selector("cookie", "canary", "a.b+c")
GROUP = "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/{}/0123"
API = {"Field": "path-pattern", "Values": ["/api/*"], "PathPatternConfig": {"Values": ["/api/*"]}}
PAGE = Page("Soon.", "text/plain", None)


def forward(*names: str) -> list[dict[str, t.Any]]:
    groups = [{"TargetGroupArn": GROUP.format(name), "Weight": 1} for name in names]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


def rule(
    priority: int | str, *conditions: dict[str, t.Any], actions: list[dict[str, t.Any]] | None = None, **more: t.Any
) -> Rule:
    return {
        "RuleArn": f"rule-{priority}",
        "Priority": str(priority),
        "IsDefault": priority == "default",
        "Conditions": list(conditions),
        "Actions": actions or forward("blue"),
        **more,
    }


DEFAULT = rule("default")


def base(rules: t.Sequence[Rule], arn: str = "listener") -> Base:
    found = Base.of(rules, arn)
    assert found is not None
    return found


def for_testers(*rules: Rule, arn: str = "listener") -> int:
    return aws_rules.priority_for_testers(rules, base(rules, arn), "AWS front:80")


def for_page(*rules: Rule, arn: str = "listener") -> int:
    return aws_rules.priority_for_page(rules, base(rules, arn), "AWS front:80")


def of_testers(priority: int, *more: dict[str, t.Any]) -> Rule:
    return rule(priority, *more, aws_rules.header_condition(GREEN))


def of_page(priority: int, *conditions: dict[str, t.Any]) -> Rule:
    return rule(priority, *(conditions or (aws_rules.EVERYTHING,)), actions=aws_rules.answering(PAGE))


def test_rules_of_ours_stand_behind_everybody_elses() -> None:
    assert (for_testers(DEFAULT), for_page(DEFAULT)) == (2, 1)
    others = (rule(7, API), rule(20, API), DEFAULT)
    assert (for_testers(*others), for_page(*others)) == (22, 21)


def test_a_page_stands_before_testers() -> None:
    assert for_page(DEFAULT, of_testers(2)) == 1
    assert for_testers(DEFAULT, of_page(1)) == 2
    assert for_testers(DEFAULT, of_testers(2), of_page(1)) == 3
    assert for_testers(DEFAULT, of_testers(2), of_testers(3)) == 4


def test_rules_of_ours_stand_before_their_rule() -> None:
    rules = (rule(5, {"Field": "host-header", "Values": ["a.example"]}), rule(9, API), DEFAULT)
    assert (for_testers(*rules, arn="rule-9"), for_page(*rules, arn="rule-9")) == (7, 6)


@pytest.mark.parametrize("choose", [for_testers, for_page])
def test_no_priority_is_free(choose: t.Callable[..., int]) -> None:
    rules = (rule(8, API), rule(9, {"Field": "path-pattern", "Values": ["/b"]}), DEFAULT)
    with pytest.raises(InputError) as caught:
        choose(*rules, arn="rule-9")
    assert caught.value.message == (
        "AWS front:80: no priority is free for a rule of ours between 8 and 9. Spread the rules there, to leave at "
        "least two numbers."
    )


def test_a_page_finds_no_place_before_testers() -> None:
    rules = (rule(8, {"Field": "host-header", "Values": ["a.example"]}), of_testers(9, API), rule(10, API), DEFAULT)
    with pytest.raises(InputError):
        for_page(*rules, arn="rule-10")


def test_a_rule_is_known_by_its_conditions_in_any_order_and_form() -> None:
    mine = rule(3, aws_rules.header_condition(GREEN), {"Field": "path-pattern", "Values": ["/API/*"]})
    conditions = [*base((rule(9, API), DEFAULT), "rule-9").conditions, aws_rules.header_condition(GREEN)]
    assert aws_rules.find([of_page(1), mine], conditions) is mine
    assert aws_rules.find([rule(3, API), DEFAULT], conditions) is None
    assert aws_rules.find([of_page(1), DEFAULT], [aws_rules.EVERYTHING]) is None
    assert aws_rules.find([of_page(1), DEFAULT], [aws_rules.EVERYTHING], page=True) is not None


def test_conditions_are_sent_in_one_form() -> None:
    (condition,) = base((rule(9, API), DEFAULT), "rule-9").conditions
    assert condition == {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}


def test_a_cookie_is_found_by_a_pattern() -> None:
    config = aws_rules.header_condition(COOKIE)["HttpHeaderConfig"]
    assert config == {"HttpHeaderName": "cookie", "RegexValues": [r"^(.*; *)?canary=a\.b\+c(;.*)?$"]}


def test_targets() -> None:
    assert aws_rules.target_of(rule(1, actions=forward("green"))) == "green"
    assert aws_rules.target_of(rule(1, actions=forward("green", "blue"))) == "blue, green"
    assert aws_rules.target_of(None) == ""


def test_pages() -> None:
    assert aws_rules.page_of(of_page(1)) == PAGE
    assert aws_rules.page_of(rule(1)) is None
    other = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    assert aws_rules.page_of(rule(1, actions=other)) is None


def test_users_are_authenticated_for_testers_too() -> None:
    cognito = {"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": {}}
    guarded = rule("default", actions=[cognito, {**forward("blue")[0], "Order": 2}])
    actions = aws_rules.forwarding(base([guarded]), GROUP.format("green"), "AWS front:443")
    assert [action["Type"] for action in actions] == ["authenticate-cognito", "forward"]
    assert actions[1]["Order"] == 2


def test_a_secret_that_aws_does_not_show_cannot_be_given_to_another_rule() -> None:
    guarded = rule("default", actions=[{"Type": "authenticate-oidc"}, *forward("blue")])
    with pytest.raises(RolloutError) as caught:
        aws_rules.forwarding(base([guarded]), GROUP.format("green"), "AWS front:443")
    assert caught.value.message == (
        "AWS front:443: authenticates users by OIDC, with a secret that AWS never shows, so no other rule can do the "
        "same. Make a rule for testers there yourself."
    )


def test_a_listener_without_rules() -> None:
    assert Base.of([], "listener") is None
