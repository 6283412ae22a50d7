# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of lb_member, checked before anybody is asked anything."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import ADMIN_STATES, IN_SERVICE, quoted
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.plan import Guard

FAIL, FORCE, CONTINUE, RESTORE = "fail", "force", "continue", "restore"
ON_TIMEOUT = (FAIL, FORCE, CONTINUE, RESTORE)


@dataclasses.dataclass(frozen=True)
class Request:
    """What a call of lb_member asks for. *timeout* in seconds."""

    wanted: dict[str, str]
    """Admin state by member."""
    wait: bool
    timeout: float
    on_timeout: str
    expected_states: list[str] | None
    guard: Guard
    guard_timeout: float
    claim: Claim | None
    require_weight: bool = True
    """Whether a member of weight 0 is not in service yet."""
    restore_timer: bool = False
    """Whether the claim's restore timer may put back what is drained."""

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> Request:
        """Raises InputError where the options cannot be right."""
        wanted = _wanted(params)
        if params["on_timeout"] == FORCE and IN_SERVICE in wanted.values():
            raise InputError(
                "on_timeout: 'force' ends the sessions of members that are taken out; "
                "for state=in_service use 'fail', 'continue' or 'restore'."
            )
        return cls(
            wanted=wanted,
            wait=params["wait"],
            timeout=durations.seconds("timeout", params["timeout"]),
            on_timeout=params["on_timeout"],
            expected_states=params["expected_states"],
            guard=Guard.from_params(params["guard"]),
            guard_timeout=durations.seconds("guard_timeout", params["guard_timeout"]),
            claim=Claim.from_params(params["claim"]),
            require_weight=params.get("require_weight") is not False,
            restore_timer=bool(params.get("restore_timer")),
        )


def _wanted(params: dict[str, t.Any]) -> dict[str, str]:
    if params["states"] is None:
        if not params["members"]:
            raise InputError("members: the list is empty; name at least one member of the pool.")
        return dict.fromkeys(params["members"], params["state"])
    for name, state in params["states"].items():
        if state not in ADMIN_STATES:
            raise InputError(f"states: '{name}' cannot be '{state}', only {quoted(ADMIN_STATES)}.")
    return dict(params["states"])
