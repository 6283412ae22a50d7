# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's processes and connections, on a /proc and an nginx that are made up."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import typing as t

import pytest
from support.pools import ManualClock

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.linux_processes import (
    Proc,
    Process,
    endpoints,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx import backend as nginx_module
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.backend import NginxUpstream
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.service import (
    Nginx,
    complaint,
    started_with,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.traffic import Traffic, split_address
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

MASTER, USER = 100, os.getuid()
TITLE = "nginx: master process /usr/sbin/nginx -c /etc/nginx/nginx.conf"
UPSTREAMS = """\
upstream shop {
  server 10.0.0.1:8080; # member=app1
  server 10.0.0.2:8080; # member=app2
  server unix:/run/app3.sock; # member=app3
}
"""
CLIENT = "192.0.2.1:50000"


@dataclasses.dataclass
class Connection:
    local: str
    remote: str
    state: str = "01"


class FakeProc:
    """A /proc with nginx in it: *workers* maps a process id to the sockets that it holds."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.rows: list[str] = []
        self._kids: list[int] = []
        self.process(MASTER, TITLE, parent=1, ticks=10)
        self._inode = 500
        self._listen()

    def process(self, pid: int, title: str, parent: int = MASTER, ticks: int = 20) -> None:
        place = self.root / str(pid)
        (place / "fd").mkdir(parents=True, exist_ok=True)
        (place / "net").mkdir(exist_ok=True)
        (place / "task" / str(pid)).mkdir(parents=True, exist_ok=True)
        (place / "cmdline").write_text(title)
        fields = ["S", str(parent), *["0"] * 17, str(ticks)]
        (place / "stat").write_text(f"{pid} (odd) name) {' '.join(fields)}\n")
        if parent == MASTER and pid not in self._kids:
            self._kids.append(pid)
        self._write()

    def worker(self, pid: int, *connections: Connection, leaving: bool = False, ticks: int = 20) -> None:
        self.process(pid, "nginx: worker process" + (" is shutting down" if leaving else ""), ticks=ticks)
        for one in connections:
            self._inode += 1
            self._add(one, self._inode)
            (self.root / str(pid) / "fd" / str(self._inode)).symlink_to(f"socket:[{self._inode}]")

    def end(self, pid: int) -> None:
        self._kids.remove(pid)
        (self.root / str(pid) / "cmdline").write_text("")
        self._write()

    def _listen(self) -> None:
        self._add(Connection("0.0.0.0:80", "0.0.0.0:0", "0A"), 7)

    def _add(self, one: Connection, inode: int) -> None:
        local, remote = (min(endpoints(*split_address(end)), key=len) for end in (one.local, one.remote))
        self.rows.append(f"   0: {local} {remote} {one.state} 0:0 0:0 0 {USER} 0 {inode} 1 0 20 4 30 10 -1")
        self._write()

    def _write(self) -> None:
        place = self.root / str(MASTER)
        (place / "task" / str(MASTER) / "children").write_text(" ".join(map(str, self._kids)))
        (place / "net" / "tcp").write_text("\n".join(["  sl  local_address rem_address ...", *self.rows]) + "\n")


@pytest.fixture
def proc(tmp_path: pathlib.Path) -> FakeProc:
    return FakeProc(tmp_path / "proc")


@pytest.fixture
def files(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "nginx.pid").write_text(f"{MASTER}\n")
    (tmp_path / "shop.conf").write_text(UPSTREAMS)
    return tmp_path


class Commands:
    """Answers to the programs that are run; anything unexpected fails the test."""

    def __init__(self, files: pathlib.Path) -> None:
        self.ran: list[list[str]] = []
        self.answer = (0, f"# configuration file {files / 'shop.conf'}:\n", "")

    def __call__(self, argv: list[str], **options: t.Any) -> tuple[int, str, str]:
        self.ran.append(argv)
        assert argv[0] == "nginx"
        return (0, "", "nginx version: nginx/1.22.1 (Ubuntu)\n") if argv[1:] == ["-v"] else self.answer


class Site:
    """A pool on the made-up nginx; *on_reload* is what a reload does to it."""

    def __init__(self, files: pathlib.Path, proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
        self.proc = proc
        self.files = files
        self.run = Commands(files)
        self.clock = ManualClock()
        self.reloads = 0
        self.on_reload: t.Callable[[], None] = lambda: None
        monkeypatch.setattr(os, "kill", self._kill)
        self.nginx = Nginx("lb1 nginx", str(files / "nginx.pid"), 5.0, self.run, Proc(str(proc.root)), self.clock.clock)
        file = OwnedFile(str(files / "shop.conf"), "lb1 nginx", "balancer.upstream_file")
        self.pool = NginxUpstream("shop", self.nginx, file, Traffic(Proc(str(proc.root)), self.clock.clock))
        monkeypatch.setattr(Nginx, "has_read", lambda nginx, modified: True)

    @property
    def text(self) -> str:
        return (self.files / "shop.conf").read_text()

    def _kill(self, pid: int, signal: int) -> None:
        assert pid == MASTER
        if signal:
            self.reloads += 1
            self.on_reload()


@pytest.fixture
def site(files: pathlib.Path, proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(files, proc, monkeypatch)


def test_connections_of_active_workers_are_sessions(site: Site) -> None:
    site.proc.worker(
        201,
        Connection("10.0.0.9:80", CLIENT),
        Connection("10.0.0.9:40000", "10.0.0.1:8080"),
        Connection("10.0.0.9:40001", "10.0.0.1:8080"),
        Connection("10.0.0.9:40002", "10.0.0.1:9999"),
        Connection("10.0.0.9:40003", "10.0.0.2:8080", state="06"),
    )
    members = site.pool.snapshot().members
    assert {name: member.sessions for name, member in members.items()} == {"app1": 2, "app2": 0, "app3": 0}
    assert all(member.in_rotation and member.pending == "" for member in members.values())


def drained(site: Site, *names: str) -> None:
    text = site.text
    for name in names:
        text = text.replace(f"; # member={name}", f" down; # member={name}")
    (site.files / "shop.conf").write_text(text)


def test_connections_of_leaving_workers_are_old_sessions(site: Site) -> None:
    drained(site, "app1", "app2")
    site.proc.worker(201)
    site.proc.worker(
        202, Connection("10.0.0.9:80", CLIENT), Connection("10.0.0.9:40000", "10.0.0.1:8080"), leaving=True
    )
    members = site.pool.snapshot().members
    assert (members["app1"].old_sessions, members["app1"].busy, members["app1"].pending) == (1, 1, "")
    assert (members["app2"].old_sessions, members["app2"].busy, members["app2"].pending) == (0, 0, "")


def test_a_client_of_a_leaving_worker_without_a_connection_behind_it(site: Site) -> None:
    drained(site, "app1")
    site.proc.worker(201)
    # One worker's second connection to members does not make up for another worker's silent client.
    site.proc.worker(202, *[Connection("10.0.0.9:40000", "10.0.0.2:8080")] * 2, leaving=True)
    site.proc.worker(203, Connection("10.0.0.9:80", CLIENT), leaving=True)
    member = site.pool.snapshot().members["app1"]
    assert member.busy == 0
    assert member.pending == (
        "may still get the requests of 1 clients that are connected to 2 nginx processes that a reload left behind"
    )
    assert site.pool.snapshot().members["app2"].pending == ""


def test_a_unix_socket_is_not_drained_before_old_workers_are_gone(site: Site) -> None:
    drained(site, "app3")
    site.proc.worker(201)
    assert site.pool.snapshot().members["app3"].pending == ""
    site.proc.worker(202, leaving=True)
    assert site.pool.snapshot().members["app3"].pending == (
        "may have requests in 1 nginx processes that a reload left behind, "
        "because connections to 'unix:/run/app3.sock' cannot be distinguished"
    )


def test_workers_that_this_user_may_not_look_into(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(proc: Proc, pid: int) -> set[str]:
        raise PermissionError

    drained(site, "app1")
    site.proc.worker(201)
    site.proc.worker(202, leaving=True)
    monkeypatch.setattr(Proc, "inodes", refuse)
    member = site.pool.snapshot().members["app1"]
    assert member.old_sessions is None
    assert member.pending == (
        "may have requests in 1 nginx processes that a reload left behind, whose connections cannot be seen by this user"
    )
    with pytest.raises(RolloutError) as raised:
        site.pool.require_admin()
    assert raised.value.message == (
        f"lb1 nginx: uid {os.geteuid()} may not reload nginx and read its connections. Use become."
    )


def test_a_change_is_checked_reloaded_and_waited_for(site: Site) -> None:
    site.proc.worker(201, ticks=20)

    def reload() -> None:
        assert "server 10.0.0.1:8080 down; # member=app1" in site.text
        site.proc.worker(202, ticks=30)
        site.clock.at(0.1, lambda: site.proc.worker(201, leaving=True))

    site.on_reload = reload
    site.pool.set_admin({"app1": "drained"})
    assert site.run.ran == [["nginx", "-c", "/etc/nginx/nginx.conf", "-T"]]
    assert site.clock.now >= 0.1
    assert site.reloads == 1
    assert site.pool.snapshot().members["app1"].own == "drained"


def test_an_include_of_the_whole_directory_finds_nothing_more(site: Site) -> None:
    site.proc.worker(201, ticks=20)
    site.on_reload = lambda: site.proc.worker(201, ticks=30)
    before = {path.name for path in site.files.iterdir()}
    site.pool.set_admin({"app1": "drained"})
    assert {path.name for path in site.files.iterdir()} - before == {".shop.conf.lock"}


def test_a_process_id_that_is_given_out_again(site: Site) -> None:
    site.proc.worker(201, ticks=20)
    site.on_reload = lambda: site.proc.worker(201, ticks=30)
    site.pool.set_admin({"app1": "drained"})


def test_all_in_one_reload(site: Site) -> None:
    site.proc.worker(201, ticks=20)
    site.on_reload = lambda: site.proc.worker(201, ticks=30)
    site.pool.set_weights({"app1": 0, "app2": 7})
    assert site.reloads == 1
    assert {name: one.weight for name, one in site.pool.snapshot().members.items()} == {"app1": 0, "app2": 7, "app3": 1}


def test_a_configuration_that_nginx_refuses_is_restored(site: Site) -> None:
    site.proc.worker(201)
    stderr = 'nginx: [warn] low on luck\n2026/01/02 03:04:05 [emerg] 7#7: unknown directive "x" in /a.conf:1\nnginx: failed\n'
    site.run.answer = (1, "", stderr)
    with pytest.raises(RolloutError) as raised:
        site.pool.set_admin({"app1": "drained"})
    assert raised.value.message == (
        'lb1 nginx: nginx -t refuses the configuration: unknown directive "x" in /a.conf:1 '
        f"{site.files / 'shop.conf'} is restored."
    )
    assert (site.text, site.reloads) == (UPSTREAMS, 0)


def test_a_file_that_nginx_does_not_read_is_left_as_it_was(site: Site) -> None:
    site.proc.worker(201)
    site.run.answer = (0, "# configuration file /etc/nginx/nginx.conf:\n", "")
    with pytest.raises(RolloutError) as raised:
        site.pool.set_admin({"app1": "drained"})
    path = site.files / "shop.conf"
    assert raised.value.message == (
        f"lb1 nginx: nginx does not read {path}: none of its 1 configuration files includes it. Correct "
        f"balancer.upstream_file, or include the file in nginx.conf. {path} is restored."
    )
    assert (site.text, site.reloads) == (UPSTREAMS, 0)


def test_a_reload_without_new_workers_is_restored(site: Site) -> None:
    site.proc.worker(201)
    with pytest.raises(RolloutError) as raised:
        site.pool.set_admin({"app1": "drained"})
    assert raised.value.message.startswith("lb1 nginx: nginx did not replace its workers within 5 s of a reload. ")
    assert site.text == UPSTREAMS
    assert site.reloads == 2


def test_nginx_that_vanishes_during_a_reload(site: Site) -> None:
    site.proc.worker(201)
    site.on_reload = lambda: site.proc.process(MASTER, "sleep 1", parent=1)
    with pytest.raises(Unreachable):
        site.pool.set_admin({"app1": "drained"})
    # It reads the file when it starts again.
    assert "down" in site.text


@pytest.mark.parametrize("content", ["", "nonsense", "99999"])
def test_a_pid_file_that_names_no_process(site: Site, content: str) -> None:
    (site.files / "nginx.pid").write_text(content)
    with pytest.raises(Unreachable) as raised:
        site.pool.snapshot()
    assert raised.value.message == (
        f"lb1 nginx: nginx is not running: {site.files / 'nginx.pid'} names no master process of nginx. "
        "Start it, or correct balancer.pid_file."
    )


def test_two_servers_of_one_name(site: Site) -> None:
    (site.files / "shop.conf").write_text("upstream shop { server a:1; server a:1; server b:1; }")
    with pytest.raises(RolloutError) as raised:
        site.pool.snapshot()
    assert raised.value.message == (
        f"lb1 nginx: 'a:1' appears more than once in pool 'shop' of {site.files / 'shop.conf'}. "
        "Distinguish them by a comment behind each: '# member=name'."
    )


def test_a_pool_that_is_not_there(site: Site) -> None:
    (site.files / "shop.conf").write_text("upstream other { server a:1; }")
    with pytest.raises(InputError) as raised:
        site.pool.snapshot()
    assert raised.value.message == (
        f"lb1 nginx: no pool 'shop' in {site.files / 'shop.conf'}; its upstreams are 'other'."
    )


def test_a_file_with_more_than_upstreams(site: Site) -> None:
    (site.files / "shop.conf").write_text("upstream shop { server a:1; ")
    with pytest.raises(RolloutError) as raised:
        site.pool.snapshot()
    assert raised.value.message == (
        f"lb1 nginx: {site.files / 'shop.conf'} cannot be read as nginx configuration: 'upstream shop' is not closed. "
        "Keep nothing but plain upstreams in that file."
    )


def test_a_file_that_is_not_there(site: Site) -> None:
    (site.files / "shop.conf").unlink()
    with pytest.raises(RolloutError) as raised:
        site.pool.snapshot()
    assert raised.value.message == (
        f"lb1 nginx: {site.files / 'shop.conf'} cannot be read (No such file or directory). balancer.upstream_file is a "
        "file on the host where the module runs."
    )


def test_backups_stand_by(site: Site) -> None:
    site.proc.worker(201)
    (site.files / "shop.conf").write_text("upstream shop { server a.invalid:1; server b.invalid:1 backup; }")
    members = site.pool.snapshot().members
    assert [(one.name, one.backup, one.in_rotation) for one in members.values()] == [
        ("a.invalid:1", False, True),
        ("b.invalid:1", True, False),
    ]
    (site.files / "shop.conf").write_text("upstream shop { server a.invalid:1 down; server b.invalid:1 backup; }")
    assert site.pool.snapshot().members["b.invalid:1"].in_rotation is True


def test_the_version(site: Site) -> None:
    assert site.pool.version() == "1.22.1"


def test_what_was_written_and_not_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.proc.worker(201)
    monkeypatch.setattr(Nginx, "has_read", lambda nginx, modified: False)
    snapshot = site.pool.snapshot()
    assert snapshot.notes == (
        nginx_module.NOTE_CONNECTIONS,
        f"{site.files / 'shop.conf'} was changed after nginx had last read it: the changes take effect with the next "
        "reload.",
    )
    assert site.pool.unsaved(snapshot) == ["app1", "app2", "app3"]


def test_a_worker_from_before_the_last_change_has_not_read_it(
    files: pathlib.Path, proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = {201: 50.0, 202: 60.0}
    monkeypatch.setattr(Proc, "started", lambda proc, process: started[process.pid])
    nginx = Nginx("lb1", str(files / "nginx.pid"), 5.0, Commands(files), Proc(str(proc.root)), ManualClock().clock)
    assert nginx.has_read(0.0) is False
    proc.worker(201)
    proc.worker(202)
    assert [nginx.has_read(modified) for modified in (49.9, 50.0, 50.1, 59.0, 61.0)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    proc.worker(201, leaving=True)
    assert [nginx.has_read(modified) for modified in (59.0, 61.0)] == [True, False]
    proc.end(202)
    assert nginx.has_read(0.0) is False


def test_when_a_process_started() -> None:
    proc = Proc()
    mine = proc.process(os.getpid())
    assert mine is not None
    assert mine.pid == os.getpid()
    assert proc.started(mine) > 0
    assert proc.process(2**22 + 1) is None


@pytest.mark.parametrize("children", [True, False])
def test_children_without_help_of_the_kernel(proc: FakeProc, children: bool) -> None:
    proc.worker(201)
    proc.process(300, "something else", parent=1)
    if not children:
        (proc.root / str(MASTER) / "task" / str(MASTER) / "children").unlink()
    assert Proc(str(proc.root)).children(MASTER) == [Process(201, 20, "nginx: worker process")]


@pytest.mark.parametrize(
    ("title", "options"),
    [
        ("nginx: master process nginx", []),
        ("nginx: master process /usr/sbin/nginx -c /etc/nginx/nginx.conf", ["-c", "/etc/nginx/nginx.conf"]),
        (
            "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;",
            ["-g", "daemon on; master_process on;"],
        ),
        ("nginx: master process n -p /srv -q -g pid /x; -c a.conf", ["-p", "/srv", "-g", "pid /x;", "-c", "a.conf"]),
    ],
)
def test_where_the_master_has_its_configuration(title: str, options: list[str]) -> None:
    assert started_with(title) == options


@pytest.mark.parametrize(
    ("stderr", "text"),
    [
        ("", "no reason given"),
        ("nginx: [emerg] host not found\nnginx: configuration file x test failed\n", "host not found"),
        ("something odd\n", "something odd"),
    ],
)
def test_what_nginx_complains_about(stderr: str, text: str) -> None:
    assert complaint(stderr) == text


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("10.0.0.1", ("10.0.0.1", 80)),
        ("10.0.0.1:8080", ("10.0.0.1", 8080)),
        ("app.example:81", ("app.example", 81)),
        ("[2001:db8::1]:82", ("2001:db8::1", 82)),
        ("[2001:db8::1]", ("2001:db8::1", 80)),
        ("unix:/run/app.sock", ("", 0)),
    ],
)
def test_addresses(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


def test_how_the_kernel_writes_addresses() -> None:
    assert endpoints("127.0.0.1", 8080) == {"0100007F:1F90", "0000000000000000FFFF00000100007F:1F90"}
    assert endpoints("::1", 80) == {"00000000000000000000000001000000:0050"}
