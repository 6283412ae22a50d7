# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.steady.rollout.plugins.plugin_utils import failures


def test_a_task_of_the_users_that_failed_is_a_step_whatever_it_is_called() -> None:
    assert failures.failure({"name": "Health | Wait"}, {"msg": "not healthy"}) == {
        "kind": "step",
        "error": "'Health | Wait': not healthy",
        "timed_out": False,
    }


@pytest.mark.parametrize(
    "result",
    [
        {"msg": "Task failed: Timed out after 60 second(s).", "timedout": {"period": 60}},
        {"msg": "The command action failed to execute in the expected time frame (60) and was terminated"},
    ],
)
def test_a_task_whose_time_was_over_is_known_on_every_ansible_core(result: dict[str, object]) -> None:
    assert failures.failure({"name": "Migrate"}, result)["timed_out"] is True


@pytest.mark.parametrize(
    ("task", "result"),
    [
        ({"name": "Log in", "no_log": True}, {"msg": "hunter2 is wrong"}),
        ({"name": "Log in"}, {"results": [{"failed": True, "msg": "hunter2 is wrong", "_ansible_no_log": True}]}),
    ],
)
def test_no_log_of_a_users_step_was_defeated_by_its_failure_text(
    task: dict[str, object], result: dict[str, object]
) -> None:
    assert failures.failure(task, result)["error"] == "'Log in': failed; its output is hidden by no_log"


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
    assert failures.failure_text({}) == "The task failed without a message."


def test_a_failed_step_is_named_with_its_task_and_its_place(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "update.yml"
    path.write_text("- name: Look\n  command: 'true'\n\n- name: Migrate\n  command: 'false'\n")
    task = DataLoader().load_from_file(str(path))[1]
    failed = {"msg": "non-zero return code"}
    assert failures.failure(task, failed)["error"] == f"'Migrate' ({path}:4): non-zero return code"
    unnamed = {"name": "", "action": "command", "args": {"_raw_params": task["command"]}}
    assert failures.failure(unnamed, failed)["error"] == f"'command' ({path}:5): non-zero return code"
    assert failures.failure({"name": "Migrate"}, failed)["error"] == "'Migrate': non-zero return code"
