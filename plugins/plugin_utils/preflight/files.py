# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file that a setting names is found: one search for the checks before a rollout and for the rollout itself."""

from __future__ import annotations

import os
import typing as t

import yaml
from ansible import context
from ansible.module_utils.common.yaml import yaml_load

BESIDE = ("", "files", "tasks", "templates")
VARIABLES = ("group_vars", "host_vars")


def playbook_folders() -> list[str]:
    """Where the playbooks of the command line lie; one that is named as COLLECTION.PLAYBOOK lies in no project."""
    given = context.CLIARGS.get("args") or ()
    return [os.path.dirname(os.path.abspath(name)) for name in given if os.path.isfile(name)]


def search_paths(others: t.Sequence[str]) -> list[str]:
    """The folders that all relative paths are looked up in: the project's own first, the current one last.

    Of a playbook that another one imports, Ansible's playbook_dir is the folder of the imported one.
    """
    return list(dict.fromkeys([*playbook_folders(), *others, os.getcwd()]))


def unread_variables(playbook_dir: str, names: t.Collection[str], prefix: str) -> list[str]:
    """Files beside the project's playbook with settings in them which Ansible does not read for an imported playbook."""
    here = os.path.realpath(playbook_dir)
    folders = [folder for folder in playbook_folders() if os.path.realpath(folder) != here]
    paths = [
        os.path.join(folder, kind, name) for folder in folders for kind in VARIABLES for name in _files(folder, kind)
    ]
    return [path for path in paths if _stem(path) in names and _has_setting(path, prefix)]


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _files(folder: str, kind: str) -> list[str]:
    try:
        return sorted(os.listdir(os.path.join(folder, kind)))
    except OSError:
        return []


def _has_setting(path: str, prefix: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            content = yaml_load(file)
    except (OSError, ValueError, yaml.YAMLError):
        return False  # a folder, or encrypted: its content is not known
    return isinstance(content, dict) and any(str(name).startswith(prefix) for name in content)


def located(path: str, search: t.Sequence[str]) -> str:
    """The file that a relative path means: the first that exists under the search paths or their files/, tasks/ and templates/."""
    if not path or "://" in path or os.path.isabs(path):
        return path
    candidates = [os.path.join(base, part, path) for base in search for part in BESIDE]
    return next((os.path.abspath(found) for found in candidates if os.path.exists(found)), path)


def why_missing(setting: str, path: str, search: t.Sequence[str]) -> str:
    """Why the task file of a setting cannot be run, although it was there before the start; empty where it is there."""
    found = located(path, search)
    return (
        ""
        if os.path.isfile(found)
        else f"{setting}: the task file {path} is no longer there: restore it and run again."
    )
