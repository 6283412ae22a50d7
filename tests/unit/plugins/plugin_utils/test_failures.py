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


def test_a_member_that_somebody_else_took_out_is_said_in_our_words() -> None:
    looped = {
        "msg": "Action failed.",
        "results": [{"item": LB1}, {"item": LB2, "failed": True, "drained_externally": ["app1"]}],
    }
    assert failures.failure({"name": "Drain | Mark"}, looped) == {
        "kind": "drained_externally",
        "error": "taken out of service on /run/lb2.sock by somebody else",
    }


def test_looks_that_fail_on_every_host_show_that_the_question_is_wrong() -> None:
    wrong, fine = {"failed": True, "msg": "expect is not JMESPath."}, {"healthy": False}
    seen = {"app1": {"__rollout_look": wrong}, "app2": {"__rollout_look": wrong}, "app3": {"__rollout_look": fine}}
    assert failures.no_look(["app1", "app2"], seen) == "expect is not JMESPath."
    assert failures.no_look(["app1", "app2", "app3"], seen) == ""
    assert failures.no_look(["app4"], {"app4": {}}) == ""


def test_the_text_is_that_of_the_loop_item_that_failed() -> None:
    looped = {"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "lb2 said no"}]}
    assert failures.failure_text(looped) == "lb2 said no"


def test_an_unreachable_item_counts_as_bad() -> None:
    assert failures.failure_text({"results": [{"unreachable": True, "msg": "no route"}]}) == "no route"


def test_a_command_that_only_wrote_to_stderr_is_quoted_on_one_line() -> None:
    assert failures.failure_text({"msg": "", "stderr": "a\n  b"}) == "a b"


def test_a_command_that_failed_is_quoted_with_its_last_words() -> None:
    failed = {"msg": "non-zero return code", "stdout": "sends 100 requests\n", "stderr": "oha: 3 of them failed\n\n"}
    assert failures.failure_text(failed) == "non-zero return code: oha: 3 of them failed"
    assert failures.failure_text({**failed, "stderr": ""}) == "non-zero return code: sends 100 requests"
    assert failures.failure_text({"msg": "non-zero return code"}) == "non-zero return code"


@pytest.mark.parametrize(
    ("after_ssh", "why"),
    [
        ("", ""),
        (" mux_client_request_session: read from master failed: Broken pipe\r\nssh: connect to host 192.0.2.1 port 22: "
         "Connection timed out", " (connect to host 192.0.2.1 port 22: Connection timed out)"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "Task failed: "])
def test_a_host_lost_in_the_middle_of_a_task_is_said_in_few_words(before: str, after_ssh: str, why: str) -> None:
    said = 'Data could not be sent to remote host "192.0.2.1". Make sure this host can be reached over ssh:'
    assert failures.failure_text({"msg": f"{before}{said}{after_ssh}"}) == f"192.0.2.1 cannot be reached over ssh{why}."


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Failed to connect to the host via ssh: ops@192.0.2.1: Permission denied (publickey).",
         " (ops@192.0.2.1: Permission denied (publickey))"),
        ("Failed to connect to the host via ssh: ", ""),
    ],
)  # fmt: skip
def test_a_host_that_does_not_answer_is_named_as_the_inventory_names_it(text: str, why: str) -> None:
    assert failures.unreachable("lb2", text) == f"lb2 cannot be reached over ssh{why}."


def test_silence_is_said_too() -> None:
    assert failures.failure_text({}) == "The task failed without saying why."


def test_balancers_that_could_not_be_read_are_named() -> None:
    looped = {"results": [{"item": LB1}, {"item": LB2, "failed": True, "msg": "refused"}]}
    assert failures.silent_balancers(looped, [LB1, LB2]) == ["Balancer /run/lb2.sock cannot be used: refused"]


def test_who_changed_what_where() -> None:
    marked = {"results": [{"item": LB1, "changed": True}]}
    drained = {"results": [{"item": LB2, "drained_externally": ["app1"], "waited": 3.5}, {"item": LB1, "waited": 1}]}
    assert failures.changed_on([marked, drained]) == [LB1]
    assert failures.foreign_on([marked, drained]) == ["/run/lb2.sock"]
    assert failures.longest_wait(drained) == 3.5
    assert failures.longest_wait({}) == 0.0
