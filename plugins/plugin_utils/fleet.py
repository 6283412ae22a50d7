# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers what Ansible knows of the fleet into the rows that the ledger plans with."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.targets import version_seen


def fleet(group: t.Sequence[str], hostvars: t.Mapping[str, t.Any], in_scope: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """One row per host of the fleet; those outside --limit count for floor and window, nothing else."""
    scope = set(in_scope)
    names = list(dict.fromkeys([*group, *in_scope]))
    return [_row(name, hostvars[name], name in scope) for name in names]


def _row(name: str, facts: t.Mapping[str, t.Any], in_scope: bool) -> dict[str, t.Any]:
    look = facts.get("__rollout_look")
    return {
        "name": name,
        "zone": str(facts.get("rollout_zone") or ""),
        "member": str(facts.get("rollout_member") or name),
        "in_scope": in_scope,
        "healthy": bool(look.get("healthy", False)) if look else None,
        "version": version_seen(look) if look else None,
    }
