# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Rules of an AWS listener for testers and for a maintenance page: which one it is, and which priority is free. No I/O.

A rule of ours has the conditions of the one that it stands before (none, where that is the listener's default action)
and one more. These identify it: rules in AWS have no other lasting identity.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import routing
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import forward as aws_forward
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.forward import Action
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Selector
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

Rule = t.Dict[str, t.Any]
Condition = t.Dict[str, t.Any]
Key = t.FrozenSet[t.Tuple[t.Any, ...]]

LAST = 50000
EVERYTHING: Condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["*"]}}
# Where AWS keeps the values of each kind of condition.
CONFIGS = (
    "HostHeaderConfig",
    "PathPatternConfig",
    "HttpHeaderConfig",
    "HttpRequestMethodConfig",
    "SourceIpConfig",
    "QueryStringConfig",
)
HIDDEN_SECRET = "authenticate-oidc"


class Base(t.NamedTuple):
    """What rules of ours stand before: a rule, or the listener's default action."""

    conditions: list[Condition]
    priority: int
    actions: list[Action]
    transforms: list[dict[str, t.Any]]

    @classmethod
    def of(cls, rules: t.Sequence[Rule], arn: str) -> Base | None:
        """The rule with this ARN, or the default action for any other; None where there is neither."""
        found = [rule for rule in rules if rule["RuleArn"] == arn] or [rule for rule in rules if rule["IsDefault"]]
        if not found:
            return None
        rule = found[0]
        priority = LAST + 1 if rule["IsDefault"] else int(rule["Priority"])
        return cls(written(rule["Conditions"]), priority, rule["Actions"], rule.get("Transforms") or [])


def header_condition(testers: Selector) -> Condition:
    if testers.kind == routing.HEADER:
        return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": testers.name, "Values": [testers.value]}}
    pattern = {"HttpHeaderName": "cookie", "RegexValues": [testers.cookie_pattern]}
    return {"Field": "http-header", "HttpHeaderConfig": pattern}


def page_conditions(base: Base) -> list[Condition]:
    """AWS has no rule without a condition."""
    return base.conditions or [EVERYTHING]


def find(rules: t.Sequence[Rule], conditions: t.Sequence[Condition], page: bool = False) -> Rule | None:
    """The rule that has exactly these conditions and shows a page, or does not."""
    wanted = key(conditions)
    fitting = (rule for rule in rules if not rule["IsDefault"] and key(rule["Conditions"]) == wanted)
    return next((rule for rule in fitting if bool(fixed_response(rule)) is page), None)


def fixed_response(rule: Rule) -> dict[str, t.Any]:
    """What the rule answers by itself with status 503; empty where it does not."""
    config: dict[str, t.Any] = rule["Actions"][-1].get("FixedResponseConfig") or {}
    return config if config.get("StatusCode") == "503" else {}


def target_of(rule: Rule | None) -> str:
    """The name of the target group that a rule forwards to; of ours it is one."""
    if not rule:
        return ""
    return ", ".join(sorted(map(aws_forward.group_name, aws_forward.weights(rule["Actions"][-1]))))


def page_of(rule: Rule | None) -> Page | None:
    config = fixed_response(rule) if rule else None
    return Page(config.get("MessageBody") or "", config.get("ContentType") or "", None) if config else None


def forwarding(base: Base, group: str, where: str) -> list[Action]:
    """The actions of the base, with all requests sent to one target group, by ARN."""
    if any(action["Type"] == HIDDEN_SECRET for action in base.actions):
        raise RolloutError(
            f"{where}: authenticates users by OIDC, with a secret that AWS never shows, so no other rule can do the same. "
            "Make a rule for testers there yourself."
        )
    before = [action for action in base.actions if action["Type"].startswith("authenticate")]
    forward: Action = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1}]}}
    if before:
        forward["Order"] = max(int(action.get("Order", 1)) for action in before) + 1
    return [*before, forward]


def answering(page: Page) -> list[Action]:
    config = {"StatusCode": "503", "ContentType": page.content_type, "MessageBody": page.body}
    return [{"Type": "fixed-response", "FixedResponseConfig": config}]


# Priorities


def priority_for_testers(rules: t.Sequence[Rule], base: Base, where: str) -> int:
    """After everybody's rules before the base, and after the page; one is left for a page that may come."""
    low, testers, pages = _neighbours(rules, base)
    taken = {*testers, *pages}
    begin = max([low, *pages]) + (1 if pages else 2)
    free = [*(number for number in range(begin, base.priority) if number not in taken)][:1]
    return free[0] if free else _none_free(low, base, where)


def priority_for_page(rules: t.Sequence[Rule], base: Base, where: str) -> int:
    """After everybody's rules before the base, and before testers' ones."""
    low, testers, pages = _neighbours(rules, base)
    end = min([base.priority, *testers])
    free = [number for number in range(low + 1, min(end, low + 2 + len(pages))) if number not in pages]
    return free[0] if free else _none_free(low, base, where)


def _none_free(low: int, base: Base, where: str) -> int:
    raise InputError(
        f"{where}: no priority is free for a rule of ours between {low} and {base.priority}. Spread the rules there, "
        "to leave at least two numbers."
    )


def _neighbours(rules: t.Sequence[Rule], base: Base) -> tuple[int, list[int], list[int]]:
    """The last priority of everybody else's rules before the base, and those of ours after it: testers', and pages."""
    page = key(page_conditions(base))
    others, testers, pages = [0], [], []
    for rule in rules:
        if rule["IsDefault"] or int(rule["Priority"]) >= base.priority:
            continue
        number, conditions = int(rule["Priority"]), key(rule["Conditions"])
        more = conditions - key(base.conditions)
        if fixed_response(rule) and conditions == page:
            pages.append(number)
        elif conditions > key(base.conditions) and [one[0] for one in more] == ["http-header"]:
            testers.append(number)
        else:
            others.append(number)
    low = max(others)
    return low, [number for number in testers if number > low], [number for number in pages if number > low]


# Conditions


def key(conditions: t.Iterable[Condition]) -> Key:
    """Conditions to compare: AWS keeps no order and says some twice."""
    return frozenset(_key(condition) for condition in conditions)


def _key(condition: Condition) -> tuple[t.Any, ...]:
    config: dict[str, t.Any] = next((condition[name] for name in CONFIGS if condition.get(name)), {})
    values = config.get("Values") or condition.get("Values") or ()
    plain = frozenset(str(sorted(value.items())) if isinstance(value, dict) else value.lower() for value in values)
    patterns = frozenset(config.get("RegexValues") or condition.get("RegexValues") or ())
    return condition["Field"], str(config.get("HttpHeaderName", "")).lower(), plain, patterns


def written(conditions: t.Iterable[Condition]) -> list[Condition]:
    """As they are to be sent: AWS gives hosts and paths in two forms and takes one."""
    return [
        {name: value for name, value in condition.items() if name == "Field" or name in CONFIGS}
        if any(condition.get(name) for name in CONFIGS)
        else dict(condition)
        for condition in conditions
    ]
