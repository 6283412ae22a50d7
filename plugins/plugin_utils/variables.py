# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates role settings in an action plugin: with other variables on top, and as they are for other hosts."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils import targets
from ansible_collections.steady.rollout.plugins.plugin_utils.survey import Member

Variables = t.Dict[str, t.Any]
OF_A_MEMBER = (
    "rollout_zone", "rollout_member", "rollout_add_members", "rollout_health", "rollout_health_from", "rollout_smoke_url",
)  # fmt: skip


def evaluated(action: ActionBase, raw: t.Any, variables: t.Mapping[str, t.Any], **overlay: t.Any) -> t.Any:
    """*raw* as a template with *variables*, and *overlay* on top of them."""
    templar = action._templar.copy_with_new_env(available_variables={**variables, **overlay})
    return templar.template(raw)


def why_not_evaluated(name: str, error: AnsibleError) -> str:
    """A sentence on the setting *name*, whose template could not be evaluated."""
    first = str(error).strip().splitlines()[0].rstrip(".")
    return f"{name} cannot be evaluated: {first}; define what it uses."


def variables_of(action: ActionBase, name: str, task_vars: t.Mapping[str, t.Any]) -> Variables:
    """All variables of another host as the task of a role sees them there: hostvars has no variables of roles or plays."""
    hostvars = task_vars["hostvars"]
    manager = hostvars._variable_manager
    host = hostvars._inventory.get_host(name)
    return dict(manager.get_vars(play=action._task.get_play(), host=host, task=action._task))


def members_of(
    action: ActionBase, names: t.Iterable[str], in_scope: t.Collection[str], task_vars: t.Mapping[str, t.Any]
) -> list[Member]:
    """Hosts of the fleet; their health is to be judged for whatever version runs."""
    templar = _compiling_once(action)
    return [_member(templar, name, name in in_scope, variables_of(action, name, task_vars)) for name in names]


def _compiling_once(action: ActionBase) -> t.Any:
    """Ansible compiles a template anew each time, and hosts of one fleet have the same ones: that is most of the work."""
    templar: t.Any = action._templar.copy_with_new_env()
    environment = getattr(templar, "_engine", templar).environment  # 2.19 deprecates the way that came before
    environment.compile = functools.lru_cache(maxsize=None)(environment.compile)
    return templar


def _member(templar: t.Any, name: str, in_scope: bool, raw: Variables) -> Member:
    templar.available_variables = {**raw, "rollout_target": targets.ANY}
    values = templar.template({key: raw[key] for key in OF_A_MEMBER if key in raw})
    health = values.get("rollout_health") or {}
    return Member(
        name=name,
        zone=str(values.get("rollout_zone") or ""),
        member=str(values.get("rollout_member") or name),
        in_scope=in_scope,
        health=health,
        outdated=raw.get("__rollout_outdated"),
        may_be_added=boolean(values.get("rollout_add_members") or False, strict=False),
        probed_from=str(values.get("rollout_health_from") or "controller"),
        urls=tuple(
            aim["url"] for aim in targets.smoke_targets(health, str(values.get("rollout_smoke_url") or ""), name)
        ),
    )
