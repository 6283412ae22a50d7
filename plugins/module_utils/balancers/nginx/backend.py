# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""nginx (open source), through a file of its configuration that holds the upstream, and a reload.

nginx has no interface to ask or to change it at run time: a change edits the file, has nginx check it, reloads, and
waits until only workers that started with it take new connections. It runs on the balancer's own host.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common import access_log
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.linux_processes import Proc
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.reloaded_file import ReloadedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import Entry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Member,
    NewMember,
    Snapshot,
    WeightLimits,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx import upstream as nginx_upstream
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.page import NginxPages
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.routes import NginxRoutes, upstreams
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.service import Nginx, RunCommand
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.traffic import Left, Traffic
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.upstream import NotUnderstood, Server
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import (
    NO_ROUTING_FILES,
    Pages,
    Routes,
    RoutingFiles,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

PID_FILE = "/run/nginx.pid"
NOTE_CONNECTIONS = "nginx does not show requests in flight: sessions are its open connections, including idle ones."
NOTE_NOT_READ = "{} was changed after nginx had last read it: the changes take effect with the next reload."
Change = t.Callable[[Server], Server]


def open_nginx(settings: dict[str, t.Any], run_command: RunCommand) -> NginxUpstream:
    """Raises InputError where the settings cannot be right; connects to nothing yet."""
    if settings["timeout"] <= 0:
        raise InputError(f"balancer.timeout: must be more than 0 s, is {settings['timeout']:g}.")
    where = f"{settings.get('host') or ''} nginx".strip()
    proc, clock = Proc(), Clock()
    nginx = Nginx(where, settings.get("pid_file") or PID_FILE, settings["timeout"], run_command, proc, clock)
    file = OwnedFile(settings["upstream_file"], where, "balancer.upstream_file")
    files = RoutingFiles.given(settings)
    return NginxUpstream(settings["pool"], nginx, file, Traffic(proc, clock), files)


class NginxUpstream(Balancer):
    """One upstream of the nginx on this host."""

    capabilities = frozenset(
        {
            contract.CAN_DRAIN,
            contract.CAN_MAINTAIN,
            contract.CAN_SAVE,
            contract.CAN_WEIGH,
            contract.CAN_WEIGH_AT_ONCE,
            contract.CAN_ROUTE,
            contract.CAN_PAGE,
            contract.CAN_LOG,
            contract.CAN_ADD,
        }
    )
    lacks = {
        contract.CAN_END_SESSIONS: "nginx has no command that cuts single connections",
        contract.CAN_COUNT: "nginx (open source) counts nothing by upstream server",
    }
    weight_limits = WeightLimits(1, 1000)

    def __init__(
        self, pool: str, nginx: Nginx, file: OwnedFile, traffic: Traffic, files: RoutingFiles = NO_ROUTING_FILES
    ) -> None:
        super().__init__(pool, nginx.where)
        self._nginx = nginx
        self._file = file
        self._upstreams = ReloadedFile(file, nginx)
        self._files = files
        self._traffic = traffic

    def version(self) -> str:
        return self._nginx.version()

    def require_admin(self) -> None:
        self._servers(self._file.read())
        self._upstreams.require_admin()

    def snapshot(self) -> Snapshot:
        servers = self._servers(self._file.read())
        sessions, left = self._traffic.read(
            self._nginx.master(), self._nginx.workers(), [server.address for server in servers.values()]
        )
        members = {name: self._member(server, sessions, left) for name, server in servers.items()}
        read = self._nginx.has_read(self._file.modified())
        return Snapshot(
            pool=self.pool,
            members=_backups_stand_by(members),
            notes=(NOTE_CONNECTIONS,) if read else (NOTE_CONNECTIONS, NOTE_NOT_READ.format(self._file.path)),
        )

    def request_log(self, log: str, snapshot: Snapshot) -> list[Entry]:
        # nginx writes seconds.
        return access_log.read(log, self.where, access_log.names(snapshot), 1000.0)

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        self._apply(lambda server: server.with_admin(states[server.name]) if server.name in states else server)

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        self._apply(lambda server: server.with_weight(weights[server.name]) if server.name in weights else server)

    def add_member(self, new: NewMember) -> None:
        server = nginx_upstream.new_server(new).with_admin(contract.DRAINED)
        self._edit(lambda text: nginx_upstream.added(text, self.pool, server))

    def remove_member(self, name: str) -> None:
        self._edit(lambda text: nginx_upstream.removed(text, self.pool, name))

    def unsaved(self, snapshot: Snapshot) -> list[str]:
        """All, where the file was written and nginx not reloaded: by a call that died, or by hand."""
        return [] if self._nginx.has_read(self._file.modified()) else list(snapshot.members)

    def save(self) -> None:
        """The file is what nginx starts with: all there is to do is to have it read."""
        if not self._nginx.has_read(self._file.modified()):
            self._apply(lambda server: server)

    def routes(self) -> Routes:
        path = self._needed("route_file", self._files.route, "route testers' requests")
        file = OwnedFile(path, self.where, "balancer.route_file")
        reloaded = ReloadedFile(file, self._nginx)
        return NginxRoutes(self.pool, self.where, reloaded, lambda: upstreams(self._nginx.configuration()))

    def pages(self) -> Pages:
        path = self._needed("page_file", self._files.page, "show a maintenance page")
        file = OwnedFile(path, self.where, "balancer.page_file")
        return NginxPages(self.pool, self.where, ReloadedFile(file, self._nginx))

    def _apply(self, change: Change) -> None:
        self._edit(lambda text: nginx_upstream.changed(text, self.pool, change))

    def _edit(self, edit: t.Callable[[str], str]) -> None:
        """Edits the file and brings it into force; puts it back where that fails."""
        self._upstreams.edit(lambda text: self._edited(text, edit))

    def _edited(self, text: str, edit: t.Callable[[str], str]) -> str:
        self._servers(text)
        return edit(text)

    def _servers(self, text: str) -> dict[str, Server]:
        try:
            upstreams = nginx_upstream.upstreams(text)
        except NotUnderstood as error:
            raise RolloutError(
                f"{self.where}: {self._file.path} cannot be read as nginx configuration: {error}. Keep nothing but "
                "plain upstreams in that file."
            ) from error
        if self.pool not in upstreams:
            raise InputError(
                f"{self.where}: no pool '{self.pool}' in {self._file.path}; its upstreams are "
                f"{quoted(upstreams) or 'none'}."
            )
        servers = upstreams[self.pool]
        self._refuse_twins([server.name for server in servers])
        return {server.name: server for server in servers}

    def _refuse_twins(self, names: list[str]) -> None:
        twins = sorted({name for name in names if names.count(name) > 1})
        if twins:
            raise RolloutError(
                f"{self.where}: {quoted(twins)} appears more than once in pool '{self.pool}' of {self._file.path}. "
                "Distinguish them by a comment behind each: '# member=name'."
            )

    def _member(self, server: Server, sessions: t.Mapping[str, int], left: Left) -> Member:
        usable = not server.down
        out = server.admin in contract.OUT_STATES
        old = left.connections.get(server.address, 0)
        return Member(
            name=server.name,
            address=server.address,
            own=server.admin,
            admin=server.admin,
            operational=contract.NO_CHECK,
            weight=server.weight,
            # No worker that has read 'down' connects to it; what is open there belongs to another pool.
            sessions=0 if server.down else sessions.get(server.address, 0),
            queue=0,
            old_sessions=None if left.unseen else old,
            usable=usable,
            in_rotation=usable,
            backup=server.backup,
            pending=self._pending(server, left) if out and not old else "",
        )

    def _pending(self, server: Server, left: Left) -> str:
        """Why a member without a connection that is seen may still get requests."""
        workers = f"{left.workers} nginx processes that a reload left behind"
        if left.unseen:
            return f"may have requests in {workers}, whose connections cannot be seen by this user"
        if left.workers and not self._traffic.places(server.address):
            return f"may have requests in {workers}, because connections to '{server.address}' cannot be distinguished"
        if left.undecided:
            return f"may still get the requests of {left.undecided} clients that are connected to {workers}"
        return ""


def _backups_stand_by(members: dict[str, Member]) -> dict[str, Member]:
    """A backup takes traffic only when no other server can."""
    if not any(member.usable and not member.backup for member in members.values()):
        return members
    return {
        name: dataclasses.replace(member, in_rotation=False) if member.backup else member
        for name, member in members.items()
    }
