# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types
import typing as t

import pytest
from ansible import constants as C

from ansible_collections.steady.rollout.plugins.callback.progress import CallbackModule
from ansible_collections.steady.rollout.plugins.plugin_utils import main_loop
from ansible_collections.steady.rollout.plugins.plugin_utils.watch import at_exit, interruption


class Screen:
    verbosity = 0

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.colour: str | None = None
        """Of the last line."""

    def display(self, text: str, color: str | None = None, **dummy: t.Any) -> None:
        self.lines.append(text)
        self.colour = color


class Role(str):
    def get_name(self) -> str:
        return self


def playbook_with(*roles: str) -> t.Any:
    """A playbook of one play, whose tasks come from these roles; an empty name is a task of no role."""
    tasks = [types.SimpleNamespace(_role=Role(role) if role else None) for role in roles]
    play = types.SimpleNamespace(get_tasks=lambda: [tasks])
    return types.SimpleNamespace(get_plays=lambda: [play], _file_name="site.yml")


@pytest.fixture(autouse=True)
def at_the_end(monkeypatch: pytest.MonkeyPatch) -> list[t.Callable[[], None]]:
    """What is called when ansible-playbook ends."""
    called: list[t.Callable[[], None]] = []
    monkeypatch.setattr(at_exit, "call", called.append)
    return called


@pytest.fixture
def progress() -> t.Any:
    callback = CallbackModule()
    callback._display = Screen()
    callback.v2_playbook_on_start(playbook_with("", "steady.rollout.rollout"))
    return callback


def result_of(action: str, outcome: dict[str, t.Any], name: str = "") -> t.Any:
    task = types.SimpleNamespace(action=action, get_name=lambda: name or action)
    return types.SimpleNamespace(task=task, host=types.SimpleNamespace(get_name=lambda: "app1"), result=outcome)


def shown(callback: t.Any) -> list[str]:
    """The lines without their time."""
    return [line.split("  ", 1)[-1] for line in callback._display.lines]


def test_the_plan_is_shown_as_the_ledger_words_it(progress: t.Any) -> None:
    progress.v2_runner_on_ok(
        result_of("steady.rollout.rollout", {"text": ["shop: 6 of 6 hosts to 2.0.0", "max unavailable 2"]})
    )
    assert shown(progress) == ["shop: 6 of 6 hosts to 2.0.0", "max unavailable 2"]


def test_what_the_gates_detect_is_shown(progress: t.Any) -> None:
    progress.v2_runner_on_ok(
        result_of("steady.rollout.gate_info", {"text": ["step 1 (5 %): only the limits are checked."]})
    )
    assert shown(progress) == ["step 1 (5 %): only the limits are checked."]


def test_a_block_is_said_in_one_line_and_what_only_prepares_says_nothing(progress: t.Any) -> None:
    progress.v2_runner_on_ok(result_of("steady.rollout.rollout_control", {"msg": "shop is blocked by ana"}))
    silent = result_of("steady.rollout.rollout_info", {"text": ["shop: 2.0.0 forward, done"]})
    silent.task.vars = {"__rollout_silent": True}
    progress.v2_runner_on_ok(silent)
    assert shown(progress) == ["shop is blocked by ana"]


def test_the_outcome_is_the_last_line_and_shown_once(progress: t.Any) -> None:
    outcome = {"succeeded": True, "message": "shop: all done.", "text": ["host  from", "shop: all done."]}
    progress.v2_runner_on_ok(result_of("steady.rollout.rollout", outcome))
    progress.v2_playbook_on_stats(None)
    assert shown(progress) == ["from", "shop: all done."]


def test_the_end_of_one_service_of_several_is_shown_where_it_happens_and_is_not_the_last_line(progress: t.Any) -> None:
    one = {"succeeded": True, "in_release": True, "message": "db: all done.", "text": ["host  from", "db: all done."]}
    progress.v2_runner_on_ok(result_of("steady.rollout.rollout", one))
    progress.v2_runner_on_ok(result_of("steady.rollout.rollout_tiers", {"text": ["api: 2.0.0, service 2 of 2"]}))
    progress.v2_runner_on_failed(result_of("ansible.builtin.fail", {"msg": "api: no."}, name="Conclude | Fail the run"))
    end = {"succeeded": False, "message": "rolled back", "text": ["rolled back"]}
    progress.v2_runner_on_ok(result_of("steady.rollout.rollout_tiers", end))
    progress.v2_playbook_on_stats(None)
    assert shown(progress) == ["from", "db: all done.", "api: 2.0.0, service 2 of 2", "rolled back"]
    assert progress._display.colour == C.COLOR_ERROR


def test_a_run_that_failed_after_its_success_was_printed_does_not_end_in_green(progress: t.Any) -> None:
    """What comes after the conclusion, such as your own last task, may fail all the same."""
    outcome = {"succeeded": True, "message": "shop: all done.", "text": []}
    progress.v2_runner_on_ok(result_of("steady.rollout.rollout", outcome))
    progress.v2_runner_on_failed(result_of("ansible.builtin.command", {"msg": "ignored"}), ignore_errors=True)
    progress.v2_playbook_on_stats(None)
    assert progress._display.colour == C.COLOR_OK
    progress.v2_runner_on_failed(result_of("ansible.builtin.command", {"msg": "exit 3"}))
    progress.v2_playbook_on_stats(None)
    assert progress._display.colour == C.COLOR_ERROR


