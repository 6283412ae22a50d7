# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What neither a linter nor a syntax check sees in the roles' task files; the rollouts of `make compat` run into it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

ROLES = pathlib.Path(__file__).resolve().parents[3] / "roles"
FILES = sorted(path for path in ROLES.glob("*/tasks/**/*.yml"))
IMPORT, INCLUDE = "ansible.builtin.import_tasks", "ansible.builtin.include_tasks"
Tasks = t.List[t.Dict[str, t.Any]]


def tasks(content: Tasks) -> t.Iterator[dict[str, t.Any]]:
    """Every task, also those of blocks."""
    for task in content:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks(task.get(part, []))


def loaded(path: pathlib.Path, how: str) -> set[str]:
    found = [task[how] for task in tasks(yaml.safe_load(path.read_text(encoding="utf-8")) or []) if how in task]
    return {word if isinstance(word, str) else word["file"] for word in found}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROLES)))
def test_no_rolling_deployment_ran_on_ansible_core_2_16_to_2_18(path: pathlib.Path) -> None:
    """Below an include whose file is a template they refuse an import: "Error when evaluating variable in dynamic parent
    include path". Which files an include reaches cannot be determined from the text, so a file that imports may be reached by
    none: it is loaded by a playbook's import_role, or imported itself.
    """
    if not loaded(path, IMPORT):
        return
    role = path.parent.parent if path.parent.name == "tasks" else path.parents[2]
    name = str(path.relative_to(role / "tasks"))
    including = [other for other in FILES if name in loaded(other, INCLUDE)]

    assert including == [], f"{name} imports and is included: let it include instead"
    assert entry_point(path.stem) or any(name in loaded(other, IMPORT) for other in FILES), (
        f"{name} imports and no playbook loads it, so it is included by a template: let it include instead"
    )


@pytest.mark.parametrize(
    "path", sorted([*(ROLES.parent / "playbooks").glob("*.yml"), *FILES]), ids=lambda path: path.stem
)
def test_tiers_patch_and_reconfigure_did_not_start_on_ansible_core_2_16(path: pathlib.Path) -> None:
    """It takes the last part of tasks_from only: "Could not find specified file in role: tasks/open"."""
    named = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "tasks_from:" in line]
    assert [line for line in named if "/" in line] == []


OF_EACH_HOST = ("host.yml", "hook.yml", "judge.yml", "last_gate.yml", "drive.yml", "patch_needed.yml")
"""Files that the hosts of a play run each for themselves; so are those of nodes/, operations/ and updates/, which are steps of a host."""
OF_ALL_HOSTS = [
    path for path in FILES if path.name not in OF_EACH_HOST and path.parent.name not in ("operations", "updates")
]


@pytest.mark.parametrize("path", OF_ALL_HOSTS, ids=lambda path: path.stem)
def test_an_include_cost_a_worker_for_each_host_of_the_fleet(path: pathlib.Path) -> None:
    """Ansible evaluates an include on every host of the play, also where all that it includes runs once."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    once = {id(task) for block in content if block.get("run_once") for task in tasks([block])}
    missing = [
        task["name"] for task in tasks(content) if INCLUDE in task and not task.get("run_once") and id(task) not in once
    ]
    assert missing == []


def entry_point(name: str) -> bool:
    """Whether a playbook, or a role that is one, loads this file of tasks by its name."""
    texts = [path.read_text(encoding="utf-8") for path in (*(ROLES.parent / "playbooks").glob("*.yml"), *FILES)]
    return any(f"tasks_from: {name}\n" in text for text in texts)


def names(how: str) -> set[str]:
    """The variables of loops, or those that tasks leave behind in the hosts."""
    found: set[str] = set()
    for path in FILES:
        for task in tasks(yaml.safe_load(path.read_text(encoding="utf-8")) or []):
            if how == "loop":
                found.add(task.get("loop_control", {}).get("loop_var", ""))
            else:
                found |= {task.get("register", ""), *task.get("ansible.builtin.set_fact", {})}
    return found - {""}


def test_users_read_at_every_gate_that_a_loop_variable_is_already_in_use() -> None:
    assert names("result")
    assert names("loop") & names("result") == set()
