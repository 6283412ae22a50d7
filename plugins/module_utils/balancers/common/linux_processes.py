# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Processes and their TCP connections, as Linux shows them under /proc."""

from __future__ import annotations

import ipaddress
import os
import struct
import time
import typing as t

LISTENING, TIME_WAIT = "0A", "06"
MAPPED = "0000000000000000FFFF0000"


class Process(t.NamedTuple):
    """One process."""

    pid: int
    ticks: int
    """When it started, in the kernel's ticks since boot: with the id it names a process for good."""
    title: str
    """Its command line, which a daemon may rewrite to say what it is doing."""


class Socket(t.NamedTuple):
    """One row of /proc/net/tcp; the addresses as endpoints() writes them."""

    local: str
    remote: str
    state: str
    uid: int
    inode: str

    @property
    def local_port(self) -> str:
        return self.local.rpartition(":")[2]


class Proc:
    """What is under *root*."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root

    def process(self, pid: int) -> Process | None:
        """None where it has ended."""
        try:
            fields = self._stat(pid)
            title = self._read(f"{pid}/cmdline").replace("\0", " ").strip()
        except OSError:
            return None
        # The fields are counted from the process's state: 1 is its parent, 19 when it started.
        return Process(pid, int(fields[19]), title)

    def started(self, process: Process) -> float:
        """When it started, in seconds since the epoch, at most one tick too early."""
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return booted + process.ticks / os.sysconf("SC_CLK_TCK")

    def children(self, pid: int) -> list[Process]:
        """Child processes that have not ended, zombies left out."""
        found = (self.process(child) for child in self._child_pids(pid))
        return [process for process in found if process and process.title]

    def executable(self, pid: int) -> str:
        """The path of its program, also where a newer one has replaced it; empty where this user may not know."""
        try:
            path = os.readlink(f"{self._root}/{pid}/exe")
        except OSError:
            return ""
        return path[: -len(" (deleted)")] if path.endswith(" (deleted)") else path

    def words(self, pid: int) -> list[str]:
        """Its command line, word by word; empty where it has ended."""
        try:
            return [word for word in self._read(f"{pid}/cmdline").split("\0") if word]
        except OSError:
            return []

    def environment(self, pid: int) -> dict[str, str]:
        """The variables that it was started with; empty where it has ended or this user may not know."""
        try:
            text = self._read(f"{pid}/environ")
        except OSError:
            return {}
        return dict(one.split("=", 1) for one in text.split("\0") if "=" in one)

    def owner(self, pid: int) -> int | None:
        """The user id that it runs as."""
        try:
            return os.stat(f"{self._root}/{pid}").st_uid
        except OSError:
            return None

    def inodes(self, pid: int) -> set[str]:
        """The sockets that it holds; raises PermissionError where this user may not know, empty where it has ended."""
        directory = f"{self._root}/{pid}/fd"
        held: set[str] = set()
        try:
            descriptors = os.listdir(directory)
        except (FileNotFoundError, ProcessLookupError):
            return held
        for descriptor in descriptors:
            try:
                target = os.readlink(f"{directory}/{descriptor}")
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                held.add(target[len("socket:[") : -1])
        return held

    def sockets(self, pid: int) -> list[Socket]:
        """All TCP sockets in the network namespace of a process but those that wait; none where it has ended."""
        rows: list[Socket] = []
        for table in ("tcp", "tcp6"):
            try:
                text = self._read(f"{pid}/net/{table}")
            except OSError:
                continue
            columns = (line.split() for line in text.splitlines()[1:])
            rows.extend(Socket(row[1], row[2], row[3], int(row[7]), row[9]) for row in columns if row[3] != TIME_WAIT)
        return rows

    def _child_pids(self, pid: int) -> list[int]:
        try:
            return [int(child) for child in self._read(f"{pid}/task/{pid}/children").split()]
        except OSError:
            return [one for one in self._pids() if self._parent(one) == pid]

    def _pids(self) -> list[int]:
        return [int(name) for name in os.listdir(self._root) if name.isdigit()]

    def _parent(self, pid: int) -> int:
        try:
            return int(self._stat(pid)[1])
        except OSError:
            return 0

    def _stat(self, pid: int) -> list[str]:
        # The second field is a name in brackets that may hold anything.
        return self._read(f"{pid}/stat").rpartition(")")[2].split()

    def _read(self, path: str) -> str:
        with open(f"{self._root}/{path}", encoding="utf-8", errors="replace") as stream:
            return stream.read()


def endpoints(address: str, port: int) -> set[str]:
    """How /proc writes an IP address and port, in both of its tables; raises ValueError for anything but an address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        word = _words(ip.packed)
        return {f"{word}:{port:04X}", f"{MAPPED}{word}:{port:04X}"}
    return {f"{_words(ip.packed)}:{port:04X}"}


def _words(packed: bytes) -> str:
    """The kernel prints addresses as 32-bit numbers of the machine's own byte order."""
    count = len(packed) // 4
    return "".join(f"{word:08X}" for word in struct.unpack(f"={count}I", packed))
