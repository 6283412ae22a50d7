# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be refused by reading alone, before anything is touched."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan

FORBIDDEN = ("pause", "add_host")
INCLUDES = ("include_tasks", "import_tasks", "include", "import_playbook")
BUILTIN = ("ansible.builtin.", "ansible.legacy.")
WINDOW_SETTINGS = (
    "windows", "zone", "blackouts", "freezes", "sites", "state", "wait_limit", "host_duration", "needed"
)  # fmt: skip
NESTS = ("block", "rescue", "always")


def located(path: str, search: t.Sequence[str]) -> str:
    """The file that a relative path means: the first that exists under the search paths or their files/ and tasks/."""
    if not path or "://" in path or os.path.isabs(path):
        return path
    candidates = [os.path.join(base, part, path) for base in search for part in ("", "files", "tasks")]
    return next((os.path.abspath(found) for found in candidates if os.path.exists(found)), path)


def forbidden_steps(paths: t.Sequence[str], search: t.Sequence[str]) -> list[str]:
    """A sentence for every task of the user's steps that cannot run in a sliding window."""
    errors: list[str] = []
    for path in paths:
        _check_file(located(path, search), errors, set())
    return errors


def settings_errors(settings: t.Mapping[str, t.Any]) -> list[str]:
    """A sentence for every setting that is missing or does not go with another."""
    return [sentence for wrong, sentence in _settings_rules(settings) if wrong]


def _settings_rules(s: t.Mapping[str, t.Any]) -> list[tuple[bool, str]]:
    own_update = bool(s["rollout_update_tasks"])
    health = s["rollout_health"]
    balancers = s["rollout_balancers"]
    unclear_window = _window_error(s["rollout_window"])
    unclear_metrics = _metrics_error(s["rollout_metrics"], s["rollout_metric_sources"])
    return [
        (not s["rollout_service"], "rollout_service is not set: give the service a name, such as 'shop'."),
        (
            not isinstance(health, t.Mapping) or not {"url", "tcp", "command"} & set(health),
            "rollout_health names nothing to look at: give it a 'url', a 'tcp' address or a 'command'.",
        ),
        (
            not own_update and not s["rollout_artifact"],
            "Nothing says how to update a host: set rollout_artifact, or rollout_update_tasks to a task file of your own.",
        ),
        (
            bool(s["rollout_artifact"]) and not s["rollout_release_path"],
            "rollout_release_path is not set: say where on the hosts the releases live, such as /opt/shop.",
        ),
        (
            not own_update and not s["rollout_unit"] and not s["rollout_start_command"],
            "Nothing says how to restart the service: set rollout_unit, or rollout_stop_command and rollout_start_command.",
        ),
        (
            _smoke_tests_without_base(s),
            "rollout_smoke_url is not set, and rollout_health has no url to take it from: say where the smoke tests go.",
        ),
        (bool(unclear_metrics), unclear_metrics),
        (bool(unclear_window), unclear_window),
        (
            not isinstance(balancers, t.Sequence) or isinstance(balancers, str),
            "rollout_balancers must be a list of balancers, each with type, pool and socket.",
        ),
    ]


def _window_error(window: t.Any) -> str:
    """A sentence where a setting of the window is unknown: it would be open when it should not be."""
    if not isinstance(window, t.Mapping):
        return f"rollout_window must be a dictionary with {', '.join(WINDOW_SETTINGS)}; it is {window!r:.80}."
    unknown = sorted(str(name) for name in set(window) - set(WINDOW_SETTINGS))
    known = ", ".join(WINDOW_SETTINGS)
    return f"rollout_window: '{unknown[0]:.80}' is not a setting; the settings are {known}." if unknown else ""


def _metrics_error(metrics: t.Sequence[t.Any], sources: t.Any) -> str:
    """A sentence where metrics cannot be right, which reading alone can tell; else an empty text."""
    if not isinstance(sources, t.Mapping):
        return "rollout_metric_sources must be a dictionary of sources by name."
    try:
        plan.metrics_of(metrics, sources)
    except InputError as error:
        return f"rollout_metrics: {error.message}"
    return ""


def _smoke_tests_without_base(s: t.Mapping[str, t.Any]) -> bool:
    health = s["rollout_health"]
    if s["rollout_smoke_url"] or (isinstance(health, t.Mapping) and health.get("url")):
        return False
    return any(str(test.get("url") or "").startswith(("/", "${")) for test in s["rollout_smoke_tests"])


def _check_file(path: str, errors: list[str], seen: set[str]) -> None:
    if path in seen:
        return
    seen.add(path)
    if not os.path.isfile(path):
        errors.append(f"The task file {path} does not exist: give a path relative to the playbook or the inventory.")
        return
    try:
        tasks = DataLoader().load_from_file(path)
    except AnsibleError as error:
        errors.append(f"The task file {path} cannot be read: {str(error).splitlines()[0]}")
        return
    _check_tasks(tasks or [], path, errors, seen)


def _check_tasks(tasks: t.Any, path: str, errors: list[str], seen: set[str]) -> None:
    for task in tasks if isinstance(tasks, list) else []:
        if isinstance(task, dict):
            _check_task(task, path, errors, seen)


def _check_task(task: dict[str, t.Any], path: str, errors: list[str], seen: set[str]) -> None:
    for key, value in task.items():
        if key in NESTS:
            _check_tasks(value, path, errors, seen)
        elif _short(key) in FORBIDDEN:
            errors.append(
                f"{path}: '{task.get('name', key)}' uses {_short(key)}, which aborts the whole run in a sliding window. "
                "Wait with ansible.builtin.wait_for instead of pause; add hosts in a play before the rollout."
            )
        elif key == "run_once" and value is not False:
            errors.append(
                f"{path}: '{task.get('name', 'a task')}' says run_once, which does not hold in a sliding window: every host "
                "would run it, and where it fails on one, it fails on all. Do it in a play before the rollout."
            )
        elif _short(key) in INCLUDES:
            included = value.get("file") if isinstance(value, dict) else value
            if isinstance(included, str) and "{{" not in included:
                _check_file(os.path.join(os.path.dirname(path), included), errors, seen)


def _short(key: str) -> str:
    for prefix in BUILTIN:
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key
