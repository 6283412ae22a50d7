# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules on one flag of a running flag system, and where results of the suite go."""

from __future__ import annotations

import fcntl
import json
import pathlib
import typing as t

import pytest
from support.caller import call_core
from support.cores import Outcome, params_of
from support.flag_systems import FLAG, RealFlags

from ansible_collections.steady.rollout.plugins.module_utils.flags import registry
from ansible_collections.steady.rollout.plugins.modules import feature_flag, feature_flag_info
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import run_command

RESULTS = pathlib.Path(__file__).resolve().parents[2] / "build" / "flags.json"


class Flags:
    """The modules as a playbook uses them, on one flag of a running system."""

    def __init__(self, real: RealFlags) -> None:
        self.real = real
        self.system = registry.open_system(self._with_defaults(), run_command)

    def set(self, state: str, **options: t.Any) -> Outcome:
        given = {"name": FLAG, "state": state, "system": self.real.settings(), **options}
        return call_core(feature_flag, **given)

    def info(self, **options: t.Any) -> Outcome:
        return call_core(feature_flag_info, **{"system": self.real.settings(), "names": [FLAG], **options})

    def state(self) -> dict[str, t.Any]:
        return dict(self.info()["flags"][FLAG])

    def can(self, capability: str) -> bool:
        return capability in self.system.capabilities

    def require(self, capability: str) -> None:
        if not self.can(capability):
            pytest.skip(f"cannot: {self.system.lacks[capability]}")

    def _with_defaults(self) -> dict[str, t.Any]:
        return dict(params_of(feature_flag_info, {"system": self.real.settings()})["system"])


def note(system: str, **facts: t.Any) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.with_name("flags.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known.setdefault(system, {}).update(facts)
        RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
