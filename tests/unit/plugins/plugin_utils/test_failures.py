# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils import failures

LB1, LB2 = {"host": "lb1"}, {"socket": "/run/lb2.sock"}


def test_the_name_of_our_task_says_what_kind_of_failure_it_is() -> None:
    assert failures.failure({"name": "Health | Wait"}, {"msg": "not healthy"}) == {
        "kind": "health",
        "error": "not healthy",
    }


@pytest.mark.parametrize("name", ["Migrate the database", "Migrate | Run", "", None])
def test_a_task_of_the_users_is_a_step(name: str | None) -> None:
    assert failures.failure({"name": name}, {"msg": "no"})["kind"] == "step"


def test_a_result_that_knows_its_kind_is_believed() -> None:
    assert failures.failure({"name": "Drain | Mark"}, {"msg": "gone", "kind": "balancer"})["kind"] == "balancer"


def test_the_text_is_that_of_the_loop_item_that_failed() -> None:
    looped = {"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "lb2 said no"}]}
    assert failures.failure_text(looped) == "lb2 said no"


def test_an_unreachable_item_counts_as_bad() -> None:
    assert failures.failure_text({"results": [{"unreachable": True, "msg": "no route"}]}) == "no route"


def test_a_command_that_only_wrote_to_stderr_is_quoted_on_one_line() -> None:
    assert failures.failure_text({"msg": "", "stderr": "a\n  b"}) == "a b"


def test_silence_is_said_too() -> None:
    assert failures.failure_text({}) == "The task failed without saying why."


def test_balancers_that_could_not_be_read_are_named() -> None:
    looped = {"results": [{"item": LB1}, {"item": LB2, "failed": True, "msg": "refused"}]}
    assert failures.silent_balancers(looped, [LB1, LB2]) == ["Balancer /run/lb2.sock does not answer: refused"]


def test_who_changed_what_where() -> None:
    marked = {"results": [{"item": LB1, "changed": True}]}
    drained = {"results": [{"item": LB2, "foreign": ["app1"], "waited": 3.5}, {"item": LB1, "waited": 1}]}
    assert failures.changed_on([marked, drained]) == [LB1]
    assert failures.foreign_on([marked, drained]) == ["/run/lb2.sock"]
    assert failures.longest_wait(drained) == 3.5
    assert failures.longest_wait({}) == 0.0
