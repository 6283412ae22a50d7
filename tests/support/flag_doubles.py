# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flag system in memory, with another writer if need be."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.flags import contract
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import (
    Conflict,
    Flag,
    FlagSystem,
    Unreachable,
    Wanted,
)


class InMemory(FlagSystem):
    """*others* are called one after the other, each before a change of ours is made."""

    capabilities = frozenset(
        {contract.CAN_PERCENT, contract.CAN_GIVE_REASON, contract.CAN_AUDIT, contract.CAN_LISTENERS}
    )
    lacks: t.ClassVar[t.Mapping[str, str]] = {}

    def __init__(self, *flags: Flag, others: t.Sequence[Flag] = (), compares: bool = True) -> None:
        super().__init__("memory")
        self.flags = {flag.name: flag for flag in flags}
        self.others = list(others)
        self.compares = compares
        self.is_down = False
        self.applied = 0

    def read(self, name: str) -> Flag:
        if self.is_down:
            raise Unreachable("memory: did not answer within 5 s.")
        return self.flags.get(name, Flag(name))

    def names(self) -> list[str]:
        return list(self.flags)

    def apply(self, flag: Flag, wanted: Wanted) -> None:
        self.applied += 1
        other = self.others.pop(0) if self.others else None
        if other is not None and self.compares:
            self.flags[flag.name] = other
            raise Conflict("memory: somebody else has changed it.")
        if wanted.state == contract.ABSENT:
            self.flags.pop(flag.name, None)
        else:
            killed = wanted.state == contract.KILLED
            self.flags[flag.name] = dataclasses.replace(
                flag, exists=True, on=wanted.state == contract.ON, percent=wanted.percent, killed=killed,
                reason=wanted.reason if killed else "",
            )  # fmt: skip
        if other is not None:
            self.flags[flag.name] = other


class FileLike(InMemory):
    """One that can do nothing but on and off."""

    capabilities = frozenset()
    lacks: t.ClassVar[t.Mapping[str, str]] = dict.fromkeys(contract.ALL_CAPABILITIES, "it is as simple as a file")
