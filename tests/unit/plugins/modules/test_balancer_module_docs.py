"""What the documentation of the balancer modules says is what they accept and return."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from support.documented import accepted, documented
from support.pools import member

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Counters
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import report as member_report
from ansible_collections.steady.rollout.plugins.modules import lb_member, lb_member_info, lb_pool


@pytest.mark.parametrize("module", [lb_member, lb_member_info, lb_pool])
def test_options(module: t.Any) -> None:
    assert accepted(module) == documented(module)


def test_results_of_lb_member_info() -> None:
    returned = yaml.safe_load(lb_member_info.RETURN)
    assert set(returned["members"]["contains"]) == {*member_report.facts(member("a")), "counters"}
    counted = member_report.counted(Counters(requests=1, errors=0))
    assert set(returned["members"]["contains"]["counters"]["contains"]) == set(counted or {})


def test_results_of_lb_member() -> None:
    returned = yaml.safe_load(lb_member.RETURN)
    assert set(returned) | {"changed"} == set(member_report.nothing_done("shop"))
    facts = set(member_report.facts(member("a"))) - {"own"}
    assert set(returned["members"]["contains"]) == facts | {
        "before",
        "after",
        "outcome",
        "waited",
        "sessions_at_start",
    }
