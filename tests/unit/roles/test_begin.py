# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks refuse before anything is touched, as Ansible itself evaluates the roles' conditions."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from support.playbooks import played

GOOD: dict[str, t.Any] = {
    "rollout_service": "shop",
    "rollout_version": "2.0.0",
    "rollout_health": {"url": "http://127.0.0.1/health"},
    "rollout_update_tasks": "update.yml",
    "rollout_unit": "shop",
}
PAUSES = "- ansible.builtin.pause:\n    seconds: 1\n"
WRONG_SMOKE_TEST: dict[str, t.Any] = {"rollout_smoke_tests": [{"url": "/", "expect": "status =="}]}
BLUE_GREEN: dict[str, t.Any] = {"blue": ["app1"], "green": ["app2"]}
CASES: dict[str, tuple[str, dict[str, t.Any]]] = {
    "good": ("rollout", GOOD),
    "no service": ("rollout", {**GOOD, "rollout_service": ""}),
    "a step that pauses": ("rollout", {**GOOD, "rollout_before_drain_tasks": "pauses.yml"}),
    "a gate that pauses": ("rollout", {**GOOD, "rollout_gate_tasks": "pauses.yml"}),
    "wrong smoke test": ("rollout", {**GOOD, **WRONG_SMOKE_TEST}),
    "wrong smoke test, rolling back": ("rollout", {**GOOD, **WRONG_SMOKE_TEST, "__rollout_direction": "back"}),
    "canary of nobody": ("canary", {"rollout_canary_group": []}),
    "canary by number": ("canary", {"rollout_canary_group": [], "rollout_canary_steps": [{"hosts": 1}]}),
    "canary of a group": ("canary", {"rollout_canary_group": ["app1"]}),
    "three colours": ("blue_green", {"rollout_colours": {**BLUE_GREEN, "red": ["app3"]}}),
    "one colour": ("blue_green", {"rollout_colours": {"blue": ["app1"]}}),
    "two colours": ("blue_green", {"rollout_colours": BLUE_GREEN}),
}


def case(name: str, role: str, settings: dict[str, t.Any]) -> dict[str, t.Any]:
    """Notes what the role's beginning failed with; nothing where it let the settings pass."""
    begin = {
        "ansible.builtin.include_role": {"name": f"steady.rollout.{role}", "tasks_from": "begin"},
        "vars": settings,
    }
    noted = "{{ found | default({}) | combine({name: ansible_failed_result.msg}) }}"
    return {
        "block": [begin],
        "rescue": [{"ansible.builtin.set_fact": {"found": noted}, "vars": {"name": name}}],
        "always": [{"ansible.builtin.meta": "clear_host_errors"}],
    }


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    directory = tmp_path_factory.mktemp("begin")
    (directory / "pauses.yml").write_text(PAUSES)
    (directory / "update.yml").write_text("- ansible.builtin.command: update\n")
    content = {"content": "{{ found | default({}) | to_json }}", "dest": f"{directory}/found", "mode": "0600"}
    cases = [case(name, *given) for name, given in CASES.items()]
    code, printed = played(directory, {"tasks": [*cases, {"ansible.builtin.copy": content}]})
    assert code == 0, printed
    return t.cast("dict[str, str]", json.loads((directory / "found").read_text()))


@pytest.mark.parametrize(
    "name", ["good", "wrong smoke test, rolling back", "canary by number", "canary of a group", "two colours"]
)
def test_what_can_work_is_let_pass(refusals: dict[str, str], name: str) -> None:
    assert refusals.get(name) is None


def test_settings_that_do_not_go_together_are_named(refusals: dict[str, str]) -> None:
    said = "rollout_service is not set: give the service a name, such as 'shop'. Nothing was touched."
    assert refusals["no service"] == said


@pytest.mark.parametrize("name", ["a step that pauses", "a gate that pauses"])
def test_a_step_that_would_stop_all_hosts_is_named(refusals: dict[str, str], name: str) -> None:
    assert "pauses.yml" in refusals[name]


def test_a_smoke_test_that_cannot_be_right_is_refused_before_the_first_host(refusals: dict[str, str]) -> None:
    assert refusals["wrong smoke test"].startswith("requests: expect of 'GET /' is not valid JMESPath: ")


def test_a_canary_needs_hosts(refusals: dict[str, str]) -> None:
    assert refusals["canary of nobody"].startswith("rollout_canary_group names no host: ")


@pytest.mark.parametrize(("name", "count"), [("three colours", 3), ("one colour", 1)])
def test_blue_green_is_between_two_colours(refusals: dict[str, str], name: str, count: int) -> None:
    assert refusals[name].startswith(f"rollout_colours names {count} colours; blue-green is between two")


@pytest.mark.parametrize("option", ["--tags=deploy", "--skip-tags=plan"])
def test_a_run_of_only_some_tasks_leaves_out_the_permission(tmp_path: pathlib.Path, option: str) -> None:
    role = {"name": "steady.rollout.rollout", "tasks_from": "begin"}
    play = {"tags": ["always"], "tasks": [{"ansible.builtin.import_role": role, "vars": GOOD}]}
    code, printed = played(tmp_path, play, option)
    assert code != 0
    assert "--tags and --skip-tags would leave out the task that asks for permission." in printed
