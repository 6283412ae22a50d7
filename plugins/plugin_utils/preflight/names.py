# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that begin with rollout_ and are no setting: a misspelt one would silently do nothing."""

from __future__ import annotations

import difflib
import functools
import pathlib
import typing as t

from ansible.module_utils.common.yaml import yaml_load

PREFIX = "rollout_"
ROLES = pathlib.Path(__file__).resolve().parents[3] / "roles"
OF_THE_PLAYBOOKS = ("rollout_fleet",)
OF_A_RELEASE = ("rollout_tiers",)
"""What only tiers.yml reads; other playbooks do not need the variables that it refers to."""
ANSWERS = ("rollout_target", "rollout_previous", "rollout_stage", "rollout_share", "rollout_segments")
"""What the collection sets for tasks and templates."""
ALIKE = 0.75


@functools.lru_cache(maxsize=None)
def settings() -> frozenset[str]:
    """Every setting that a role of the collection documents."""
    found = {*OF_THE_PLAYBOOKS, *OF_A_RELEASE}
    for path in ROLES.glob("*/meta/argument_specs.yml"):
        for entry in yaml_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            found.update(entry.get("options") or {})
    return frozenset(found)


def unknown(names: t.Iterable[str]) -> list[str]:
    """A sentence for each name that looks like a setting and is none."""
    known = settings()
    return [
        _sentence(name, known)
        for name in sorted(names)
        if name.startswith(PREFIX) and name not in known and name not in ANSWERS
    ]


def _sentence(name: str, known: t.Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=ALIKE)
    advice = f"did you mean {near[0]}?" if near else "rename it, since names with rollout_ are the collection's own."
    return f"{name} is not a setting of steady.rollout: {advice}"
