# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What nginx's workers have in flight, from their TCP connections, since nginx itself does not report it.

A worker that a reload left behind goes on by the configuration that it started with. So what counts against a member
that was taken out is not only its connection to that member: a client that is connected to such a worker and has
none behind it yet (it has not sent its request, or is still sending it) may yet be sent there.
"""

from __future__ import annotations

import socket
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.linux_processes import (
    LISTENING,
    Proc,
    Process,
    Socket,
    endpoints,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.service import Workers
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

DEFAULT_PORT = 80


# Seconds that the connections of active workers stand for what they are: reading the kernel's table takes time on a
# busy host, and no wait depends on them.
COUNT_EVERY = 1.0


class Left(t.NamedTuple):
    """What the workers that a reload left behind still hold."""

    connections: t.Mapping[str, int] = {}
    """Connections to each member that is at a TCP address."""
    undecided: int = 0
    """Clients of theirs whose request has not been sent on yet."""
    unseen: int = 0
    """How many of those workers this user may not look into."""
    workers: int = 0


class Traffic:
    """Counts connections to members. Names are looked up once."""

    def __init__(self, proc: Proc, clock: Clock) -> None:
        self._proc = proc
        self._clock = clock
        self._known: dict[str, frozenset[str]] = {}
        self._counts: dict[str, int] = {}
        self._counted = float("-inf")

    def places(self, address: str) -> frozenset[str]:
        """Where a member is, as the kernel writes it; empty for a unix socket and a name that is not known here."""
        if address not in self._known:
            self._known[address] = frozenset(_places(address))
        return self._known[address]

    def read(self, master: Process, workers: Workers, addresses: t.Collection[str]) -> tuple[dict[str, int], Left]:
        """Connections of the active workers by address, and what the others still hold."""
        now = self._clock.now()
        if workers.leaving or now - self._counted >= COUNT_EVERY:
            sockets = self._proc.sockets(master.pid)
            old = [self._of_worker(worker, sockets) for worker in workers.leaving]
            self._counts, self._counted = self._count_active(workers.active, sockets, old, addresses), now
            return self._counts, self._left(old, sockets, addresses)
        return self._counts, Left()

    def _of_worker(self, worker: Process, sockets: t.Iterable[Socket]) -> list[Socket] | None:
        held = self._held(worker)
        return None if held is None else [one for one in sockets if one.inode in held]

    def _left(
        self, old: t.Sequence[list[Socket] | None], sockets: t.Iterable[Socket], addresses: t.Iterable[str]
    ) -> Left:
        seen = [ours for ours in old if ours is not None]
        listening = {one.local_port for one in sockets if one.state == LISTENING}
        return Left(
            connections={address: sum(_count(ours, self.places(address)) for ours in seen) for address in addresses},
            undecided=sum(_undecided(ours, listening) for ours in seen),
            unseen=len(old) - len(seen),
            workers=len(old),
        )

    def _count_active(
        self,
        workers: t.Iterable[Process],
        sockets: t.Iterable[Socket],
        old: t.Iterable[list[Socket] | None],
        addresses: t.Iterable[str],
    ) -> dict[str, int]:
        """By the user that they run as, which is quicker than by what each of them holds."""
        owners = {self._proc.owner(worker.pid) for worker in workers}
        others = {one.inode for ours in old for one in ours or ()}
        active = [one for one in sockets if one.uid in owners and one.inode not in others]
        return {address: _count(active, self.places(address)) for address in addresses}

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
