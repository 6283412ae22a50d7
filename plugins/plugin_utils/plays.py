# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts the plays of a rollout are for, in their order: what earlier plays have found is in the facts of a host."""

from __future__ import annotations

import itertools
import typing as t

Groups = t.Mapping[str, t.Sequence[str]]
HostVars = t.Mapping[str, t.Mapping[str, t.Any]]

NOBODY = ["rollout_nobody"]
"""A play needs a pattern; this one matches no host."""
JUDGES = 2
"""The first one judges; where it is lost in the user's own steps, the run still has a host to go on with."""


def hosts_to(groups: Groups, what: str, hostvars: HostVars, fleet: str, check_mode: bool = False) -> list[str]:
    """The hosts to *roll*, to *judge* the last stage or *shift* traffic from, to roll in this *pass*, or to *roll_back*.

    Check mode ends with the plan.
    """
    if check_mode:
        return NOBODY
    names = groups.get(fleet) or groups.get("all") or []
    if what == "roll":
        return list(_fact(names, hostvars, "__rollout_plan").get("order") or NOBODY)
    if what == "roll_back":
        return list(_fact(names, hostvars, "__rollout_rollback").get("order") or NOBODY)
    if what == "pass":
        return list(_fact(names, hostvars, "__rollout_drive").get("hosts") or NOBODY)
    planned = (name for name in names if name in hostvars and "__rollout_plan" in hostvars[name])
    if what == "judge":
        return judges(planned, _fact(names, hostvars, "__rollout_plan")) or NOBODY
    return list(itertools.islice(planned, JUDGES)) or NOBODY


def judges(planned: t.Iterable[str], plan: t.Mapping[str, t.Any]) -> list[str]:
    """Of the hosts with a plan those that judge the last stage; none where no gate does."""
    return list(itertools.islice(planned, JUDGES)) if plan.get("gate") else []


def _fact(names: t.Sequence[str], hostvars: HostVars, fact: str) -> t.Mapping[str, t.Any]:
    """What a task that ran once for all hosts has registered: the first host that has it counts."""
    for name in names:
        found = hostvars[name].get(fact) if name in hostvars else None
        if isinstance(found, t.Mapping):
            return found
    return {}
