# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Ansible can load a task file of the user's, and finds the files that its tasks name.

A file that cannot be loaded in the midst of a rollout ends the run, or its host, with the host drained.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible.errors import AnsibleError, AnsibleFileNotFound
from ansible.playbook.block import Block
from ansible.playbook.helpers import load_list_of_blocks
from ansible.playbook.task import Task

NEEDED = {"template": "templates", "copy": "files", "unarchive": "files", "script": "files", "include_vars": "vars"}
"""Modules that read a file of the controller, and the folder that it is looked for in."""
BUILTIN = ("ansible.builtin.", "ansible.legacy.")


@dataclasses.dataclass(frozen=True)
class Reader:
    """What Ansible loads tasks with: the play and the role that the user's steps become a part of."""

    play: t.Any
    role: str
    """The role's folder, which comes first in every search."""
    variables: t.Any
    loader: t.Any

    def problems(self, path: str, content: t.Sequence[t.Any]) -> list[str]:
        """A sentence for what cannot be loaded, or for each file that a task needs and that is not found."""
        try:
            blocks = load_list_of_blocks(
                list(content), play=self.play, variable_manager=self.variables, loader=self.loader
            )
        except AnsibleError as error:
            return [f"The task file {path} cannot be loaded: {_one_line(error)}"]
        return [problem for task in _tasks(blocks) for problem in self._missing(path, task)]

    def _missing(self, path: str, task: Task) -> list[str]:
        module = _short(str(task.action))
        name = needed_by(module, task.args or {})
        if not name:
            return []
        try:
            self.loader.path_dwim_relative_stack([self.role, os.path.dirname(path)], NEEDED[module], name)
        except AnsibleFileNotFound:
            place = os.path.join(os.path.dirname(path), NEEDED[module])
            return [
                f"{path}: '{task.get_name()}' needs {name}, which is not there: put it into {place}, or give its whole path."
            ]
        return []


def needed_by(module: str, args: t.Mapping[str, t.Any]) -> str:
    """The file of the controller that a task names literally; empty where there is none, or where a variable decides."""
    if module not in NEEDED or args.get("remote_src") or args.get("content") is not None:
        return ""
    given = args.get("src") or args.get("file") or args.get("cmd") or args.get("_raw_params") or ""
    words = str(given).split() if module == "script" else [str(given)]
    return "" if not words or "{{" in str(given) or "://" in words[0] else words[0]


def _tasks(parts: t.Iterable[t.Any]) -> t.Iterator[Task]:
    for part in parts:
        if isinstance(part, Block):
            yield from _tasks([*part.block, *part.rescue, *part.always])
        else:
            yield part


def _short(action: str) -> str:
    return next((action[len(prefix) :] for prefix in BUILTIN if action.startswith(prefix)), action)


def _one_line(error: AnsibleError) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "."
