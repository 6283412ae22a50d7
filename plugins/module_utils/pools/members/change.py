# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""lb_member and lb_member_info.

All members are marked first, in one batch and under the service's claim; then they are waited for together
under one deadline, without it.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common import request_log
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    CAN_COUNT,
    CAN_END_SESSIONS,
    OUT_STATES,
    Balancer,
    Unreachable,
)
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.drain import Watch
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.marking import GuardRefusal, Marking
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.report import (
    Report,
    counted,
    facts,
    nothing_done,
)
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.request import (
    CONTINUE,
    FORCE,
    RESTORE,
    Request,
)
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock, Verdict, Waited, wait_together

# Sessions that were cut are gone within milliseconds.
SECONDS_TO_END_SESSIONS = 2.0
SECONDS_BETWEEN_ATTEMPTS = 0.5


def core(call: Call) -> dict[str, t.Any]:
    """lb_member."""
    try:
        request = Request.from_params(call.params)
        balancer = registry.open_balancer(call.params["balancer"], call.run_command)
        return MemberChange(request, balancer, call, Clock()).run()
    except RolloutError as error:
        error.result = {**nothing_done(call.params["balancer"]["pool"]), **error.result}
        raise


def info_core(call: Call) -> dict[str, t.Any]:
    """lb_member_info."""
    return read_members(call, registry.open_balancer(call.params["balancer"], call.run_command), Clock())


def read_members(call: Call, balancer: Balancer, clock: Clock) -> dict[str, t.Any]:
    snapshot = drain.first_snapshot(balancer, clock)
    if call.params["require_admin"]:
        balancer.require_admin()
    names = call.params["members"] or list(snapshot.members)
    balancer.check_members(snapshot, names)
    members = {name: facts(snapshot.members[name]) for name in names}
    result = {
        "changed": False,
        "pool": balancer.pool,
        "host": call.params["balancer"]["host"],
        "members": members,
        "pool_queue": snapshot.queue,
        "notes": list(snapshot.notes),
        "version": balancer.version(),
    }
    log = call.params["balancer"].get("request_log")
    if call.params.get("counters") and log:
        entries = (each for each in balancer.request_log(log, snapshot) if each.member in names)
        result["requests"] = request_log.summary(entries, time.time())
    if call.params.get("counters") and (CAN_COUNT in balancer.capabilities or not log):
        count = balancer.counters()
        result["series"] = count.series
        result["notes"] += count.notes
        for name in names:
            members[name]["counters"] = counted(count.members.get(name))
    return result


class MemberChange:
    """One call of lb_member on one balancer node."""

    def __init__(self, request: Request, balancer: Balancer, call: Call, clock: Clock) -> None:
        self._request = request
        self._balancer = balancer
        self._call = call
        self._clock = clock
        self._report = Report(balancer, request.wanted)
        self._marking = Marking(call, balancer, request, self._report, clock)
        self._started = clock.now()

    def run(self) -> dict[str, t.Any]:
        try:
            self._refuse_what_it_cannot()
            self._mark_when_allowed()
            if self._request.wait and not self._call.check_mode:
                self._started = self._clock.now()
                self._wait(self._marking.concerned)
        except RolloutError as error:
            error.result = {**self._result(), **error.result}
            raise
        return self._result()

    def _result(self) -> dict[str, t.Any]:
        result = self._report.result()
        if self._call.diff:
            result["diff"] = self._report.diff()
        return result

    def _refuse_what_it_cannot(self) -> None:
        """Before anything is changed, not when the time is over and the members are out."""
        if self._request.on_timeout == FORCE and CAN_END_SESSIONS not in self._balancer.capabilities:
            raise InputError(
                f"on_timeout: {self._balancer.where} cannot end sessions, so 'force' would do nothing there. "
                "Nothing was changed; use 'fail', 'continue' or 'restore'."
            )

    def _mark_when_allowed(self) -> None:
        """Asks again while others may return what the guard misses, and while the node may be restarting.

        The lock is free in between, so that they can.
        """
        started = self._clock.now()
        while True:
            try:
                self._marking.apply()
                return
            except (GuardRefusal, Unreachable) as error:
                if self._clock.now() - started >= self._patience_with(error):
                    raise
            self._clock.sleep(SECONDS_BETWEEN_ATTEMPTS)

    def _patience_with(self, error: RolloutError) -> float:
        if self._call.check_mode:
            return 0.0
        if isinstance(error, GuardRefusal):
            return self._request.guard_timeout
        # What was sent and not read back may have been done; another attempt would take that for the state before.
        return self._request.timeout if self._request.wait and not self._report.own_changes else 0.0

    def _wait(self, concerned: dict[str, str]) -> None:
        waited = self._watch(concerned, self._request.timeout)
        late = [name for name, one in waited.items() if one.verdict is Verdict.NOT_YET]
        lost = [name for name, one in waited.items() if one.verdict is Verdict.IMPOSSIBLE]
        if late and self._request.on_timeout == FORCE:
            late = self._force({name: concerned[name] for name in late})
        if lost:
            self._give_up(concerned, lost + late, "")
        if late and self._request.on_timeout != CONTINUE:
            self._give_up(concerned, late, f" within {self._request.timeout:g} s")

    def _watch(self, wanted: dict[str, str], timeout: float) -> dict[str, Waited]:
        watch = Watch(self._balancer, wanted, self._clock, self._request.require_weight)
        before = self._clock.now() - self._started
        try:
            waited = wait_together(watch.poll, timeout, self._clock, every_second=self._marking.require_claim)
        finally:
            self._report.waited = self._clock.now() - self._started
            if watch.snapshot:
                self._report.saw(watch.snapshot)
        for name, one in waited.items():
            self._report.ended(name, one.verdict is Verdict.REACHED, before + one.seconds)
        watch.require_answer()
        return waited

    def _force(self, late: dict[str, str]) -> list[str]:
        """Cuts the sessions of those that are late; returns who has some left all the same."""
        with self._marking.alone():
            members = self._marking.read_back().members
            self._balancer.end_sessions([name for name in late if name in members and members[name].own in OUT_STATES])
        waited = self._watch(late, SECONDS_TO_END_SESSIONS)
        ended = [name for name, one in waited.items() if one.verdict is Verdict.REACHED]
        self._report.forced(ended)
        return [name for name in late if name not in ended]

    def _give_up(self, concerned: dict[str, str], short: list[str], limit: str) -> None:
        forced = self._request.on_timeout == FORCE
        what, advice = drain.explain(concerned, self._report.seen, short, forced)
        if self._request.on_timeout == RESTORE:
            advice = self._marking.revert()
        raise RolloutError(
            f"{self._balancer.where}: pool '{self._balancer.pool}' did not reach the requested state{limit}: {what}. {advice}"
        )
