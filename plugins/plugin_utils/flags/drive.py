# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flags of a rollout: off before the first host is touched, on once the whole fleet is proven.

A rollout does not begin where a flag cannot be turned off. A rollback does: it waits for the flags for a limited time, and
then goes on and names the flag with the command to run.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import planning
from ansible_collections.steady.rollout.plugins.plugin_utils import background
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import RecordedChange
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.settings import FlagSetting
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Invocation, Outcome

Result = t.Dict[str, t.Any]
ON, OFF, KILLED = "on", "off", "killed"
GOES_ON = "The rollback goes on."
MARGIN = 0.5
"""Seconds of the limit that are left for what comes after the instances were asked."""


class Turned(t.NamedTuple):
    """Whether that changed it, and why it must not stay so."""

    changed: bool
    why: str


@dataclasses.dataclass
class FlagDrive:
    """*together* makes calls on hosts at the same time. *limit* in seconds is for rollbacks."""

    flags: t.Sequence[FlagSetting]
    ledger: RecordedChange
    together: t.Callable[[t.Sequence[Invocation]], t.Sequence[Outcome]]
    show: t.Callable[[str], None]
    limit: float
    now: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep

    def before_first_host(self) -> None:
        """Raises RolloutError where a flag is on, or cannot be turned off; then nothing was touched."""
        for flag in self.flags:
            found = self._read(flag)
            self._rehearse(flag)
            answer = self.ledger.begun(flag=flag.name, goal=OFF, place=flag.place, found=found, refuse=flag.refuses)
            if not answer["go"]:
                raise RolloutError(
                    f"{flag.name} ({flag.place}) is on, and only part of the fleet could serve it while hosts are updated. "
                    f"Nothing was touched. Turn it off ({flag.command(OFF)}), or let the rollout do it with when_on: 'off' in "
                    "rollout_flags."
                )
            self._turn(flag, OFF)
            self._require_seen(flag, OFF)

    def before_rollback(self) -> None:
        """Never raises, and ends in time."""
        deadline = self.now() + self.limit
        settled: set[str] = set()
        pending = background.in_thread(lambda: self._all_off(settled, deadline))
        while not pending.is_over() and self.now() < deadline:
            self.sleep(background.NAP)
        left = [] if pending.is_over() else [flag for flag in self.flags if flag.name not in settled]
        if left:
            commands = "; ".join(flag.command(OFF) for flag in left)
            self.show(f"flags are not known to be off after {self.limit:g} s. {GOES_ON} Run: {commands}")

    def after_rollback(self) -> list[str]:
        """Turns off what a rollback of this run or an earlier one could not; returns what may still be on. Ends in time."""
        left = [
            flag
            for flag in self.flags
            if self.ledger.begun(flag=flag.name, goal=OFF, place=flag.place, left=True)["go"]
        ]
        if not left:
            return []
        deadline = self.now() + self.limit
        why = dict.fromkeys((flag.name for flag in left), f"there was no answer within {self.limit:g} s")
        pending = background.in_thread(lambda: self._finish(left, why))
        while not pending.is_over() and self.now() < deadline:
            self.sleep(background.NAP)
        return [
            f"{flag.name} ({flag.place}) may still be on: {why[flag.name]}. Run the same command again to turn it off, or run: "
            f"{flag.command(OFF)}"
            for flag in left
            if why[flag.name]
        ]

    def _finish(self, left: t.Sequence[FlagSetting], why: dict[str, str]) -> None:
        for flag in left:
            why[flag.name] = self._why_still_on(flag)

    def _why_still_on(self, flag: FlagSetting) -> str:
        try:
            self._turn(flag, OFF)
        except (RolloutError, AnsibleError) as error:
            return str(error).rstrip(".")
        return ""

    def after_last_host(self, seen: Result) -> list[str]:
        """What could not be turned on, in sentences; a flag that has to wait is none of it."""
        return [failure for flag in self.flags for failure in [self._failure_on(flag, seen)] if failure]

    def _failure_on(self, flag: FlagSetting, seen: Result) -> str:
        try:
            self._on(flag, seen)
        except RolloutError as error:
            why = error.message.rstrip(".")
            return f"{flag.name} ({flag.place}) could not be turned on: {why}. Run: {flag.command(ON)}"
        return ""

    def _on(self, flag: FlagSetting, seen: Result) -> None:
        if not flag.goes_on:
            return
        answer = self.ledger.begun(flag=flag.name, goal=ON, place=flag.place, **seen)
        if not answer["go"]:
            self.show(f"flag {flag.name} stays as it is: {answer['why']}")
            return
        if self._read(flag) == KILLED:
            error = "it was killed"
            self.ledger.failed(flag=flag.name, goal=ON, place=flag.place, error=error)
            self.show(f"flag {flag.name} stays off: {error}")
            return
        why = self._turn(flag, ON).why
        if why:
            # The kill came between the intent and the change, which undid it.
            killed = {**flag.options(KILLED, waits=False), "reason": why[: planning.LONGEST_TEXT]}
            self._refuse_failures(flag, OFF, self._send(flag, killed))
            self.show(f"flag {flag.name} is off again: {why}")
            return
        if flag.first is None:
            self._require_seen(flag, ON)
        else:
            self.show(
                f"flag {flag.name} is on for {flag.first.in_words}; to continue with its steps, run: {flag.next_command}"
            )

    def _rehearse(self, flag: FlagSetting) -> None:
        """What the flag system would refuse at the end is refused before anything is touched."""
        if flag.first is not None:
            options = flag.options(ON, waits=False)
            error = _error_of(
                self.together([Invocation(host, "feature_flag", options, check_mode=True) for host in flag.hosts])
            )
            if error is not None:
                raise error

    def _all_off(self, settled: set[str], deadline: float) -> None:
        """Every flag is turned off before the instances of one are waited for; adds to *settled* what is off or named."""
        changed = []
        for flag in self.flags:
            changed += [flag] if self._off(flag) else []
            settled.add(flag.name)
        for flag in changed:
            self._await_seen(flag, deadline)

    def _off(self, flag: FlagSetting) -> bool:
        """Whether it was on until now."""
        try:
            answer = self.ledger.begun(flag=flag.name, goal=OFF, place=flag.place)
            return not answer["tried"] and self._turn(flag, OFF).changed
        except (RolloutError, AnsibleError) as error:
            why = str(error).rstrip(".")
            self.show(f"flag {flag.name} could not be turned off: {why}. {GOES_ON} Run: {flag.command(OFF)}")
            return False

    def _await_seen(self, flag: FlagSetting, deadline: float) -> None:
        """Hosts of the old version may have it on still: those of the other colour get users at once."""
        left = deadline - MARGIN - self.now()
        if not flag.has_instances or left <= 0:
            return
        outcomes = self._send(flag, {**flag.options(OFF, waits=True), "seen_timeout": f"{left:.1f}"})
        said = next((one.result.get("msg") for one in outcomes if one.failed), None)
        self.show(f"flag {said} {GOES_ON}" if said else f"flag {outcomes[0].result['msg']}")

    def _require_seen(self, flag: FlagSetting, goal: str) -> None:
        """Apart from the change, which is on record by then; raises RolloutError."""
        if flag.has_instances:
            outcomes = self._send(flag, flag.options(goal, waits=True))
            self._refuse_failures(flag, goal, outcomes)
            self.show(f"flag {outcomes[0].result['msg']}")

    def _read(self, flag: FlagSetting) -> str:
        """Its state, on if it is on anywhere; raises RolloutError where it cannot be read."""
        options = {"system": flag.system, "names": [flag.name]}
        outcomes = self.together([Invocation(host, "feature_flag_info", options) for host in flag.hosts])
        error = _error_of(outcomes)
        if error is not None:
            raise error
        states = [str(one.result["flags"][flag.name]["state"]) for one in outcomes]
        return next((state for state in (KILLED, ON) if state in states), states[0])

    def _turn(self, flag: FlagSetting, goal: str) -> Turned:
        """On all hosts that have it, on record before and after. Raises RolloutError."""
        outcomes = self._send(flag, flag.options(goal, waits=False))
        self._refuse_failures(flag, goal, outcomes)
        answer = self.ledger.done(flag=flag.name, goal=goal, place=flag.place)
        changed = any(one.result.get("changed") for one in outcomes)
        if changed:
            self.show(f"flag {outcomes[0].result['msg']}")
        return Turned(changed, str(answer.get("why") or ""))

    def _send(self, flag: FlagSetting, options: Result) -> t.Sequence[Outcome]:
        return self.together([Invocation(host, "feature_flag", options) for host in flag.hosts])

    def _refuse_failures(self, flag: FlagSetting, goal: str, outcomes: t.Sequence[Outcome]) -> None:
        error = _error_of(outcomes)
        if error is not None:
            self.ledger.failed(flag=flag.name, goal=goal, place=flag.place, error=error.message)
            raise error


def _error_of(outcomes: t.Sequence[Outcome]) -> RolloutError | None:
    failed = [one for one in outcomes if one.failed]
    if not failed:
        return None
    more = f" (and on {len(failed) - 1} more)" if len(failed) > 1 else ""
    return RolloutError(f"on {failed[0].invocation.host}{more}: {failed[0].result.get('msg')}")
