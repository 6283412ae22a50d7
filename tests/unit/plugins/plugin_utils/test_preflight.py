# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils import preflight

GOOD: dict[str, t.Any] = {
    "rollout_service": "shop",
    "rollout_health": {"url": "http://app1/health"},
    "rollout_artifact": "shop.tar.gz",
    "rollout_update_tasks": "",
    "rollout_release_path": "/opt/shop",
    "rollout_unit": "shop",
    "rollout_start_command": "",
    "rollout_balancers": [],
    "rollout_smoke_tests": [],
    "rollout_smoke_url": "",
    "rollout_drain_on_timeout": "fail",
    "rollout_metrics": [],
    "rollout_metric_sources": {},
    "rollout_window": {},
}


def test_settings_that_fit_together_pass() -> None:
    assert preflight.settings_errors(GOOD) == []


@pytest.mark.parametrize(
    ("change", "begins"),
    [
        ({"rollout_service": ""}, "rollout_service is not set"),
        ({"rollout_health": {}}, "rollout_health names nothing to look at"),
        ({"rollout_health": "http://x"}, "rollout_health names nothing to look at"),
        ({"rollout_artifact": ""}, "Nothing says how to update a host"),
        ({"rollout_release_path": ""}, "rollout_release_path is not set"),
        ({"rollout_unit": ""}, "Nothing says how to restart the service"),
        (
            {"rollout_health": {"tcp": "app1:80"}, "rollout_smoke_tests": [{"url": "/"}]},
            "rollout_smoke_url is not set, and rollout_health has no url",
        ),
        ({"rollout_balancers": "lb1"}, "rollout_balancers must be a list"),
        ({"rollout_metrics": [{"name": "m"}]}, "rollout_metrics: metrics.m: nothing says what is good"),
        ({"rollout_metrics": [{"name": "m", "source": "p"}]}, "rollout_metrics: metrics: there is no source 'p'"),
        ({"rollout_window": {"window": []}}, "rollout_window: 'window' is not a setting; the settings are windows,"),
        ({"rollout_window": "FREQ=DAILY"}, "rollout_window must be a dictionary with windows,"),
        ({"rollout_metric_sources": []}, "rollout_metric_sources must be a dictionary"),
    ],
)
def test_each_setting_that_does_not_fit_gets_one_sentence(change: dict[str, t.Any], begins: str) -> None:
    (sentence,) = preflight.settings_errors({**GOOD, **change})
    assert sentence.startswith(begins)


def test_smoke_tests_with_whole_urls_need_no_base() -> None:
    tests = [{"url": "http://app1/"}]
    own = {**GOOD, "rollout_health": {"tcp": "app1:80"}, "rollout_smoke_tests": tests}
    assert preflight.settings_errors(own) == []
    assert preflight.settings_errors({**own, "rollout_smoke_tests": [{"url": "/"}], "rollout_smoke_url": "x"}) == []


def test_own_update_tasks_need_neither_artifact_nor_unit() -> None:
    own = {
        **GOOD,
        "rollout_update_tasks": "update.yml",
        "rollout_artifact": "",
        "rollout_unit": "",
        "rollout_release_path": "",
    }
    assert preflight.settings_errors(own) == []


def write(folder: pathlib.Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("module", ["pause", "ansible.builtin.pause", "ansible.builtin.add_host"])
def test_a_step_that_aborts_a_sliding_window_is_refused(tmp_path: pathlib.Path, module: str) -> None:
    path = write(tmp_path, "update.yml", f"- block:\n    - name: Wait\n      {module}: {{}}\n")
    (sentence,) = preflight.forbidden_steps([path], [])
    assert sentence.startswith(f"{path}: 'Wait' uses {module.rpartition('.')[2]}, which aborts the whole run")


def test_a_step_that_is_to_run_once_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "update.yml", "- name: Migrate\n  ansible.builtin.command: migrate\n  run_once: true\n")
    assert preflight.forbidden_steps([path], []) == [
        f"{path}: 'Migrate' says run_once, which does not hold in a sliding window: every host would run it, and where it "
        "fails on one, it fails on all. Do it in a play before the rollout."
    ]
    path = write(tmp_path, "update.yml", "- name: Migrate\n  ansible.builtin.command: migrate\n  run_once: false\n")
    assert preflight.forbidden_steps([path], []) == []


def test_it_is_found_behind_an_include_too(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "inner.yml", "- ansible.builtin.pause:\n    seconds: 1\n")
    path = write(
        tmp_path, "update.yml", "- ansible.builtin.include_tasks: inner.yml\n- include_tasks: {file: update.yml}\n"
    )
    assert len(preflight.forbidden_steps([path], [])) == 1


def test_harmless_steps_pass(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "update.yml", "- name: Pause is only a word here\n  ansible.builtin.command: pause\n")
    assert preflight.forbidden_steps([path], []) == []


def test_a_step_file_that_is_not_there_is_named() -> None:
    (sentence,) = preflight.forbidden_steps(["nowhere.yml"], ["/"])
    assert (
        sentence == "The task file nowhere.yml does not exist: give a path relative to the playbook or the inventory."
    )


def test_a_relative_path_is_looked_up_beside_the_playbook_and_in_its_files(tmp_path: pathlib.Path) -> None:
    (tmp_path / "files").mkdir()
    path = write(tmp_path / "files", "shop.tar.gz", "")
    assert preflight.located("shop.tar.gz", ["/nowhere", str(tmp_path)]) == path
    assert preflight.located("https://example.com/a.tar.gz", [str(tmp_path)]) == "https://example.com/a.tar.gz"
    assert preflight.located("missing", [str(tmp_path)]) == "missing"
