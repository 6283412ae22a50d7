# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""HAProxy (2.4 documented, 2.6 to 3.2 tested), through its runtime command line.

One node is one admin socket. A reload leaves an old process that goes on serving what it has in flight; the
admin socket shows only the new one, so that counting the old one's sessions takes the master's socket too.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import Entry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Count,
    NewMember,
    Snapshot,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import counters as haproxy_counters
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import request_log as haproxy_log
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import servers as haproxy_servers
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import state as haproxy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.map import HAProxyMap
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.protocol import (
    LEVEL_HINT,
    Cli,
    SocketCli,
    expect_silence,
    first_line,
    parse_address,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.routes import HAProxyPages, HAProxyRoutes
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.state_file import StateFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.tables import Tables
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.workers import Workers
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import (
    NO_ROUTING_FILES,
    Pages,
    Routes,
    RoutingFiles,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

COMMANDS = {contract.IN_SERVICE: "ready", contract.DRAINED: "drain", contract.MAINTENANCE: "maint"}
MOST_ALONE = 20
"""Reading more servers one by one is not faster than reading all of the pool, nor is it one batch."""
NOTE_NO_MASTER = (
    "Requests in a process that a reload left behind are not counted: give balancer.master_socket to see them."
)


def open_haproxy(settings: dict[str, t.Any]) -> HAProxy:
    """Raises InputError where the settings cannot be right; connects to nothing yet."""
    pool, timeout = settings["pool"], settings["timeout"]
    if not re.match(r"^[A-Za-z0-9_.:-]+\Z", pool):
        raise InputError(f"balancer.pool: {pool!r} cannot be the name of a backend; letters, digits and - _ . : can.")
    if timeout <= 0:
        raise InputError(f"balancer.timeout: must be more than 0 s, is {timeout:g}.")
    where = f"{settings.get('host') or ''} {settings['socket']}".strip()
    cli = SocketCli(parse_address(settings["socket"], "balancer.socket"), where, timeout)
    workers = None
    if settings.get("master_socket"):
        address = parse_address(settings["master_socket"], "balancer.master_socket")
        where = f"{settings.get('host') or ''} {settings['master_socket']}".strip()
        workers = Workers(SocketCli(address, where, timeout, half_close=True))
    file = StateFile(settings["state_file"]) if settings.get("state_file") else None
    return HAProxy(pool, cli, workers, file, RoutingFiles.given(settings))


class HAProxy(Balancer):
    """One backend of one HAProxy node."""

    capabilities = frozenset(
        {
            contract.CAN_DRAIN,
            contract.CAN_MAINTAIN,
            contract.CAN_END_SESSIONS,
            contract.CAN_SAVE,
            contract.CAN_WEIGH,
            contract.CAN_ROUTE,
            contract.CAN_PAGE,
            contract.CAN_COUNT,
            contract.CAN_LOG,
            contract.CAN_ADD,
        }
    )
    lacks = {
        contract.CAN_WEIGH_AT_ONCE: "its command line sets one server after another, within milliseconds; those that "
        "rise go first",
    }

    def __init__(
        self,
        pool: str,
        cli: Cli,
        workers: Workers | None = None,
        file: StateFile | None = None,
        files: RoutingFiles = NO_ROUTING_FILES,
    ) -> None:
        super().__init__(pool, cli.where)
        self._cli = cli
        self._workers = workers
        self._file = file
        self._files = files
        self._tables = Tables(cli, pool)
        self._rows: dict[str, haproxy_state.Row] = {}
        """What 'show stat' said of each server when its state was read last."""

    def version(self) -> str:
        (info,) = self._cli.ask(["show info"])
        match = re.search(r"^Version: *(\S+)", info, re.MULTILINE)
        return match.group(1) if match else ""

    def require_admin(self) -> None:
        (level,) = self._cli.ask(["show cli level"])
        if level.strip() != "admin":
            raise RolloutError(f"{self.where}: no change is allowed here ('{first_line(level)}'): {LEVEL_HINT}.")

    def snapshot(self) -> Snapshot:
        # The old processes first: what moves from there to here in between is then seen twice, not missed.
        old = self._workers.old_sessions(self.pool) if self._workers else None
        state, stat = self._tables.whole(haproxy_state.OF_MEMBERS)
        self._rows = {row["svname"]: row for row in stat if row["type"] == haproxy_state.SERVER_ROW}
        return Snapshot(
            pool=self.pool,
            members=haproxy_state.members(state, stat, old),
            queue=haproxy_state.pool_queue(stat),
            notes=self._notes,
        )

    def snapshot_of(self, members: t.Sequence[str]) -> Snapshot:
        """In a large pool the rows of 'show stat' cost the most by far. A backup's own row does not say whether it takes traffic."""
        if not 0 < len(members) <= MOST_ALONE:
            return self.snapshot()
        old = self._workers.old_sessions(self.pool) if self._workers else None
        state, rows = self._tables.only(members)
        if any(name not in rows or haproxy_state.is_backup(rows[name]) for name in members):
            return self.snapshot()
        self._rows.update(rows)
        return Snapshot(self.pool, haproxy_state.members(state, rows.values(), old), notes=self._notes)

    def refreshed(self, snapshot: Snapshot, members: t.Sequence[str]) -> Snapshot:
        """A row of 'show stat' for each member, by its number: 'show servers state' has no such choice.

        What the row cannot show is noticed by its status: another one is a reason to read all of them. The end of a slow
        start may be in no column.
        """
        now = self._tables.rows(members)
        if any(name not in now or _identity(now[name]) != _identity(self._rows.get(name, {})) for name in members):
            return self.snapshot_of(members)
        if any(snapshot.members[name].operational == contract.STARTING for name in members):
            return self.snapshot_of(members)
        busy = {name: haproxy_state.busy(now[name]) for name in members}
        old: dict[str, int | None] = {name: snapshot.members[name].old_sessions for name in members}
        if self._workers and not all(map(sum, busy.values())):
            # Only once nothing is left in the new process does it matter what the old ones have.
            left = self._workers.old_sessions_for_a_poll(self.pool)
            old = {name: left.get(name, 0) for name in members}
        fresh = {
            name: dataclasses.replace(
                snapshot.members[name],
                sessions=busy[name][0],
                queue=busy[name][1],
                old_sessions=old[name],
                check=haproxy_state.check_in_words(now[name]),
            )
            for name in members
        }
        return dataclasses.replace(snapshot, members={**snapshot.members, **fresh})

    def counters(self) -> Count:
        """Only what the process behind the admin socket has counted: a reload resets the counters."""
        (info,) = self._cli.ask(["show info"])
        dummy, stat = self._tables.whole()
        return Count(series=haproxy_counters.series(info), members=haproxy_counters.counters(stat))

    def request_log(self, log: str, snapshot: Snapshot) -> list[Entry]:
        if not haproxy_log.NAME.fullmatch(log):
            raise InputError(f"balancer.request_log: expected the name of a ring of HAProxy, found '{log}'.")
        (text,) = self._cli.ask([f"show events {log}"])
        if "not find" in first_line(text).lower() or "no such" in first_line(text).lower():
            raise RolloutError(
                f"{self.where}: there is no ring '{log}' ('{first_line(text)}'). Add the section 'ring {log}' and "
                f"'log ring@{log} format raw local0' to HAProxy's configuration as the README shows."
            )
        return haproxy_log.entries(text, self.pool)

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        self._change([f"set server {self.pool}/{name} state {COMMANDS[state]}" for name, state in states.items()])

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        self._change([f"set server {self.pool}/{name} weight {weight}" for name, weight in weights.items()])

    def end_sessions(self, members: t.Sequence[str]) -> None:
        self._change([f"shutdown sessions server {self.pool}/{name}" for name in members])

    def unsaved(self, snapshot: Snapshot) -> list[str]:
        if self._file is None:
            return []
        saved = self._file.own_states(self.pool)
        return [name for name, member in snapshot.members.items() if saved.get(name, contract.IN_SERVICE) != member.own]

    def save(self) -> None:
        if self._file is not None:
            self._file.rewrite(lambda: self._cli.ask(["show servers state"])[0])

    def add_member(self, new: NewMember) -> None:
        """The server begins in maintenance, unchecked: 'drain' starts its checks and keeps clients away."""
        haproxy_servers.refuse_bad(new)
        self._servers.add(new)

    def remove_member(self, name: str) -> None:
        self._servers.remove(name)

    def lost_by_reload(self, change: NewMember | str) -> str:
        return haproxy_servers.lost_by_reload(self.pool, change)

    @property
    def _servers(self) -> haproxy_servers.Servers:
        return haproxy_servers.Servers(self._cli, self.pool)

    def routes(self) -> Routes:
        path = self._needed("route_file", self._files.route, "route testers' requests")
        table = HAProxyMap(self._cli, path, "balancer.route_file")
        return HAProxyRoutes(self.where, table, self._places, self.require_admin)

    def pages(self) -> Pages:
        path = self._needed("page_file", self._files.page, "show a maintenance page")
        return HAProxyPages(self.pool, HAProxyMap(self._cli, path, "balancer.page_file"), self.require_admin)

    def _places(self) -> list[str]:
        """Where a route may lead: every backend, and the servers of this pool."""
        state, dummy = self._tables.whole()
        return [*self._tables.pools(), *(row["srv_name"] for row in state)]

    @property
    def _notes(self) -> tuple[str, ...]:
        return () if self._workers else (NOTE_NO_MASTER,)

    def _change(self, commands: list[str]) -> None:
        replies = self._cli.ask(commands)
        for command, reply in zip(commands, replies):
            expect_silence(self.where, command, reply)


def _identity(row: haproxy_state.Row) -> tuple[str | None, ...]:
    """What identifies a row of 'show stat' as the same server in the same state."""
    return tuple(row.get(name) for name in ("pxname", "svname", "iid", "sid", "status", "weight"))
