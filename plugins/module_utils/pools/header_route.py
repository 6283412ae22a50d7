# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""lb_route: testers' requests go to a group of their own, whatever the weights."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Routes, Selector
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.setting import Setting, SettingChange
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock


def nothing_done(pool: str) -> dict[str, t.Any]:
    """The result of a lb_route that saw and did nothing: all of its keys."""
    return {"changed": False, "pool": pool, "testers": "", "before": "", "after": "", "actions": [], "notes": []}


def core(call: Call) -> dict[str, t.Any]:
    """lb_route."""
    try:
        testers = Selector.given(call.params["header"], call.params["cookie"], call.params["value"])
        balancer = registry.open_balancer(call.params["balancer"], call.run_command)
        return RouteChange(call, balancer, balancer.routes(), testers, Clock()).run()
    except RolloutError as error:
        error.result = {**nothing_done(call.params["balancer"]["pool"]), **error.result}
        raise


class RouteChange:
    """One call of lb_route on one balancer node."""

    def __init__(self, call: Call, balancer: Balancer, routes: Routes, testers: Selector, clock: Clock) -> None:
        self._call = call
        self._balancer = balancer
        self._routes = routes
        self._testers = testers
        self._target: str = call.params["target"] if call.params["state"] == "present" else ""
        setting = Setting(
            name=f"the route for {testers}",
            read=lambda: routes.read(testers),
            require_admin=routes.require_admin,
            put=lambda target: routes.send(testers, target),
        )
        self._change = SettingChange(call, balancer, setting, self._resolved, "", clock)

    def run(self) -> dict[str, t.Any]:
        try:
            self._change.apply()
        except RolloutError as error:
            error.result = {**self._result(), **error.result}
            raise
        return self._result()

    def _resolved(self) -> str:
        return self._routes.resolve(self._target) if self._target else ""

    def _result(self) -> dict[str, t.Any]:
        change, testers = self._change, str(self._testers)
        result = {
            **nothing_done(self._balancer.pool),
            "changed": change.changed,
            "testers": testers,
            "before": change.before,
            "after": change.now,
            "actions": [self._action()] if change.changed else [],
            "notes": list(self._routes.notes),
        }
        if self._call.diff:
            header = f"{self._balancer.where} pool {self._balancer.pool}"
            result["diff"] = {
                "before_header": header,
                "after_header": header,
                "before": {testers: change.before},
                "after": {testers: change.now},
            }
        return result

    def _action(self) -> str:
        requests = f"requests with {self._testers} of pool '{self._balancer.pool}'"
        if self._change.only_kept:
            return f"saved for the next reload where {requests} go"
        if not self._change.now:
            return f"stopped sending {requests} to '{self._change.before}'"
        return f"sent {requests} to '{self._change.now}'"
