# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Restarts the service that runs a release, in the same call that switched to it."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError


def check_restart(params: dict[str, t.Any]) -> None:
    if params.get("restart") and params["state"] != "active":
        raise InputError(f"restart: goes with state=active only, not with state={params['state']}.")


def restart(call: Call, unit: str) -> str:
    """Restarts the systemd unit and returns the sentence for the result's actions.

    RolloutError of kind start where systemd could not.
    """
    if not call.check_mode:
        _systemctl(call, "daemon-reload")
        # A release that crashed at its start has used up systemd's start limit, which would refuse the good one too.
        call.run_command(["systemctl", "reset-failed", unit])
        _systemctl(call, "restart", unit)
    return f"restart {unit}"


def _systemctl(call: Call, *words: str) -> None:
    status, stdout, stderr = call.run_command(["systemctl", *words])
    if status:
        said = " ".join((stderr or stdout).split()) or "no word of why"
        raise RolloutError(f"systemctl {' '.join(words)} failed with {status}: {said}", kind="start")
