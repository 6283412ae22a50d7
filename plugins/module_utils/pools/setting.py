# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One setting of a load balancer: read, changed where it differs, and read back."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.guarded_change import GuardedChange
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

Value = t.TypeVar("Value")


class Setting(t.NamedTuple):
    """How to read and change it. Reading gives the value in force, and whether a reload keeps it."""

    name: str
    """For messages: a route of pool 'shop', say."""
    read: t.Callable[[], t.Tuple[t.Any, bool]]
    require_admin: t.Callable[[], None]
    put: t.Callable[[t.Any], None]


class Seen(t.NamedTuple):
    """The value in force, and whether a reload keeps it."""

    value: t.Any
    kept: bool


class SettingChange(GuardedChange[Seen, t.Tuple[t.Any]], t.Generic[Value]):
    """What a call found and did. *nothing* is the value of a setting that is not there."""

    def __init__(
        self,
        call: Call,
        balancer: Balancer,
        setting: Setting,
        wanted: t.Callable[[], Value],
        nothing: Value,
        clock: Clock,
    ) -> None:
        super().__init__(call, balancer)
        self._setting = setting
        self._wanted = wanted
        self._clock = clock
        self.before = self.now = nothing
        self.changed = False

    @property
    def only_kept(self) -> bool:
        """The value was in force before; a reload would have lost it, or brought an old one back."""
        return self.changed and self.before == self.now

    def read(self) -> Seen:
        seen = Seen(*drain.patiently(self._setting.read, self._clock))
        self.now = seen.value
        return seen

    def plan(self, state: Seen) -> tuple[t.Any] | None:
        self.before = state.value
        wanted = self._wanted()
        return None if state == (wanted, True) else (wanted,)

    def announce(self, changes: tuple[t.Any]) -> None:
        self.changed = True

    def predicted(self, state: Seen, changes: tuple[t.Any]) -> Seen:
        (self.now,) = changes
        return Seen(self.now, True)

    def send(self, changes: tuple[t.Any]) -> None:
        self._setting.put(changes[0])

    def missed(self, state: Seen, changes: tuple[t.Any]) -> str:
        if state == (changes[0], True):
            return ""
        return (
            f"the load balancer accepted the change of {self._setting.name} but does not show it. "
            "Check for another tool that reverts it."
        )

    def refused_by_node(self, error: RolloutError, state: Seen, changes: tuple[t.Any]) -> None:
        self.changed = self.now != self.before

    def _require_admin(self) -> None:
        self._setting.require_admin()
