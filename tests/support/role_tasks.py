# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks of the roles, read from their files, and their conditions and templates as Ansible evaluates them."""

from __future__ import annotations

import pathlib
import typing as t

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core below 2.19 trusts every text

    def trust_as_template(value: str) -> str:
        return value


REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TASKS = REPOSITORY / "roles" / "rollout" / "tasks"
ROLES_DEFAULTS = yaml.safe_load((REPOSITORY / "roles/rollout/defaults/main.yml").read_text(encoding="utf-8"))
ROLES_VARS = yaml.safe_load((REPOSITORY / "roles/rollout/vars/main.yml").read_text(encoding="utf-8"))
Task = t.Dict[str, t.Any]


def evaluated(expression: t.Any, **variables: t.Any) -> t.Any:
    trusted = {name: _trusted(value) for name, value in {**ROLES_DEFAULTS, **ROLES_VARS, **variables}.items()}
    return Templar(loader=DataLoader(), variables=trusted).template(_trusted(expression))


def _trusted(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: _trusted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_trusted(one) for one in value]
    return trust_as_template(value) if isinstance(value, str) else value


def holds(task: Task, **variables: t.Any) -> bool:
    """Whether a task runs; one without a condition does."""
    conditions = task.get("when", [])
    given = conditions if isinstance(conditions, list) else [conditions]
    return all(bool(evaluated(f"{{{{ {one} }}}}", **variables)) for one in given)


def all_tasks(content: t.Sequence[Task]) -> t.Iterator[Task]:
    for task in content:
        yield task
        for part in ("block", "rescue", "always"):
            yield from all_tasks(task.get(part, []))


def tasks_of(name: str) -> list[Task]:
    return list(all_tasks(yaml.safe_load((TASKS / f"{name}.yml").read_text(encoding="utf-8"))))


def task(file: str, name: str) -> Task:
    (found,) = (one for one in tasks_of(file) if one.get("name") == name)
    return found
