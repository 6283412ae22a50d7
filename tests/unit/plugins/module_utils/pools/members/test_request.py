# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.request import Request
from ansible_collections.steady.rollout.plugins.modules import lb_member

DEFAULTS: dict[str, t.Any] = {
    name: option.get("default") for name, option in lb_member.SPEC["argument_spec"].items() if name != "balancer"
}


def request(**options: t.Any) -> Request:
    return Request.from_params({**DEFAULTS, **options})


def refusal(**options: t.Any) -> str:
    with pytest.raises(InputError) as refused:
        request(**options)
    return refused.value.message


def test_one_state_for_all_or_one_for_each() -> None:
    assert request(members=["app1", "app2"], state="drained").wanted == {"app1": "drained", "app2": "drained"}
    assert request(states={"app1": "drained", "app2": "in_service"}).wanted == {"app1": "drained", "app2": "in_service"}


def test_a_state_that_is_none_is_named_with_those_there_are() -> None:
    said = refusal(states={"app1": "gone"})
    assert said.startswith("states: 'app1' cannot be 'gone', only ")
    assert "'drained'" in said


def test_an_empty_list_of_members_is_a_mistake() -> None:
    assert refusal(members=[], state="drained") == "members: the list is empty; name at least one member of the pool."


@pytest.mark.parametrize(
    "wanted", [{"members": ["app1"], "state": "in_service"}, {"states": {"app1": "drained", "app2": "in_service"}}]
)
def test_the_sessions_of_a_member_that_returns_are_not_ended(wanted: dict[str, t.Any]) -> None:
    assert refusal(on_timeout="force", **wanted) == (
        "on_timeout: 'force' ends the sessions of members that are taken out; "
        "for state=in_service use 'fail', 'continue' or 'restore'."
    )
    assert request(on_timeout="force", members=["app1"], state="drained").on_timeout == "force"
