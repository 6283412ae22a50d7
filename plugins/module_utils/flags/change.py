# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""feature_flag: one flag made what is wanted, read back, and seen by the applications."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import instances, planning, registry
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Conflict, Flag, FlagSystem, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

TRIES = 8
"""How often a change is started over where somebody else changes the flag at the same time."""
PAUSE = 0.05


def core(call: Call) -> dict[str, t.Any]:
    """feature_flag."""
    wanted = planning.wanted_of(call.params, time.time())
    system = registry.open_system(call.params["system"], call.run_command)
    listed = instances.from_options(call.params)
    return FlagChange(call, system, wanted, Clock(), listed).run()


class FlagChange:
    """One call of feature_flag."""

    def __init__(
        self, call: Call, system: FlagSystem, wanted: Wanted, clock: Clock, listed: instances.Instances
    ) -> None:
        self._call = call
        self._system = system
        self._wanted = wanted
        self._clock = clock
        self._instances = listed
        self._name = str(call.params["name"])
        self._began = clock.now()
        self._before = self._after = Flag(self._name)
        self._changed = False
        self._sent: float | None = None
        self._seen = instances.NOT_ASKED

    def run(self) -> dict[str, t.Any]:
        try:
            self._change()
            self._wait_until_seen()
        except RolloutError as error:
            error.result = {**self._result(), **error.result}
            raise
        if self._seen.missing:
            raise RolloutError(
                f"{self._message()}; not by {'; '.join(f'{name}: {why}' for name, why in self._seen.missing.items())}. "
                f"The flag itself is {planning.in_words(self._after)}; look at these instances.",
                **self._result(),
                kind="not_seen",
            )
        return self._result()

    def _change(self) -> None:
        self._before = self._after = self._system.read(self._name)
        flag = self._before
        for dummy in range(TRIES):
            planning.refuse(self._system, flag, self._wanted, self._call.params["allow_rules"])
            if planning.is_reached(self._system, flag, self._wanted):
                self._note(flag)
                return
            self._changed = True
            if self._call.check_mode:
                self._after = planning.predicted(self._system, flag, self._wanted)
                return
            try:
                self._system.apply(flag, self._wanted)
            except Conflict:
                self._clock.sleep(PAUSE)
            flag = self._system.read(self._name)
        if planning.is_reached(self._system, flag, self._wanted):
            self._note(flag)
            return
        self._note(flag)
        raise RolloutError(
            f"{self._system.where}: '{self._name}' was set {TRIES} times and is {planning.in_words(flag)} again, not "
            f"{self._wanted.state}. Somebody else changes it at the same time; stop them, then run again.",
            kind="flag_contested",
        )

    def _note(self, flag: Flag) -> None:
        self._after = flag
        self._sent = self._clock.now() - self._began if self._changed else None

    def _wait_until_seen(self) -> None:
        expected = planning.serves(self._after)
        if self._call.check_mode or expected is None or not self._instances.urls:
            return
        self._seen = instances.wait_until_seen(self._instances, expected, self._clock, self._began)

    def _message(self) -> str:
        if self._call.check_mode:
            would = "would be" if self._changed else "is"
            return f"{self._name} {would} {planning.in_words(self._after)}"
        text = f"{self._name} is {planning.in_words(self._after)}"
        parts = [f"sent after {self._sent:.2g} s"] if self._sent is not None else []
        if self._seen.asked:
            counted = f"{self._seen.asked - len(self._seen.missing)} of {self._seen.asked}"
            parts.append(f"seen by {counted} instances after {self._seen.seconds:.2g} s")
        return f"{text}: {', '.join(parts)}" if parts else text

    def _result(self) -> dict[str, t.Any]:
        seen_all = self._seen.asked and not self._seen.missing
        result: dict[str, t.Any] = {
            "changed": self._changed,
            "name": self._name,
            "before": planning.facts(self._before),
            "after": planning.facts(self._after),
            "sent_ms": None if self._sent is None else round(self._sent * 1000),
            "seen_ms": round(self._seen.seconds * 1000) if seen_all else None,
            "instances": self._seen.asked,
            "not_seen": self._seen.missing,
            "msg": self._message(),
        }
        if self._call.diff:
            result["diff"] = {
                "before_header": f"{self._system.where} {self._name}",
                "after_header": f"{self._system.where} {self._name}",
                "before": _shown(self._before),
                "after": _shown(self._after),
            }
        return result


def _shown(flag: Flag) -> dict[str, t.Any]:
    shown: dict[str, t.Any] = {"state": flag.state, "percent": flag.percent, "rules": list(flag.rules)}
    named = {"segments": list(flag.segments)} if flag.segments else {}
    return {**shown, **named, "reason": flag.reason} if flag.reason else {**shown, **named}
