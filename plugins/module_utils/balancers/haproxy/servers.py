# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Adding and removing servers of HAProxy at run time: 'add server' and 'del server', stable since HAProxy 2.6.

A new server is in maintenance and unchecked, and inherits nothing from 'default-server' (before 3.0). To be removed, a server
must be in maintenance and have no connections, idle ones included. A reload undoes both.
"""

from __future__ import annotations

import re

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import MemberBusy, NewMember
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.protocol import (
    LEVEL_HINT,
    Cli,
    expect_silence,
    first_line,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

ADDED, DELETED = "New server registered", "Server deleted"
USUAL_PARAMETERS = "check"
CHECKS = {"check": "health", "agent-check": "agent"}
"""Parameters that take effect only after 'enable', and what it enables."""
NAME = re.compile(r"[A-Za-z0-9_.:-]+\Z")
# A name would be left unresolved: only servers of the configuration have resolvers.
ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]):\d{1,5}\Z")
PARAMETERS = re.compile(r"[^;<\r\n]*\Z")
BUSY = ("still has", "has connections", "attached connections", "idle connections")
HINTS = (
    ("dynamic load balancing", "Use 'balance roundrobin', 'leastconn' or another dynamic algorithm."),
    ("is not accepted for dynamic server", "Remove that parameter from balancer.member_parameters, or add the server to the configuration."),
    ("unknown keyword", "Correct balancer.member_parameters."),
    ("experimental mode", "This needs HAProxy 2.6 or newer: add the server to the configuration instead."),
    ("permission denied", f"{LEVEL_HINT[0].upper()}{LEVEL_HINT[1:]}."),
)  # fmt: skip
OTHERWISE = "Change the configuration instead, and reload."


def refuse_bad(new: NewMember) -> None:
    """Raises InputError where the line cannot be right."""
    if not NAME.match(new.name):
        raise InputError(f"member: expected a name of letters, digits and - _ . : only, found {new.name!r}.")
    if not ADDRESS.match(new.address):
        raise InputError(
            f"address: expected an IP address with a port, such as 192.0.2.7:8080 or [2001:db8::7]:8080, found {new.address!r}; "
            "HAProxy does not resolve the name of a server that is added at run time."
        )
    if not PARAMETERS.match(new.parameters):
        raise InputError(
            "balancer.member_parameters: expected parameters of a 'server' line, found ';', '<' or a line break."
        )


def line_of(new: NewMember) -> str:
    return f"server {new.name} {new.address} {parameters_of(new)}".strip()


def parameters_of(new: NewMember) -> str:
    return " ".join((new.parameters or USUAL_PARAMETERS).split())


def lost_by_reload(pool: str, change: NewMember | str) -> str:
    if isinstance(change, str):
        return (
            f"HAProxy's next reload adds '{change}' again unless its configuration is changed too: remove its 'server' line from "
            f"backend {pool}."
        )
    return (
        f"HAProxy loses '{change.name}' at its next reload unless its configuration is changed too: add '{line_of(change)}' to "
        f"backend {pool}."
    )


class Servers:
    """The servers of one backend, added and removed through the admin socket."""

    def __init__(self, cli: Cli, pool: str) -> None:
        self._cli = cli
        self._pool = pool

    def add(self, new: NewMember) -> None:
        """Drained from its first moment on: all in one connection, and a server is in maintenance until the last command."""
        server = f"{self._pool}/{new.name}"
        words = parameters_of(new).split()
        checks = [f"enable {check} {server}" for word, check in CHECKS.items() if word in words]
        add, *others = [
            f"add server {server} {new.address} {parameters_of(new)}",
            *checks,
            f"set server {server} state drain",
        ]
        reply, *replies = self._cli.ask([add, *others])
        self._require(add, reply, ADDED)
        for command, said in zip(others, replies):
            expect_silence(self._cli.where, command, said)

    def remove(self, name: str) -> None:
        server = f"{self._pool}/{name}"
        maintenance = f"set server {server} state maint"
        expect_silence(self._cli.where, maintenance, self._cli.ask([maintenance])[0])
        delete = f"del server {server}"
        self._require(delete, self._cli.ask([delete])[0], DELETED)

    def _require(self, command: str, reply: str, done: str) -> None:
        if done.lower() in reply.lower():
            return
        said = f"{self._cli.where}: HAProxy answered '{first_line(reply)}' to '{command}'."
        if any(words in reply.lower() for words in BUSY):
            raise MemberBusy(said)
        raise RolloutError(f"{said} {_hint(reply)}")


def _hint(reply: str) -> str:
    return next((hint for words, hint in HINTS if words in reply.lower()), OTHERWISE)
