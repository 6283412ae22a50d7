# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The connections that a draining target's host itself has open, by which a drain ends early.

AWS shows a target as draining until the group's deregistration delay is over, idle or not, and does not report how
many requests are still in flight. The host can: a command of the user's choice counts them.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.targets import Target
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

RunCommand = t.Callable[..., t.Tuple[int, str, str]]


class Counted(t.NamedTuple):
    """What one read of a host gave; *connections* is None where it failed, for the reason *problem*."""

    connections: int | None
    problem: str = ""


class Connections:
    """Counts the connections of hosts, and records since when each has had none.

    *quiet* is the number of seconds without any that count as the end of a drain: a load balancer's nodes learn of
    a deregistration one after the other, within seconds.
    """

    def __init__(self, command: t.Sequence[str], quiet: float, run_command: RunCommand, clock: Clock) -> None:
        if not command or any(not re.sub(r"\{(name|id|port)\}", "", part).isprintable() for part in command):
            raise InputError("balancer.connections_command: give a program and its arguments as a list.")
        if quiet < 0:
            raise InputError(f"balancer.connections_quiet: must be 0 s or more, is {quiet:g}.")
        self._command = list(command)
        self._quiet = quiet
        self._run_command = run_command
        self._clock = clock
        self._none_since: dict[Target, float] = {}

    def count(self, name: str, target: Target) -> Counted:
        """Asks the host; a failure says nothing about its connections and starts the quiet time again."""
        counted = self._ask(name, target)
        if counted.connections == 0:
            self._none_since.setdefault(target, self._clock.now())
        else:
            self.forget(target)
        return counted

    def is_quiet(self, target: Target) -> bool:
        """It has had no connection at any read of the last *quiet* seconds."""
        since = self._none_since.get(target)
        return since is not None and self._clock.now() - since >= self._quiet

    def forget(self, target: Target) -> None:
        self._none_since.pop(target, None)

    def _ask(self, name: str, target: Target) -> Counted:
        argv = [fill_in(part, name, target) for part in self._command]
        code, out, err = self._run_command(argv)
        text = out.strip()
        if code == 0 and text.isdigit():
            return Counted(int(text))
        said = (err.strip() or text).splitlines()
        detail = f": {said[-1][:200]}" if said else ""
        if code:
            return Counted(None, f"'{argv[0]}' ended with {code}{detail}")
        return Counted(None, f"'{argv[0]}' printed no number{detail}")


def fill_in(part: str, name: str, target: Target) -> str:
    """Replaces {name}, {id} and {port}; any other brace stays, since shells and awk use them."""
    values = {"name": name, "id": target.id, "port": "" if target.port is None else str(target.port)}
    return re.sub(r"\{(name|id|port)\}", lambda match: values[match.group(1)], part)
