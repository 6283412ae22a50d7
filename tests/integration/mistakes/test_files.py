# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where steps, templates, files and group variables are found: the checks before the start look where the rollout looks."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from .conftest import Site

SITE = "- import_playbook: steady.rollout.rolling\n"
UPDATE = """
- name: Configure
  ansible.builtin.template:
    src: shop.conf.j2
    dest: "{{ rollout_release_path }}/shop.conf"
    mode: "0644"
- name: Read limits
  ansible.builtin.include_vars: limits.yml
"""
FORWARD = {"rollout_version": "1.1.0", "rollout_after_update_tasks": "configure.yml"}


def project(place: pathlib.Path, **files: str) -> pathlib.Path:
    """A project of the user's beside which there is no inventory: as in AWX."""
    content = {
        "site.yml": SITE,
        "configure.yml": UPDATE,
        "templates/shop.conf.j2": "version = {{ rollout_target.version }}\n",
        "vars/limits.yml": "limits: 1\n",
        **files,
    }
    for name, text in content.items():
        if text:
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return place


@pytest.fixture
def fresh(site: Site) -> t.Iterator[Site]:
    """The fleet on 1.0.0 before, and again after."""
    yield site
    code, output = site.play("rolling", {"rollout_version": "1.0.0"})
    assert code == 0, output


def configured(site: Site) -> set[str]:
    return {path.read_text() for path in (site.fleet.directory / "hosts").glob("*/shop.conf")}


def test_a_project_that_imports_the_collections_playbook(fresh: Site, tmp_path: pathlib.Path) -> None:
    code, output = fresh.run("site.yml", FORWARD, project(tmp_path))
    assert code == 0, output
    assert configured(fresh) == {"version = 1.1.0\n"}
    assert {stats["version"] for stats in fresh.fleet.seen().values()} == {"1.1.0"}


def test_the_collections_playbook_by_its_full_name_from_the_projects_folder(
    fresh: Site, tmp_path: pathlib.Path
) -> None:
    code, output = fresh.run("steady.rollout.rolling", FORWARD, project(tmp_path))
    assert code == 0, output
    assert configured(fresh) == {"version = 1.1.0\n"}


@pytest.mark.parametrize("mode", ["run", "check"])
@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (
            "templates/shop.conf.j2",
            "{p}/configure.yml: 'Configure' needs shop.conf.j2, which is not there: put it into {p}/templates, or give its "
            "whole path.",
        ),
        (
            "vars/limits.yml",
            "{p}/configure.yml: 'Read limits' needs limits.yml, which is not there: put it into {p}/vars, or give its whole "
            "path.",
        ),
        ("configure.yml", "rollout_after_update_tasks: the task file configure.yml does not exist; correct ..."),
    ],
)
def test_a_file_that_a_step_needs_is_missed_before_a_host_is_touched(
    site: Site, tmp_path: pathlib.Path, missing: str, sentence: str, mode: str
) -> None:
    before = site.state()
    options = ["--check"] if mode == "check" else []
    code, output = site.run("site.yml", FORWARD, project(tmp_path, **{missing: ""}), *options)
    assert code == 2, output
    assert sentence.replace("{p}", str(tmp_path)).removesuffix("...") in " ".join(output.split())
    assert site.state() == before


def test_a_module_that_does_not_exist_ended_the_run_with_the_host_drained(site: Site, tmp_path: pathlib.Path) -> None:
    before = site.state()
    steps = {"configure.yml": "- name: Tell\n  no.such.module: {}\n"}
    code, output = site.run("site.yml", FORWARD, project(tmp_path, **steps))
    assert code == 2, output
    assert (
        f"The task file {tmp_path}/configure.yml cannot be loaded: couldn't resolve module/action 'no.such.module'"
        in output
    )
    assert site.state() == before


def test_a_hook_file_that_was_gone_left_the_host_drained_and_the_run_hanging(
    fresh: Site, tmp_path: pathlib.Path
) -> None:
    """The step before the drain removes the file of the step after it."""
    remove = f"- name: Remove\n  ansible.builtin.file: {{path: {tmp_path}/configure.yml, state: absent}}\n  delegate_to: localhost\n"
    settings = {
        "rollout_version": "1.1.0",
        "rollout_before_drain_tasks": "remove.yml",
        "rollout_after_drain_tasks": "configure.yml",
    }
    before = fresh.state()
    code, output = fresh.run("site.yml", settings, project(tmp_path, **{"tasks/remove.yml": remove}))
    assert code == 2, output
    assert "rollout_after_drain_tasks: the task file configure.yml is no longer there" in output
    after = fresh.state()
    assert [after[key] for key in ("started", "in rotation", "bad", "left_out", "held")] == [
        before[key] for key in ("started", "in rotation", "bad", "left_out", "held")
    ]


def test_an_include_of_a_step_that_leads_nowhere_fails_the_host_and_restores_it(
    fresh: Site, tmp_path: pathlib.Path
) -> None:
    """What it includes only a variable says, so that nobody can know before."""
    steps = "- name: Go on\n  ansible.builtin.include_tasks: \"{{ 'nowhere' }}.yml\"\n"
    settings = {"rollout_version": "1.1.0", "rollout_after_drain_tasks": "lost.yml"}
    before = fresh.state()
    code, output = fresh.run("site.yml", settings, project(tmp_path, **{"tasks/lost.yml": steps}))
    assert code == 2, output
    after = fresh.state()
    assert [after[key] for key in ("started", "in rotation", "bad", "left_out", "held")] == [
        before[key] for key in ("started", "in rotation", "bad", "left_out", "held")
    ], output


def test_variables_beside_a_projects_playbook_were_silently_not_read(site: Site, tmp_path: pathlib.Path) -> None:
    place = project(
        tmp_path, **{"group_vars/fleet.yml": "rollout_max_unavailable: 1\n", "group_vars/other.yml": "rollout_x: 1\n"}
    )
    code, output = site.run("site.yml", FORWARD, place, "--check")
    assert code == 2, output
    assert (
        f"{place}/group_vars/fleet.yml is not read: Ansible reads variables beside an inventory, and not beside a playbook that "
        "imports another; move it beside the inventory. Nothing was touched."
    ) in " ".join(output.split())
