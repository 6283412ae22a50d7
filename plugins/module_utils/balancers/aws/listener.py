# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Shares of target groups in one listener or rule of an AWS load balancer.

One ModifyListener or ModifyRule changes all weights at once. Both leave alone what is not named in them; of the
actions, which are replaced as a whole, everything but the weights is sent back as AWS gave it.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import api as aws_api
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import forward as aws_forward
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.api import Api, AwsError
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.routes import (
    AwsPages,
    AwsRoutes,
    ListenerRules,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.snapshots import Polls
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.target_group import (
    API_VERSION,
    SETTLE,
    SETTLE_LOOK,
    find_target_group,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Member,
    Snapshot,
    WeightLimits,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Pages, Routes
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

NAMED = re.compile(r"^(?P<balancer>[A-Za-z0-9-]+):(?P<port>\d{1,5})(?:/(?P<priority>\d{1,5}))?\Z")
LISTENER = re.compile(r"^arn:[^:]+:elasticloadbalancing:[^:]*:\d*:listener/\S+\Z")
RULE = re.compile(r"^arn:[^:]+:elasticloadbalancing:[^:]*:\d*:listener-rule/\S+\Z")


def open_listener(settings: dict[str, t.Any]) -> Listener:
    """Raises InputError where the settings cannot be right; calls no API yet."""
    pool = settings["pool"]
    if not any(form.match(pool) for form in (NAMED, LISTENER, RULE)):
        raise InputError(
            f"balancer.pool: '{pool}' is neither 'load-balancer:port' (a listener), 'load-balancer:port/priority' (one "
            "of its rules), nor the ARN of a listener or rule."
        )
    session = aws_api.open_session(settings)
    api = session.api("elbv2", "elasticloadbalancing")
    return Listener(pool, api, settings.get("target_groups") or (), Clock())


class Listener(Balancer):
    """One listener's default action, or one rule. Its members are the target groups that it forwards to.

    *more* are target groups, by name or ARN, to be members with weight 0 although it does not forward to them yet.
    """

    capabilities = frozenset({contract.CAN_WEIGH, contract.CAN_WEIGH_AT_ONCE, contract.CAN_ROUTE, contract.CAN_PAGE})
    lacks = {
        contract.CAN_DRAIN: "target groups have weights and are not drained; their targets are (aws_target_group)",
        contract.CAN_MAINTAIN: "target groups only have weights; their targets can be set to maintenance (aws_target_group)",
        contract.CAN_END_SESSIONS: "AWS has no request that cuts connections",
        contract.CAN_SAVE: "AWS keeps every change by itself",
        contract.CAN_LOG: "AWS writes its access logs to S3, minutes later",
        contract.CAN_COUNT: "AWS counts in CloudWatch; use metric_gate with the source cloudwatch",
        contract.CAN_ADD: "its target groups are configuration (balancer.target_groups); add targets to a target group "
        "(aws_target_group)",
    }
    weight_limits = WeightLimits(1, aws_forward.HEAVIEST)

    def __init__(self, pool: str, api: Api, more: t.Sequence[str], clock: Clock) -> None:
        super().__init__(pool, api.where)
        self._api = api
        self._more = more
        self._arn = ""
        self._more_names: dict[str, str] | None = None
        self._clock = clock
        self._polls = Polls(self._read, clock)

    def version(self) -> str:
        return API_VERSION

    def require_admin(self) -> None:
        """Both requests ask for no change at all."""
        if self._is_rule:
            self._api.permitted("modify_rule", RuleArn=self._found_arn)
        else:
            self._api.permitted("modify_listener", ListenerArn=self._found_arn)

    def snapshot(self) -> Snapshot:
        return self._polls.snapshot()

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        raise RolloutError(
            f"{self.where}: {quoted(states)} are target groups, which have weights and are not drained: use lb_weight, or "
            "balancer.type=aws_target_group for their targets."
        )

    def routes(self) -> Routes:
        return AwsRoutes(self._rules())

    def pages(self) -> Pages:
        return AwsPages(self._rules())

    def _rules(self) -> ListenerRules:
        return ListenerRules(self._api, self._place, lambda: self._found_arn, self._clock)

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        """All in one change; raises InputError for weights that AWS would not take."""
        self._polls.reset()
        actions = self._actions()
        now = aws_forward.weights(aws_forward.forward(actions, self._place))
        arns = self._arns(now)
        self.check_members(self._read(), weights)
        wanted = {**{arn: now.get(arn, 0) for arn in arns.values()}, **{arns[name]: weights[name] for name in weights}}
        after = {**now, **wanted}
        aws_forward.check({aws_forward.group_name(arn): weight for arn, weight in after.items()}, self._place)
        if after != now:
            self._modify(aws_forward.reweighted(actions, wanted))
            self._settle(after)

    @property
    def _place(self) -> str:
        return f"{self.where} {self.pool}"

    # What AWS shows

    @property
    def _found_arn(self) -> str:
        if not self._arn:
            self._arn = self._find()
        return self._arn

    @property
    def _is_rule(self) -> bool:
        return bool(RULE.match(self._found_arn))

    def _find(self) -> str:
        named = NAMED.match(self.pool)
        if not named:
            return self.pool
        listeners = self._api.pages(
            "describe_listeners", "Listeners", LoadBalancerArn=self._balancer(named["balancer"])
        )
        ports = {str(one["Port"]): one["ListenerArn"] for one in listeners if one.get("Port")}
        if named["port"] not in ports:
            raise InputError(
                f"{self.where}: load balancer '{named['balancer']}' does not listen on port {named['port']}; it does "
                f"on {quoted(ports) or 'none'}."
            )
        listener = str(ports[named["port"]])
        return self._rule(listener, named["priority"]) if named["priority"] else listener

    def _balancer(self, name: str) -> str:
        try:
            (found,) = self._api.pages("describe_load_balancers", "LoadBalancers", Names=[name])
        except AwsError as error:
            if error.code != "LoadBalancerNotFound":
                raise
            known = [one["LoadBalancerName"] for one in self._api.pages("describe_load_balancers", "LoadBalancers")]
            raise InputError(
                f"{self.where}: no load balancer '{name}'; there are {quoted(known) or 'none'}. Correct balancer.pool, "
                "or balancer.region and the account."
            ) from error
        return str(found["LoadBalancerArn"])

    def _rule(self, listener: str, priority: str) -> str:
        rules = self._api.pages("describe_rules", "Rules", ListenerArn=listener)
        by_priority = {one["Priority"]: one["RuleArn"] for one in rules if not one["IsDefault"]}
        if str(int(priority)) not in by_priority:
            raise InputError(
                f"{self._place}: no rule has the priority {priority}; there are {quoted(by_priority) or 'none'}."
            )
        return str(by_priority[str(int(priority))])

    def _actions(self) -> list[aws_forward.Action]:
        arn = self._found_arn
        if self._is_rule:
            (rule,) = self._api.call("describe_rules", RuleArns=[arn])["Rules"]
            return list(rule["Actions"])
        (listener,) = self._api.call("describe_listeners", ListenerArns=[arn])["Listeners"]
        return list(listener["DefaultActions"])

    def _modify(self, actions: list[aws_forward.Action]) -> None:
        if self._is_rule:
            self._api.call("modify_rule", RuleArn=self._found_arn, Actions=actions)
        else:
            self._api.call("modify_listener", ListenerArn=self._found_arn, DefaultActions=actions)

    def _arns(self, now: t.Iterable[str]) -> dict[str, str]:
        """ARN by name of every target group that is or may become a member."""
        if self._more_names is None:
            self._more_names = {str(find_target_group(self._api, name)["TargetGroupArn"]): name for name in self._more}
        return {self._more_names.get(arn, aws_forward.group_name(arn)): arn for arn in [*now, *self._more_names]}

    def _settle(self, weights: t.Mapping[str, int]) -> None:
        """What AWS accepted it may show a little later."""
        started = self._clock.now()
        while aws_forward.weights(aws_forward.forward(self._actions(), self._place)) != weights:
            if self._clock.now() - started >= SETTLE:
                return
            self._clock.sleep(SETTLE_LOOK)

    # Looking

    def _read(self) -> Snapshot:
        action = aws_forward.forward(self._actions(), self._place)
        now = aws_forward.weights(action)
        total = sum(now.values())
        members = {name: self._member(name, arn, now.get(arn, 0), arn in now) for name, arn in self._arns(now).items()}
        notes = []
        seconds = aws_forward.stickiness(action)
        if seconds:
            notes.append(f"Clients stay with their target group for {seconds} s: a share holds for new clients.")
        if now and not total:
            notes.append("Every target group has the weight 0: clients get an error.")
        return Snapshot(pool=self.pool, members=members, notes=tuple(notes))

    def _member(self, name: str, arn: str, weight: int, attached: bool) -> Member:
        answer = self._api.call("describe_target_health", TargetGroupArn=arn)
        states = [one["TargetHealth"]["State"] for one in answer["TargetHealthDescriptions"]]
        operational = _operational(states)
        usable = weight > 0 and operational in contract.FULLY_UP
        healthy = f"{states.count('healthy')} of {len(states)} targets are healthy"
        return Member(
            name=name,
            address=arn,
            own=contract.IN_SERVICE,
            admin=contract.IN_SERVICE,
            operational=operational,
            weight=weight,
            sessions=0,
            queue=0,
            old_sessions=None,
            usable=usable,
            in_rotation=usable,
            check=healthy if attached else f"{healthy}; not forwarded to yet, which its health checks wait for",
        )


def _operational(states: t.Sequence[str]) -> str:
    """A group is as well as its best target."""
    if "healthy" in states:
        return contract.UP
    return contract.NO_CHECK if "unavailable" in states else contract.DOWN
