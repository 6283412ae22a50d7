# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy with members on loopback, for tests.

    with Node(tmp_path, members=3) as node:
        node.ask("show servers state shop")

The members are threads of this process: GET / answers at once, GET /slow?seconds=2 after that time.
Members and HAProxy get ports of the system's choice, so that tests may run side by side.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import http.server
import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
import typing as t
import urllib.parse

GIVEN = os.environ.get("STEADY_HAPROXY", "")
"""The HAProxy to test instead of the machine's own."""
BINARY = shutil.which(GIVEN or "haproxy") or (
    None if GIVEN else shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
)
START_SECONDS = 10.0
# Below the ports that the kernel gives to clients. Each process begins at a place of its own and keeps what it was given,
# since several test processes look at the same time, and two HAProxys that share a port share its connections.
FIRST_PORT, PORTS = 10_000, 8_000
_CANDIDATES = itertools.cycle(FIRST_PORT + (os.getpid() * 2657 + number) % PORTS for number in range(PORTS))
_GIVEN = os.open(f"{tempfile.gettempdir()}/steady-rollout-test-ports-{os.geteuid()}", os.O_WRONLY | os.O_CREAT, 0o600)
_HELD: list[socket.socket] = []


@functools.lru_cache(maxsize=None)
def version() -> str:
    """Such as 2.6.12; empty where there is none."""
    said = subprocess.run([str(BINARY), "-v"], capture_output=True, text=True, check=False).stdout if BINARY else ""
    found = re.search(r"version (\d+\.\d+\.\d+)", said)
    return found.group(1) if found else ""


class App(http.server.BaseHTTPRequestHandler):
    """What a member answers: its own name."""

    protocol_version = "HTTP/1.1"
    server: Member

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        time.sleep(float(query.get("seconds", ["0"])[0]))
        body = self.server.name.encode()
        healthy = self.server.healthy or not self.path.startswith("/health")
        self.send_response(200 if healthy else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: t.Any) -> None:
        pass


class Member(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """One member of the pool, an HTTP server in a thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), App)
        self.name = name
        self.healthy = True
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, *args: t.Any) -> None:
        """A client that went away is none of the test's business."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Node:
    """HAProxy in master-worker mode with one pool ``shop`` of *members* named app1, app2, ...

    *server_options* are those of every member ('check inter 100' by default), *options_of* adds to single ones,
    *pools* is further configuration, *frontend* that of the one for shop. The sockets: admin, operator, user, tcp and master.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        members: int = 3,
        server_options: str = "check inter 100 fastinter 100 downinter 100 rise 2 fall 2",
        options_of: t.Mapping[str, str] | None = None,
        pools: str = "",
        backend: str = "option httpchk GET /health",
        state_file: bool = False,
        make_member: t.Callable[[str], t.Any] = Member,
        frontend: str = "",
    ) -> None:
        self.directory = directory
        self._frontend = frontend
        self.members = {f"app{number}": make_member(f"app{number}") for number in range(1, members + 1)}
        self.port, self.tcp_port = free_port(), free_port()
        self.state_file = directory / "server-state" if state_file else None
        self.config = directory / "haproxy.cfg"
        self.config.write_text(self._config(server_options, options_of or {}, pools, backend))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Node:
        argv = [str(BINARY), "-W", "-S", self.socket("master"), "-f", str(self.config)]
        log = (self.directory / "haproxy.log").open("ab")
        self._process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.directory)
        wait_until(self._all_up, "HAProxy and all checked members are up")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        for member in self.members.values():
            member.stop()

    def socket(self, name: str) -> str:
        return str(self.directory / f"{name}.sock")

    def ask(self, command: str, socket_name: str = "admin") -> str:
        """What HAProxy answers, by means that share nothing with the code under test."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as stream:
            stream.settimeout(5)
            stream.connect(self.socket(socket_name))
            stream.sendall(f"{command}\n".encode())
            stream.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: stream.recv(65536), b"")).decode()

    def admin_bits(self, pool: str = "shop") -> dict[str, int]:
        """srv_admin_state by member."""
        rows = [line.split() for line in self.ask(f"show servers state {pool}").splitlines()[2:] if line]
        return {row[3]: int(row[6]) for row in rows}

    def sessions(self, member: str) -> int:
        return int(self._counter(member, 4))

    def queue(self, member: str) -> int:
        return int(self._counter(member, 2))

    def status(self, member: str) -> str:
        return self._counter(member, 17)

    def _counter(self, member: str, column: int) -> str:
        rows = [line.split(",") for line in self.ask("show stat").splitlines()]
        return next(row[column] for row in rows if row[:2] == ["shop", member])

    def reload(self) -> None:
        """Starts a new worker and waits until it is the one behind the admin socket."""
        before = self._worker()
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR2)
        wait_until(lambda: self._worker() not in ("", before) and self._master_is_ready(), "the new worker serves")

    def _worker(self) -> str:
        try:
            lines = self.ask("show info").splitlines()
        except OSError:
            return ""
        return next((line for line in lines if line.startswith("Pid:")), "")

    def _master_is_ready(self) -> bool:
        """Before it answers, a signal to reload may be lost."""
        try:
            return "# workers" in self.ask("show proc", "master")
        except OSError:
            return False

    def _all_up(self) -> bool:
        if not self._master_is_ready():
            return False
        try:
            rows = [line.split(",") for line in self.ask("show stat").splitlines() if line[:1] not in ("#", "")]
        except OSError:
            return False
        servers = [row for row in rows if row[0] == "shop" and row[1] != "BACKEND"]
        # Before its first check a server is UP without a result; one that tracks another never has its own.
        return bool(servers) and all(row[17] != "UP 1/2" and (row[17] != "UP" or row[31] or row[36]) for row in servers)

    def _config(self, server_options: str, options_of: t.Mapping[str, str], pools: str, backend: str) -> str:
        servers = "\n".join(
            f"  server {name} 127.0.0.1:{member.port} {options_of.get(name, server_options)}"
            for name, member in self.members.items()
        )
        # A test sends a request to the member it names; use-server is passed over once that one is drained.
        chosen = "\n".join(f"  use-server {name} if {{ urlp(to) -m str {name} }}" for name in self.members)
        state_file = f"  server-state-file {self.state_file}\n" if self.state_file else ""
        load = "  load-server-state-from-file global\n" if self.state_file else ""
        return f"""\
global
  stats socket {self.socket("admin")} level admin
  stats socket {self.socket("operator")} level operator
  stats socket {self.socket("user")} level user
  stats socket {self.socket("severe")} level admin severity-output number
  stats socket ipv4@127.0.0.1:{self.tcp_port} level admin
{state_file}ring requests
  format raw
  maxlen 2000
  size 4194304
defaults
  mode http
  log ring@requests format raw local0
  option httplog
  timeout connect 1s
  timeout client 30s
  timeout server 30s
{load}frontend front
  bind 127.0.0.1:{self.port}
{self._frontend}
  default_backend shop
backend shop
  {backend}
{servers}
{chosen}
{pools}
"""


