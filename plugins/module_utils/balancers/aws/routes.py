# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Testers' routes and the maintenance page of an ALB: rules of its listener."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import forward as aws_forward
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import rules as aws_rules
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.api import Api, AwsError
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.rules import Base, Rule
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.target_group import (
    SETTLE,
    SETTLE_LOOK,
    find_target_group,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import (
    Page,
    Pages,
    Routes,
    Seen,
    Selector,
    Shown,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

# Somebody else may take the priority that was free.
TRIES = 5
CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
NOTE_CASE = "AWS ignores case in the value of a header."
NOTE_NO_RETRY_AFTER = "AWS cannot send Retry-After with a page of its own: clients do not learn when to retry."


class ListenerRules:
    """The rules before one rule, or before the default action, of one listener. *arn* finds that."""

    def __init__(self, api: Api, place: str, arn: t.Callable[[], str], clock: Clock) -> None:
        self.api = api
        self.place = place
        self._arn = arn
        self._clock = clock

    @property
    def listener(self) -> str:
        return re.sub(r":listener-rule/(.*)/[^/]*$", r":listener/\1", self._arn())

    def read(self) -> list[Rule]:
        return self.api.pages("describe_rules", "Rules", ListenerArn=self.listener)

    def base(self, rules: t.Sequence[Rule]) -> Base:
        found = Base.of(rules, self._arn())
        if found is None:
            raise RolloutError(f"{self.place}: the listener has no rules. Is it an Application Load Balancer's?")
        return found

    def require_admin(self) -> None:
        """A request that AWS cannot carry out, whoever asks."""
        (listener,) = self.api.call("describe_listeners", ListenerArns=[self.listener])["Listeners"]
        if listener.get("Protocol") not in ("HTTP", "HTTPS"):
            raise RolloutError(
                f"{self.place}: the listener uses {listener.get('Protocol')}, which has neither headers nor pages: only an "
                "Application Load Balancer's does."
            )
        nothing = {
            "Conditions": [{"Field": "none"}],
            "Actions": [{"Type": "fixed-response"}],
            "Priority": aws_rules.LAST,
        }
        self.api.permitted("create_rule", ListenerArn=self.listener, **nothing)

    def create(self, make: t.Callable[[list[Rule]], dict[str, t.Any]]) -> None:
        """*make* gives the request for the rules as they are; asked again where its priority was taken meanwhile."""
        tries = 1
        while not self._created(make(self.read()), tries == TRIES):
            tries += 1

    def _created(self, request: dict[str, t.Any], last: bool) -> bool:
        try:
            self.api.call("create_rule", ListenerArn=self.listener, **request)
        except AwsError as error:
            if error.code != "PriorityInUse" or last:
                raise
            return False
        return True

    def settle(self, is_so: t.Callable[[list[Rule]], bool]) -> None:
        """What AWS accepted it may show a little later."""
        started = self._clock.now()
        while not is_so(self.read()) and self._clock.now() - started < SETTLE:
            self._clock.sleep(SETTLE_LOOK)


class AwsRoutes(Routes):
    """Testers' routes: rules that forward to one target group."""

    notes = (NOTE_CASE,)

    def __init__(self, rules: ListenerRules) -> None:
        self._rules = rules

    def read(self, testers: Selector) -> Seen:
        return Seen(aws_rules.target_of(self._find(self._rules.read(), testers)))

    def resolve(self, target: str) -> str:
        return aws_forward.group_name(self._group(target))

    def require_admin(self) -> None:
        self._rules.require_admin()

    def send(self, testers: Selector, target: str) -> None:
        found = self._find(self._rules.read(), testers)
        if not target:
            if found:
                self._rules.api.call("delete_rule", RuleArn=found["RuleArn"])
        elif found:
            base = self._rules.base(self._rules.read())
            actions = aws_rules.forwarding(base, self._group(target), self._rules.place)
            self._rules.api.call("modify_rule", RuleArn=found["RuleArn"], Actions=actions)
        else:
            self._rules.create(lambda rules: self._request(rules, testers, target))
        self._rules.settle(lambda rules: aws_rules.target_of(self._find(rules, testers)) == target)

    def _request(self, rules: list[Rule], testers: Selector, target: str) -> dict[str, t.Any]:
        base, place = self._rules.base(rules), self._rules.place
        transforms = {"Transforms": base.transforms} if base.transforms else {}
        return {
            "Conditions": [*base.conditions, aws_rules.header_condition(testers)],
            "Actions": aws_rules.forwarding(base, self._group(target), place),
            "Priority": aws_rules.priority_for_testers(rules, base, place),
            **transforms,
        }

    def _find(self, rules: list[Rule], testers: Selector) -> Rule | None:
        conditions = [*self._rules.base(rules).conditions, aws_rules.header_condition(testers)]
        return aws_rules.find(rules, conditions)

    def _group(self, target: str) -> str:
        return str(find_target_group(self._rules.api, target)["TargetGroupArn"])


class AwsPages(Pages):
    """The maintenance page: a rule with a fixed response."""

    longest = 1024
    notes = (NOTE_NO_RETRY_AFTER,)

    def __init__(self, rules: ListenerRules) -> None:
        self._rules = rules

    def read(self) -> Shown:
        return Shown(aws_rules.page_of(self._find(self._rules.read())))

    def fitted(self, page: Page) -> Page:
        if page.content_type not in CONTENT_TYPES:
            raise InputError(
                f"content_type: AWS has no '{page.content_type}' for a page of its own; it has {', '.join(CONTENT_TYPES)}."
            )
        return super().fitted(dataclasses.replace(page, retry_after=None))

    def require_admin(self) -> None:
        self._rules.require_admin()

    def show(self, page: Page | None) -> None:
        found = self._find(self._rules.read())
        if page is None:
            if found:
                self._rules.api.call("delete_rule", RuleArn=found["RuleArn"])
        elif found:
            self._rules.api.call("modify_rule", RuleArn=found["RuleArn"], Actions=aws_rules.answering(page))
        else:
            self._rules.create(lambda rules: self._request(rules, page))
        self._rules.settle(lambda rules: aws_rules.page_of(self._find(rules)) == page)

    def _request(self, rules: list[Rule], page: Page) -> dict[str, t.Any]:
        base = self._rules.base(rules)
        return {
            "Conditions": aws_rules.page_conditions(base),
            "Actions": aws_rules.answering(page),
            "Priority": aws_rules.priority_for_page(rules, base, self._rules.place),
        }

    def _find(self, rules: list[Rule]) -> Rule | None:
        return aws_rules.find(rules, aws_rules.page_conditions(self._rules.base(rules)), page=True)
