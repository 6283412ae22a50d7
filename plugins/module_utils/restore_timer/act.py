# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the host runs every few seconds: restores what a run has drained and left, once nothing is heard of it.

The decision is made again under the claim's lock, right before each pool is changed: a heartbeat, a mark or a later run
may have come meanwhile.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim, ClaimLost
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import record, rules
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.rules import Moment, Report, Timer, Verdict
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.schedule import RunCommand, Schedule

CHANGING = "it was being changed; run the same playbook again to resume or roll back"


@dataclasses.dataclass(frozen=True)
class Look:
    """One look at the timer whose record is at *path*. *say* gets a line for each thing done."""

    path: str
    run_command: RunCommand
    say: t.Callable[[str], None]
    now: t.Callable[[], Moment] = record.now
    wall_clock: t.Callable[[], float] = time.time
    root: str = "/"

    def act(self) -> bool:
        """False where a pool could not be restored; the next look tries again."""
        timer = record.read(self.path)
        if timer is None:
            return self._end_without_timer()
        verdict = self.verdict(timer)
        if verdict.kind == rules.WAIT:
            return True
        claim = self.claim_of(timer)
        restored = True
        if verdict.kind == rules.RESTORE:
            outcomes = [self._restored(timer, claim, pool) for pool in timer.pools if pool.drained]
            restored = all(outcomes)
        self._settle(timer)
        return restored

    def _end_without_timer(self) -> bool:
        with self._alone():
            if record.read(self.path) is None:
                self.say(f"{self.path}: no restore timer is armed here; nothing is restored.")
                self._schedule().stop()
        return False

    def verdict(self, timer: Timer) -> Verdict:
        standing = claims.standing(self.claim_of(timer))
        return rules.decide(timer, rules.Standing(*standing) if standing else None, self.now())

    def claim_of(self, timer: Timer) -> Claim:
        return Claim(timer.service, timer.ledger, timer.token, directory=os.path.dirname(self.path))

    def _restored(self, timer: Timer, claim: Claim, pool: rules.Pool) -> bool:
        # Only here: a look that finds nothing to do, every few seconds, must not read the code of any balancer.
        from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import restore

        try:
            restore.Restoring(self, claim, pool).apply()
        except ClaimLost:
            return True  # The next look finds that another run decides now.
        except RolloutError as error:
            self.say(f"{timer.service}: cannot put {', '.join(pool.drained)} back in service: {error.message}")
            return False
        return True

    def note(self, timer: Timer, reports: t.Sequence[Report]) -> Timer:
        """Reports what is new, for the journal of the host and for the next run; only under the claim."""
        fresh = timer.unreported(reports)
        for one in fresh:
            self.say(sentence(timer.service, one))
        return timer.reported(fresh)

    def report(self, timer: Timer, where: str, member: str, outcome: str, why: str) -> Report:
        return Report(self.wall_clock(), timer.token, where, member, outcome, why)

    def _settle(self, seen: Timer) -> None:
        """Ends the polls once there is nothing left to restore. A later heartbeat starts them again."""
        with self._alone():
            timer = record.read(self.path)
            if timer is None or not timer.is_of(seen.ledger, seen.token):
                return
            verdict = self.verdict(timer)
            if verdict.kind == rules.RESTART:
                record.write(self.path, dataclasses.replace(timer, renewed=self.now()))
            elif verdict.kind == rules.OVER:
                reports = [
                    self.report(timer, where, member, rules.LEFT_CHANGING, f"{verdict.why}, but {CHANGING}")
                    for (where, dummy), members in verdict.left_out.items()
                    for member in members
                ]
                record.write(self.path, dataclasses.replace(self.note(timer, reports), is_scheduled=False))
                self._schedule().stop()

    def _schedule(self) -> Schedule:
        return Schedule(self.path, self._service, self.run_command, self.root)

    @property
    def _service(self) -> str:
        return os.path.basename(self.path)[: -len(record.SUFFIX)]

    def _alone(self) -> t.ContextManager[None]:
        """As every change of the service on this host, also one of a run that this timer is not for."""
        return claims.lock(
            os.path.dirname(self.path), f"{self._service}.claim", f"service '{self._service}' on this host"
        )


def sentence(service: str, one: Report) -> str:
    verb = "was put back in service" if one.outcome == rules.RESTORED else "was not restored"
    return f"{service}: {one.member} {verb} on {one.where}: {one.why}."


def main(path: str, run_command: RunCommand) -> int:
    try:
        return 0 if Look(path, run_command, _say).act() else 1
    except (RolloutError, OSError) as error:
        _say(f"{path}: {error}")
        return 1


def _say(line: str) -> None:
    """For the journal of the host, also where the look is cut off."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
