# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""lb_member and lb_member_info.

All members are marked first, in one batch and under the service's claim; then they are waited for together
under one deadline, without it.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    CAN_END_SESSIONS,
    OUT_STATES,
    Balancer,
    Snapshot,
    Unreachable,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import plan as member_plan
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.drain import Watch
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.plan import Plan
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
from ansible_collections.steady.rollout.plugins.module_utils.pools.pool_lock import pool_lock
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock, Verdict, Waited, wait_together

# Sessions that were cut are gone within milliseconds.
SECONDS_TO_END_SESSIONS = 2.0
SECONDS_BETWEEN_REFUSALS = 0.5


class GuardRefusal(RolloutError):
    """The pool would be lower than it may be."""


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
    if call.params.get("counters"):
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
        self._started = clock.now()

    def run(self) -> dict[str, t.Any]:
        try:
            self._refuse_what_it_cannot()
            concerned = self._mark_when_allowed()
            if self._request.wait and not self._call.check_mode:
                self._started = self._clock.now()
                self._wait(concerned)
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

    @contextlib.contextmanager
    def _alone(self) -> t.Iterator[None]:
        """The claim is ours, and no other change of the pool is made from this host meanwhile."""
        if self._call.check_mode:
            yield
            return
        with claims.held(self._request.claim), pool_lock(self._balancer, self._request.claim):
            yield

    def _mark_when_allowed(self) -> dict[str, str]:
        """Others may be about to bring back what the guard misses; meanwhile they must be let at the pool."""
        until = self._clock.now() + (0 if self._call.check_mode else self._request.guard_timeout)
        while True:
            try:
                with self._alone():
                    return self._mark()
            except GuardRefusal:
                if self._clock.now() >= until:
                    raise
            self._clock.sleep(SECONDS_BETWEEN_REFUSALS)

    def _mark(self) -> dict[str, str]:
        """Sets the admin states and reads them back; returns what was asked, without the members left alone."""
        wanted, snapshot = self._request.wanted, drain.first_snapshot(self._balancer, self._clock)
        self._balancer.check_members(snapshot, wanted)
        self._report.saw_first(snapshot)
        plan = member_plan.make_plan(snapshot, wanted, self._request.expected_states)
        self._skip(snapshot, plan)
        self._refuse_unsafe(snapshot, plan)
        if plan.changes:
            self._balancer.require_admin()
            self._report.sent(plan.changes)
            snapshot = self._predict(snapshot, plan.changes) if self._call.check_mode else self._set(plan.changes)
        concerned = plan.concerns(wanted)
        self._save(snapshot, concerned)
        self._report.marked()
        return concerned

    def _skip(self, snapshot: Snapshot, plan: Plan) -> None:
        if not plan.drained_externally:
            return
        self._report.skipped(plan.drained_externally)
        states = ", ".join(f"'{name}' ({snapshot.members[name].own})" for name in plan.drained_externally)
        self._call.warn(f"{self._balancer.where}: somebody else changed {states}; skipped.")

    def _refuse_unsafe(self, snapshot: Snapshot, plan: Plan) -> None:
        reason = member_plan.refusal(self._request.guard, snapshot, plan.changes)
        if plan.changes and not reason:
            reason = self._balancer.objection(plan.changes)
        if reason:
            raise GuardRefusal(
                f"{self._balancer.where}: refused to take {quoted(member_plan.taken_out(plan.changes))} out of pool "
                f"'{self._balancer.pool}': {reason}. In rotation now: {quoted(snapshot.in_rotation)}. Nothing was changed; "
                "return other members to service first.",
                refused=True,
            )

    def _predict(self, snapshot: Snapshot, changes: dict[str, str]) -> Snapshot:
        snapshot = member_plan.predicted(snapshot, changes)
        self._report.saw(snapshot)
        return snapshot

    def _set(self, changes: dict[str, str]) -> Snapshot:
        """Sets and reads back; once more where a reload swallowed it in between."""
        for _attempt in range(2):
            snapshot = self._send(changes)
            missed = _missed(snapshot, changes)
            if not missed:
                return snapshot
        states = ", ".join(f"'{name}' is {missed[name]}, not {changes[name]}" for name in missed)
        raise RolloutError(
            f"{self._balancer.where}: pool '{self._balancer.pool}' accepted the change but does not show it: {states}. "
            "Check for an agent check or another tool that reverts it."
        )

    def _send(self, changes: dict[str, str]) -> Snapshot:
        """What the node shows after it was told to change."""
        try:
            self._balancer.set_admin(changes)
        except Unreachable:
            pass  # Told or not, what the node shows decides.
        except RolloutError:
            snapshot = self._read()
            self._report.did_not_send(_missed(snapshot, changes))
            raise
        return self._read()

    def _read(self) -> Snapshot:
        snapshot = drain.first_snapshot(self._balancer, self._clock)
        self._report.saw(snapshot)
        return snapshot

    def _save(self, snapshot: Snapshot, concerned: dict[str, str]) -> None:
        """Also when nothing was changed: an earlier call may have died before it could save."""
        if set(self._balancer.unsaved(snapshot)).intersection(concerned):
            self._report.saved()
            if not self._call.check_mode:
                self._balancer.save()

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
            waited = wait_together(watch.poll, timeout, self._clock, every_second=self._still_ours)
        finally:
            self._report.waited = self._clock.now() - self._started
            if watch.snapshot:
                self._report.saw(watch.snapshot)
        for name, one in waited.items():
            self._report.ended(name, one.verdict is Verdict.REACHED, before + one.seconds)
        return waited

    def _still_ours(self) -> None:
        with claims.held(self._request.claim):
            pass

    def _force(self, late: dict[str, str]) -> list[str]:
        """Cuts the sessions of those that are late; returns who has some left all the same."""
        with self._alone():
            members = self._read().members
            self._balancer.end_sessions([name for name in late if name in members and members[name].own in OUT_STATES])
        waited = self._watch(late, SECONDS_TO_END_SESSIONS)
        ended = [name for name, one in waited.items() if one.verdict is Verdict.REACHED]
        self._report.forced(ended)
        return [name for name in late if name not in ended]

    def _give_up(self, concerned: dict[str, str], short: list[str], limit: str) -> None:
        forced = self._request.on_timeout == FORCE
        told, advice = drain.explain(concerned, self._report.seen, short, forced)
        if self._request.on_timeout == RESTORE:
            advice = self._put_back()
        raise RolloutError(
            f"{self._balancer.where}: pool '{self._balancer.pool}' did not reach the requested state{limit}: {told}. {advice}"
        )

    def _put_back(self) -> str:
        """Undoes what this call changed, except where somebody else has changed it since; says what came of it."""
        with self._alone():
            snapshot = self._read()
            ours = {
                name: before
                for name, (before, state) in self._report.own_changes.items()
                if name in snapshot.members and snapshot.members[name].own == state
            }
            reason = member_plan.refusal(self._request.guard, snapshot, ours)
            if reason:
                return f"It was not restored, because {reason}."
            snapshot = self._set(ours)
            self._report.restored(ours)
            if self._balancer.unsaved(snapshot):
                self._balancer.save()
        return "What this call had changed is restored."


def _missed(snapshot: Snapshot, changes: dict[str, str]) -> dict[str, str]:
    """The admin state found, by member that has not the one that was set."""
    found = {name: snapshot.members.get(name) for name in changes}
    return {
        name: member.own if member else "gone"
        for name, member in found.items()
        if not member or member.own != changes[name]
    }
