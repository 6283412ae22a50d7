# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts the plays of a release of several services are for.

A host that was lost keeps the facts of an earlier turn, so only hosts with facts of the current turn count.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.plays import NOBODY, HostVars, judges

ORDERS = {"roll": "__rollout_plan", "roll_back": "__rollout_rollback"}


def hosts_of_turn(hostvars: HostVars, what: str, number: int = 0, check_mode: bool = False) -> list[str]:
    """Hosts to read settings from (*first*, one of each service), *all* of them, and for the turn of this *number* those to
    *choose* from, to *begin* on, to *roll*, to *judge* on, to *roll_back*, and to *conclude* on.

    Check mode begins each turn and ends it there.
    """
    services = _known(hostvars)
    if what == "first":
        return [str(one["first"]) for one in services] or NOBODY
    if what == "all":
        return _members(services) or NOBODY
    if what == "choose":
        return NOBODY if number > 1 and _turn(hostvars, number - 1).get("over", True) else _members(services)
    turn = _turn(hostvars, number)
    fleet = _members(one for one in services if one["fleet"] == turn.get("fleet"))
    if what == "begin":
        return fleet or NOBODY
    return NOBODY if check_mode else _begun(what, fleet, hostvars, number) or NOBODY


def _begun(what: str, fleet: t.Sequence[str], hostvars: HostVars, number: int) -> list[str]:
    knowing = [name for name in fleet if name in hostvars and str(hostvars[name].get("__rollout_begun")) == str(number)]
    if what == "judge":
        return judges(knowing, _fact(knowing, hostvars, ORDERS["roll"]))
    if what in ORDERS:
        return list(_fact(knowing, hostvars, ORDERS[what]).get("order") or []) if knowing else []
    return list(fleet) if knowing else []


def _known(hostvars: HostVars) -> list[t.Mapping[str, t.Any]]:
    return list(_fact(hostvars, hostvars, "__rollout_tiers").get("tiers") or [])


def _members(services: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    return [str(name) for one in services for name in one["hosts"]]


def _turn(hostvars: HostVars, number: int) -> t.Mapping[str, t.Any]:
    """Its facts; once no service is left, they apply to all later turns."""
    for name in hostvars:
        turn = hostvars[name].get("__rollout_turn")
        if isinstance(turn, t.Mapping) and (turn.get("number") == number or turn.get("over")):
            return turn
    return {}


def _fact(names: t.Iterable[str], hostvars: HostVars, fact: str) -> t.Mapping[str, t.Any]:
    found = (hostvars[name].get(fact) for name in names)
    return next((one for one in found if isinstance(one, t.Mapping)), {})
