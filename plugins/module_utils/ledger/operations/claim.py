# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Claims taken and released where a rollout changes things; they need no ledger on that host."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils import fence as fences


def acquire(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Leaves this run's claim; refuses where another coordinator's or a later run's claim is in force."""
    claim = _claim(params)
    before = None if check_mode else claims.acquire(claim, force=bool(params.get("take_over")))
    changed = before is None or (before["ledger"], before["token"], before["active"]) != (
        claim.ledger,
        claim.token,
        True,
    )
    return {
        "changed": changed,
        "claim_before": before,
        "msg": f"{claim.path}: claimed for {claim.service} with token {claim.token}",
        "diff": {"before": before or {}, "after": {"ledger": claim.ledger, "token": claim.token, "active": True}},
    }


def fence(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Records the token as each change does, and returns the environment in which Python modules check it."""
    claim = _claim(params)
    environment: dict[str, str] = {}
    if not check_mode:
        with claims.held(claim):
            environment = fences.environment(claim)
    return {
        "changed": False,
        "environment": environment,
        "msg": f"{claim.path}: token {claim.token} of {claim.service} is the newest here",
    }


def release(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    claim = _claim(params)
    changed = True if check_mode else claims.release(claim)
    return {
        "changed": changed,
        "msg": f"{claim.path}: {'released' if changed else 'not the claim of this run, left as it is'}",
        "diff": {"before": {"active": True}, "after": {"active": not changed}},
    }


def _claim(params: dict[str, t.Any]) -> claims.Claim:
    options = {
        "service": params["service"],
        "ledger": params["ledger_id"],
        "token": params["token"],
        "coordinator": params.get("coordinator") or "",
        "directory": params.get("directory"),
    }
    return t.cast(claims.Claim, claims.Claim.from_params(options))
