# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' task files that playbooks, tests, examples and documents name, by text: what is named in a string counts, too."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
from support.role_tasks import REPOSITORY

FOLDERS = ("playbooks", "roles", "examples", "molecule", "tests")
FILES = sorted(
    path
    for path in [*REPOSITORY.glob("*.md"), *(path for name in FOLDERS for path in (REPOSITORY / name).rglob("*"))]
    if path.suffix in (".md", ".py", ".yml") and path.name not in (pathlib.Path(__file__).name, "CHANGELOG.md")
)
QUOTE = "[\"']?"
LOADED = re.compile(
    rf"(?:steady\.rollout\.(?P<role>\w+){QUOTE},?\s+)?{QUOTE}\btasks_from{QUOTE}: {QUOTE}(?P<file>[a-z_][\w/]*)"
)
"""A role and its task file, as YAML and as a dictionary; the role may be known only when a test runs."""
STEP = re.compile(r"\b(?:updates|operations|nodes)/[a-z_]+\.yml\b")
"""A step of the rollout role's, as a setting or an include names it."""


def has(role: str, file: str) -> bool:
    return any((REPOSITORY / "roles").glob(f"{role}/tasks/{file}"))


def missing(text: str) -> t.Iterator[str]:
    for found in LOADED.finditer(text):
        if not has(found["role"] or "*", f"{found['file']}.yml"):
            yield f"{found['role'] or 'any role'}: {found['file']}"
    for step in STEP.findall(text):
        if not has("rollout", step):
            yield step


def test_a_test_loaded_the_role_s_task_file_gate_that_had_been_removed() -> None:
    found = {str(path.relative_to(REPOSITORY)): list(missing(path.read_text(encoding="utf-8"))) for path in FILES}
    assert {path: names for path, names in found.items() if names} == {}
    assert len(found) > 100


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"name": "steady.rollout.rollout", "tasks_from": "gate"}', ["rollout: gate"]),
        ("name: steady.rollout.postgresql_backup\n        tasks_from: host\n", ["postgresql_backup: host"]),
        ('{"name": f"steady.rollout.{role}", "tasks_from": "gate"}', ["any role: gate"]),
        ("rollout_update_tasks: updates/tarball.yml", ["updates/tarball.yml"]),
        ("rollout_update_tasks: updates/archive.yml", []),
        ('{"name": "steady.rollout.rollout", "tasks_from": "updates/git"}', []),
    ],
)
def test_what_is_not_there_is_found_however_it_is_named(text: str, names: list[str]) -> None:
    assert list(missing(text)) == names
