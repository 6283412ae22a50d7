# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import files, steps

SETTING = "rollout_update_tasks"


def wrong(path: str, *search: str) -> list[str]:
    return steps.wrong_steps({SETTING: path}, steps.Reader(search, DataLoader().load_from_file))


def write(folder: pathlib.Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("module", ["pause", "ansible.builtin.pause", "ansible.builtin.add_host"])
def test_a_step_that_aborts_a_sliding_window_is_refused(tmp_path: pathlib.Path, module: str) -> None:
    path = write(tmp_path, "update.yml", f"- block:\n    - name: Wait\n      {module}: {{}}\n")
    (sentence,) = wrong(path)
    assert sentence.startswith(f"{path}: 'Wait' uses {module.rpartition('.')[2]}, which aborts the whole run")


def test_a_step_that_is_to_run_once_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "update.yml", "- name: Migrate\n  ansible.builtin.command: migrate\n  run_once: true\n")
    assert wrong(path) == [
        f"{path}: 'Migrate' uses run_once, which has no effect in a sliding window: every host would run it, and a failure "
        "on one would fail all. Do it in a play before the rollout."
    ]
    path = write(tmp_path, "update.yml", "- name: Migrate\n  ansible.builtin.command: migrate\n  run_once: false\n")
    assert wrong(path) == []


def test_it_is_found_behind_an_include_too(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "inner.yml", "- ansible.builtin.pause:\n    seconds: 1\n")
    path = write(
        tmp_path, "update.yml", "- ansible.builtin.include_tasks: inner.yml\n- include_tasks: {file: update.yml}\n"
    )
    assert len(wrong(path)) == 1


def test_harmless_steps_pass(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "update.yml", "- name: Pause is only a word here\n  ansible.builtin.command: pause\n")
    assert wrong(path) == []


def test_a_step_file_that_is_not_there_is_named_with_its_setting() -> None:
    assert wrong("nowhere.yml", "/playbooks", "/inventory") == [
        "rollout_update_tasks: the task file nowhere.yml does not exist; correct the path or put the file into one of "
        "/playbooks, /inventory."
    ]


def test_a_playbook_in_place_of_a_task_file_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "update.yml", "tasks:\n  - ansible.builtin.command: migrate\n")
    assert wrong(path) == [
        f"The task file {path} does not hold a list of tasks: begin each task with '- name:', without 'tasks:'."
    ]


def test_a_step_file_that_is_no_yaml_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "update.yml", "- name: 'open\n")
    (sentence,) = wrong(path)
    assert sentence.startswith(f"The task file {path} cannot be read: ")


def test_a_ready_made_step_could_not_be_included_in_a_file_of_the_users(tmp_path: pathlib.Path) -> None:
    own = tmp_path / "role"
    (own / "updates").mkdir(parents=True)
    (tmp_path / "project").mkdir()
    write(own / "updates", "archive.yml", "- ansible.builtin.command: switch\n")
    path = write(tmp_path, "update.yml", "- ansible.builtin.include_tasks: updates/archive.yml\n")
    assert wrong(path, str(tmp_path / "project"), str(own)) == []
    assert wrong(path, str(own), str(tmp_path / "project")) == [
        f"The task file {tmp_path}/updates/archive.yml does not exist: correct the include that names it."
    ]


def test_an_include_of_nothing_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "update.yml", "- ansible.builtin.include_tasks: inner.yml\n")
    assert wrong(path) == [f"The task file {tmp_path}/inner.yml does not exist: correct the include that names it."]


def test_a_relative_path_is_looked_up_beside_the_playbook_and_in_its_files(tmp_path: pathlib.Path) -> None:
    (tmp_path / "files").mkdir()
    path = write(tmp_path / "files", "shop.tar.gz", "")
    assert files.located("shop.tar.gz", ["/nowhere", str(tmp_path)]) == path
    assert files.located("https://example.com/a.tar.gz", [str(tmp_path)]) == "https://example.com/a.tar.gz"
    assert files.located("missing", [str(tmp_path)]) == "missing"