def test_other_tasks_are_silent_unless_they_fail(progress: t.Any) -> None:
    progress.v2_runner_on_ok(result_of("ansible.builtin.command", {"stdout": "fine"}))
    assert shown(progress) == []
    progress.v2_runner_on_failed(result_of("ansible.builtin.command", {"msg": "first"}))
    progress.v2_runner_on_failed(result_of("ansible.builtin.command", {"msg": "exit 3"}, "Migrate"))
    assert shown(progress) == ["app1  Migrate: exit 3"], "the first failure is the ending, which comes last"


def test_what_no_log_hides_is_not_shown(progress: t.Any) -> None:
    progress.v2_runner_on_failed(result_of("ansible.builtin.command", {"msg": "other"}))
    progress.v2_runner_on_failed(
        result_of("ansible.builtin.command", {"msg": "hunter2", "_ansible_no_log": True}, "Log in")
    )
    assert shown(progress) == ["app1  Log in: the output is hidden by no_log"]


def test_a_playbook_that_is_no_rollout_is_shown_as_ansible_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(
        "ansible.plugins.callback.default.CallbackModule.v2_playbook_on_play_start",
        lambda self, play: seen.append("play"),
    )
    callback = CallbackModule()
    callback._display = Screen()
    monkeypatch.setattr(
        "ansible.plugins.callback.default.CallbackModule.v2_playbook_on_start", lambda self, playbook: None
    )
    callback.v2_playbook_on_start(playbook_with("", "geerlingguy.nginx"))
    callback.v2_playbook_on_play_start(None)
    assert seen == ["play"]


def test_a_host_in_its_rollout_lets_ansibles_own_process_rest(progress: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "DEFAULT_INTERNAL_POLL_INTERVAL", 0.03)
    host = types.SimpleNamespace(get_name=lambda: "app1")
    progress.v2_runner_on_start(host, types.SimpleNamespace(action=main_loop.ROLL))
    resting = C.DEFAULT_INTERNAL_POLL_INTERVAL
    progress.v2_playbook_on_play_start(None)
    assert (resting, C.DEFAULT_INTERNAL_POLL_INTERVAL) == (main_loop.PATIENT, progress._main_loop._usual)
    assert shown(progress) == []


def test_the_plan_says_how_many_hosts_have_a_head_start(progress: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(progress._main_loop, "about_to_start", started.append)
    progress.v2_runner_on_ok(result_of("steady.rollout.rollout", {"max_unavailable": 4}))
    progress.v2_playbook_on_task_start(types.SimpleNamespace(action=main_loop.ROLL, vars={}), False)
    assert (progress._main_loop.window, started) == (4, [main_loop.ROLL])


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the watch says of a run that is interrupted."""
    said = ["app1: drained on lb1; may be half-updated to 2.0.0", "Run the same command again."]
    monkeypatch.setattr(interruption, "newest_lines", lambda: said)
    return said


def opened(callback: t.Any) -> None:
    callback.v2_runner_on_ok(result_of("steady.rollout.rollout", {"run": "r1"}))


def test_ctrl_c_printed_nothing(progress: t.Any, lines: list[str], at_the_end: list[t.Callable[[], None]]) -> None:
    opened(progress)
    for call in at_the_end:
        call()
    assert shown(progress) == ["The rollout was interrupted.", *lines]


def test_a_run_that_came_to_its_end_was_not_interrupted(
    progress: t.Any, lines: list[str], at_the_end: list[t.Callable[[], None]]
) -> None:
    opened(progress)
    progress.v2_playbook_on_stats(None)
    for call in at_the_end:
        call()
    assert shown(progress) == []


def test_before_the_lease_is_taken_there_is_nothing_to_say(
    progress: t.Any, lines: list[str], at_the_end: list[t.Callable[[], None]]
) -> None:
    (call,) = at_the_end
    call()
    assert shown(progress) == []


def test_differences_in_files_are_shown_by_host_and_those_in_the_ledger_are_not(progress: t.Any) -> None:
    """--diff showed nothing of what a configuration would change."""
    diff = [{"before": "a\n", "after": "b\n", "before_header": "/etc/shop.conf", "after_header": "shop.conf.j2"}]
    results = [{"changed": True, "diff": diff}, {"changed": False, "diff": diff}]
    progress.v2_on_file_diff(result_of("ansible.builtin.template", {"results": results}, "Write the templates"))
    progress.v2_on_file_diff(result_of("ansible.builtin.copy", {"changed": True, "diff": diff}, "Write a file"))
    progress.v2_on_file_diff(result_of("steady.rollout.rollout", {"changed": True, "diff": diff}))
    text = "".join(progress._display.lines)
    assert progress._display.lines[0] == "app1  Write the templates"
    assert progress._display.lines[2] == "app1  Write a file"
    assert (len(progress._display.lines), text.count("--- before: /etc/shop.conf"), text.count("+b")) == (4, 2, 2)


def test_a_task_that_may_take_long_says_what_it_is_at(progress: t.Any) -> None:
    """Nothing was printed for 40 s while packages were read on a busy fleet."""
    said = types.SimpleNamespace(action="package", vars={"__rollout_says": "fetching the lists of packages"})
    for task in (said, types.SimpleNamespace(action="package", vars={})):
        progress.v2_playbook_on_task_start(task, False)
    assert shown(progress) == ["fetching the lists of packages"]
