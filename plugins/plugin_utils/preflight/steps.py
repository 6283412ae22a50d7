# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own task files: what in them cannot run in a rollout."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located

FORBIDDEN = ("pause", "add_host")
INCLUDES = ("include_tasks", "import_tasks", "include", "import_playbook")
BUILTIN = ("ansible.builtin.", "ansible.legacy.")
NESTS = ("block", "rescue", "always")


Load = t.Callable[[str], t.Any]
Problems = t.Callable[[str, t.Sequence[t.Any]], t.List[str]]


@dataclasses.dataclass(frozen=True)
class Reader:
    """Where task files are looked for; how the YAML of one is read; what Ansible finds wrong with its tasks."""

    search: t.Sequence[str]
    load: Load
    problems: Problems = lambda path, tasks: []


def wrong_steps(files: t.Mapping[str, str], reader: Reader) -> list[str]:
    """A sentence for every task file that is not there or that cannot run in a sliding window; *files* by their settings."""
    errors: list[str] = []
    for setting, path in files.items():
        found = located(path, reader.search)
        if os.path.isfile(found):
            _check_file(found, errors, set(), reader)
        else:
            errors.append(
                f"{setting}: the task file {path} does not exist; correct the path or put the file into one of "
                f"{', '.join(reader.search)}."
            )
    return errors


def _check_file(path: str, errors: list[str], seen: set[str], reader: Reader) -> None:
    if path in seen:
        return
    seen.add(path)
    if not os.path.isfile(path):
        errors.append(f"The task file {path} does not exist: correct the include that names it.")
        return
    try:
        tasks = reader.load(path)
    except AnsibleError as error:
        errors.append(f"The task file {path} cannot be read: {str(error).splitlines()[0]}")
        return
    if tasks and not isinstance(tasks, list):
        errors.append(
            f"The task file {path} does not hold a list of tasks: begin each task with '- name:', without 'tasks:'."
        )
        return
    _check_tasks(tasks or [], path, errors, seen, reader)
    errors += reader.problems(path, tasks or [])


def _check_tasks(tasks: t.Any, path: str, errors: list[str], seen: set[str], reader: Reader) -> None:
    for task in tasks if isinstance(tasks, list) else []:
        if isinstance(task, dict):
            _check_task(task, path, errors, seen, reader)


def _check_task(task: dict[str, t.Any], path: str, errors: list[str], seen: set[str], reader: Reader) -> None:
    for key, value in task.items():
        if key in NESTS:
            _check_tasks(value, path, errors, seen, reader)
        elif _short(key) in FORBIDDEN:
            errors.append(
                f"{path}: '{task.get('name', key)}' uses {_short(key)}, which aborts the whole run in a sliding window. "
                "Wait with ansible.builtin.wait_for instead of pause; add hosts in a play before the rollout."
            )
        elif key == "run_once" and value is not False:
            errors.append(
                f"{path}: '{task.get('name', 'a task')}' uses run_once, which has no effect in a sliding window: every host "
                "would run it, and a failure on one would fail all. Do it in a play before the rollout."
            )
        elif _short(key) in INCLUDES:
            included = value.get("file") if isinstance(value, dict) else value
            if isinstance(included, str) and "{{" not in included:
                _check_file(_found(included, path, reader.search), errors, seen, reader)


def _found(included: str, path: str, search: t.Sequence[str]) -> str:
    """Where Ansible finds what a file includes: beside that file, or among the role's own steps, the last place of *search*."""
    beside = os.path.join(os.path.dirname(path), included)
    own = located(included, search[-1:])
    return own if os.path.isfile(own) and not os.path.isfile(beside) else beside


def _short(key: str) -> str:
    for prefix in BUILTIN:
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key