class Client:
    """Sends requests through a node in threads until stopped, and counts those that fail."""

    def __init__(self, node: Node, threads: int = 4, path: str = "/") -> None:
        self._address = ("127.0.0.1", node.port)
        self._path = path
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for dummy in range(threads)]
        self.requests = 0
        self.failures: list[str] = []

    def __enter__(self) -> Client:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(0.002):
            failure = ""
            try:
                status, dummy = fetch(self._address[1], self._path)
                failure = "" if status == 200 else f"status {status}"
            except OSError as error:
                failure = repr(error)
            with self._lock:
                self.requests += 1
                if failure:
                    self.failures.append(failure)


def fetch(port: int, path: str = "/", headers: str = "") -> tuple[int, str]:
    """(status, body) of one request on its own connection; raises OSError where it fails."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{headers}\r\n".encode())
        reply = b"".join(iter(lambda: stream.recv(65536), b"")).decode()
    if not reply.startswith("HTTP/1.1 "):
        raise ConnectionError(f"no answer: {reply[:40]!r}")
    return int(reply.split()[1]), reply.partition("\r\n\r\n")[2]


class Slow:
    """A request in flight to *member* for *seconds*, whatever the balancer would have chosen."""

    def __init__(self, node: Node, member: str, seconds: float) -> None:
        self.status = 0
        self._node = node
        self._member = member
        self._path = f"/slow?seconds={seconds}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_until(self._in_flight, f"a request is in flight to {member}")

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def finish(self) -> int:
        """Waits for the answer and returns its status, 0 for none."""
        self._thread.join(30)
        return self.status

    def _run(self) -> None:
        try:
            self.status, dummy = fetch(self._node.port, f"{self._path}&to={self._member}")
        except OSError:
            self.status = 0

    def _in_flight(self) -> bool:
        return self._node.sessions(self._member) > 0


def wait_until(condition: t.Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Waits for something that is bound to happen; fails with *what* otherwise."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def free_port() -> int:
    """A port of the loopback that nobody listens on, and that no other test process was given."""
    while True:
        port = next(_CANDIDATES)
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            fcntl.lockf(_GIVEN, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            probe.bind(("127.0.0.1", port))
            return port


def shut_port() -> int:
    """A port of the loopback that refuses, until this process ends: nobody else can begin to listen there."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    _HELD.append(holder)
    return int(holder.getsockname()[1])
