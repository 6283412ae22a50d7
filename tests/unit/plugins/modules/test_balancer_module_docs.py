"""What the documentation of the balancer modules says is what they accept and return."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from support.pools import member

from ansible_collections.steady.rollout.plugins.doc_fragments import balancer
from ansible_collections.steady.rollout.plugins.module_utils import member_report
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Counters
from ansible_collections.steady.rollout.plugins.modules import lb_member, lb_member_info

Options = t.Dict[str, t.Any]


def comparable(options: Options, nested: str) -> Options:
    """Type, default, choices and so on of all options, by dotted name."""
    flat = {}
    for name, option in options.items():
        facts = {key: option.get(key) for key in ("type", "elements", "choices", "default", "required")}
        facts["required"] = bool(facts["required"])
        flat[name] = facts
        for inner, more in comparable(option.get(nested) or {}, nested).items():
            flat[f"{name}.{inner}"] = more
    return flat


@pytest.mark.parametrize("module", [lb_member, lb_member_info])
def test_options(module: t.Any) -> None:
    documented = yaml.safe_load(balancer.ModuleDocFragment.DOCUMENTATION)["options"]
    documented.update(yaml.safe_load(module.DOCUMENTATION)["options"])
    assert comparable(module.SPEC["argument_spec"], "options") == comparable(documented, "suboptions")


def test_results_of_lb_member_info() -> None:
    documented = yaml.safe_load(lb_member_info.RETURN)
    assert set(documented["members"]["contains"]) == {*member_report.facts(member("a")), "counters"}
    counted = member_report.counted(Counters(requests=1, errors=0))
    assert set(documented["members"]["contains"]["counters"]["contains"]) == set(counted or {})


def test_results_of_lb_member() -> None:
    documented = yaml.safe_load(lb_member.RETURN)
    assert set(documented) | {"changed"} == set(member_report.nothing_done("shop"))
    facts = set(member_report.facts(member("a"))) - {"own"}
    assert set(documented["members"]["contains"]) == facts | {
        "before",
        "after",
        "outcome",
        "waited",
        "sessions_at_start",
    }
