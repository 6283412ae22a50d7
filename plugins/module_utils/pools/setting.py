# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One setting of a load balancer: looked at, changed where it did not reach the requested state, and looked at again."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer, Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain
from ansible_collections.steady.rollout.plugins.module_utils.pools.pool_lock import pool_lock
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

Value = t.TypeVar("Value")


class Setting(t.NamedTuple):
    """How to read and change it. Reading gives the value in force, and whether a reload keeps it."""

    name: str
    """For messages: a route of pool 'shop', say."""
    read: t.Callable[[], t.Tuple[t.Any, bool]]
    require_admin: t.Callable[[], None]
    put: t.Callable[[t.Any], None]


class SettingChange(t.Generic[Value]):
    """What a call found and did. *nothing* is the value of a setting that is not there."""

    def __init__(self, setting: Setting, nothing: Value, where: str, clock: Clock) -> None:
        self._setting = setting
        self._where = where
        self._clock = clock
        self._kept = True
        self.before = self.now = nothing
        self.changed = False

    @property
    def only_kept(self) -> bool:
        """The value was in force before; a reload would have lost it, or brought an old one back."""
        return self.changed and self.before == self.now

    def run(self, wanted: Value, check_mode: bool) -> None:
        self._read()
        self.before = self.now
        if self._is(wanted):
            return
        self._setting.require_admin()
        self.changed = True
        if check_mode:
            self.now = wanted
        else:
            self._put(wanted)

    def _put(self, wanted: Value) -> None:
        try:
            self._setting.put(wanted)
        except Unreachable:
            pass  # Told or not, what the node shows decides.
        except RolloutError:
            self._read()
            self.changed = self.now != self.before
            raise
        self._read()
        if not self._is(wanted):
            raise RolloutError(
                f"{self._where}: the load balancer accepted the change of {self._setting.name} but does not show it. "
                "Check for another tool that reverts it."
            )

    def _read(self) -> None:
        self.now, self._kept = drain.patiently(self._setting.read, self._clock)

    def _is(self, wanted: Value) -> bool:
        return self._kept and self.now == wanted


@contextlib.contextmanager
def alone(call: Call, balancer: Balancer) -> t.Iterator[None]:
    """The claim is ours, and no other change of the pool is made from this host meanwhile."""
    if call.check_mode:
        yield
        return
    claim = Claim.from_params(call.params["claim"])
    with claims.held(claim), pool_lock(balancer, claim):
        yield
