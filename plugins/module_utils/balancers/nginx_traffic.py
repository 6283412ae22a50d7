# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What nginx's workers have in flight, from their TCP connections, since nginx itself does not tell.

A worker that a reload left behind goes on by the configuration that it started with. So what counts against a member
that was taken out is not only its connection to that member: a client that is connected to such a worker and has
none behind it yet (it has not sent its request, or is still sending it) may yet be sent there.
"""

from __future__ import annotations

import socket
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.linux_processes import (
    LISTENING,
    TIME_WAIT,
    Proc,
    Process,
    Socket,
    endpoints,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx_service import Workers

DEFAULT_PORT = 80


class Left(t.NamedTuple):
    """What the workers that a reload left behind still hold."""

    connections: t.Mapping[str, int]
    """Connections to each member that is at a TCP address."""
    undecided: int
    """Clients of theirs whose request has not been sent on yet."""
    unseen: int
    """How many of those workers this user may not look into."""
    workers: int


class Traffic:
    """Counts connections to members. Names are looked up once."""

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        self._known: dict[str, frozenset[str]] = {}

    def places(self, address: str) -> frozenset[str]:
        """Where a member is, as the kernel writes it; empty for a unix socket and a name that is not known here."""
        if address not in self._known:
            self._known[address] = frozenset(_places(address))
        return self._known[address]

    def look(self, master: Process, workers: Workers, addresses: t.Iterable[str]) -> tuple[dict[str, int], Left]:
        """Connections of the active workers by address, and what the others still hold."""
        if not workers.active and not workers.leaving:
            return {}, Left({}, 0, 0, 0)
        sockets = self._proc.sockets(master.pid)
        held = {worker.pid: self._held(worker) for worker in workers.leaving}
        old = {
            pid: [one for one in sockets if one.inode in inodes] for pid, inodes in held.items() if inodes is not None
        }
        everything = [one for ours in old.values() for one in ours]
        listening = {one.local_port for one in sockets if one.state == LISTENING}
        places = {address: self.places(address) for address in addresses}
        left = Left(
            connections={address: _count(everything, place) for address, place in places.items()},
            undecided=sum(_undecided(ours, listening) for ours in old.values()),
            unseen=len(held) - len(old),
            workers=len(held),
        )
        owners = {self._proc.owner(worker.pid) for worker in workers.active}
        others = [one for one in sockets if one.uid in owners and one.state != TIME_WAIT and one not in everything]
        return {address: _count(others, place) for address, place in places.items()}, left

    def _held(self, worker: Process) -> set[str] | None:
        """The sockets of a worker; None where this user may not know."""
        try:
            return self._proc.inodes(worker.pid)
        except PermissionError:
            return None


def _undecided(sockets: t.Sequence[Socket], listening: t.AbstractSet[str]) -> int:
    """Clients without a connection of the worker's own behind them."""
    clients = sum(one.local_port in listening for one in sockets)
    return max(0, clients - (len(sockets) - clients))


def _count(sockets: t.Iterable[Socket], places: frozenset[str]) -> int:
    return sum(one.remote in places for one in sockets)


def _places(address: str) -> t.Iterator[str]:
    host, port = split_address(address)
    if not host:
        return
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return
    for where in (one[4] for one in found):
        yield from endpoints(str(where[0]).partition("%")[0], int(where[1]))


def split_address(address: str) -> tuple[str, int]:
    """Host and port of a server's address as nginx's configuration writes it; no host for a unix socket."""
    if address.startswith("unix:"):
        return "", 0
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
        host, port = address, str(DEFAULT_PORT)
    return host.strip("[]"), int(port)
