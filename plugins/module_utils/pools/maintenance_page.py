# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""lb_page: a maintenance page in front of a pool, on and off."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Pages
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.setting import Setting, SettingChange
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

CONTENT_TYPE = re.compile(r"^[a-z]+/[A-Za-z0-9.+-]+(; ?charset=[A-Za-z0-9-]+)?\Z")


def nothing_done(pool: str) -> dict[str, t.Any]:
    """The result of a lb_page that saw and did nothing: all of its keys."""
    return {"changed": False, "pool": pool, "before": {}, "after": {}, "actions": [], "notes": []}


def core(call: Call) -> dict[str, t.Any]:
    """lb_page."""
    try:
        wanted = wanted_page(call.params) if call.params["state"] == "present" else None
        balancer = registry.open_balancer(call.params["balancer"], call.run_command)
        return PageChange(call, balancer, balancer.pages(), wanted, Clock()).run()
    except RolloutError as error:
        error.result = {**nothing_done(call.params["balancer"]["pool"]), **error.result}
        raise


def wanted_page(params: t.Mapping[str, t.Any]) -> Page:
    """Raises InputError."""
    body, content_type, retry_after = params["body"], params["content_type"], params["retry_after"]
    if not body.strip() or "\0" in body:
        raise InputError("body: the page is empty, or has a zero byte; write in it what users should know.")
    if not CONTENT_TYPE.match(content_type):
        raise InputError(
            f"content_type: '{content_type}' is not a content type; for example text/html, or text/plain; charset=utf-8."
        )
    if retry_after < 1:
        raise InputError(f"retry_after: must be 1 s or more, is {retry_after}.")
    return Page(body, content_type, retry_after)


class PageChange:
    """One call of lb_page on one balancer node."""

    def __init__(self, call: Call, balancer: Balancer, pages: Pages, wanted: Page | None, clock: Clock) -> None:
        self._call = call
        self._balancer = balancer
        self._pages = pages
        self._wanted = wanted
        setting = Setting(
            name=f"the maintenance page of pool '{balancer.pool}'",
            read=pages.read,
            require_admin=pages.require_admin,
            put=pages.show,
        )
        nothing: Page | None = None
        self._change = SettingChange(call, balancer, setting, self._fitted, nothing, clock)

    def run(self) -> dict[str, t.Any]:
        try:
            self._change.apply()
        except RolloutError as error:
            error.result = {**self._result(), **error.result}
            raise
        return self._result()

    def _fitted(self) -> Page | None:
        return self._pages.fitted(self._wanted) if self._wanted else None

    def _result(self) -> dict[str, t.Any]:
        change = self._change
        result = {
            **nothing_done(self._balancer.pool),
            "changed": change.changed,
            "before": _in_words(change.before),
            "after": _in_words(change.now),
            "actions": [self._action()] if change.changed else [],
            "notes": list(self._pages.notes),
        }
        if self._call.diff:
            header = f"{self._balancer.where} pool {self._balancer.pool}"
            result["diff"] = {
                "before_header": header,
                "after_header": header,
                "before": result["before"],
                "after": result["after"],
            }
        return result

    def _action(self) -> str:
        pool = f"pool '{self._balancer.pool}'"
        if self._change.only_kept:
            return f"saved for the next reload what clients of {pool} get"
        if self._change.now is None:
            return f"removed the maintenance page of {pool}"
        return f"{'changed' if self._change.before else 'put up'} the maintenance page of {pool}"


def _in_words(page: Page | None) -> dict[str, t.Any]:
    return {"status": 503, **dataclasses.asdict(page)} if page else {}
