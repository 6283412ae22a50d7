# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rolling deployment grows with its fleet: real ledger, real sshd, real HAProxy; the hosts are stand-ins.

Usage: python tests/bench/scale.py [HOSTS ...]     (100, 1000 and 3000 unless given; needs root, haproxy, sshd)

One machine is all hosts, each by a loopback address of its own, in a network namespace: one sshd takes the logins of
all, one process answers their health checks, and a release is a folder of the host's. One HAProxy has them all as
servers, on a host whose sshd has the usual limits. Prints and writes build/bench/scale.json:

    {hosts: {begin_cpu_s, roll_cpu_s_per_host, peak_mb, fill_100_s, fill_floor_s, admit_cpu_ms_p99, poll_ms}}

CPU is what the controller and all it starts there use, ssh included: until the first host is admitted, and from then
to the last report. peak_mb is the most that their processes had at a time (proportional set size). fill_100_s is from
the first admission to the one that fills the window, of 100 or half of the fleet (the key window); fill_floor_s is what this
machine takes to log in to as many stand-ins at the same time and to start a Python there that does nothing. admit_cpu_ms_p99 is
the ledger's decision alone at that size. poll_ms is HAProxy's own CPU for one poll of one member.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / ".collections"), str(REPOSITORY / "tests")]

from bench import ledger as ledger_bench
from bench.stand_ins import address
from bench.usage import Group, Usage, used, usual_environment
from fleet.lab.machine import cgroups
from support import examples
from support.sightings import parse_servers_state

build_release = examples.module("shop", "build_release")

BUILD = REPOSITORY / "build" / "bench"
SIZES = (100, 1000, 3000)
INSIDE = "STEADY_BENCH_INSIDE"
WINDOW = 100
OLD, NEW = "1.0.0", "2.0.0"
SERVICE_PORT, LOGIN_PORT, BALANCER_LOGIN_PORT = 8080, 2222, 22
POLLS = 2000
LONGEST = 7200.0

SSHD = """\
Port {port}
ListenAddress 0.0.0.0
AcceptEnv STAND_IN
HostKey {place}/host_key
AuthorizedKeysFile {place}/key.pub
PidFile none
StrictModes no
UsePAM no
UseDNS no
SetEnv SHLVL=1
{more}
"""
"""With SHLVL a bash that sshd starts does not read this machine's ~/.bashrc, which no host of a fleet has."""
MANY_LOGINS = "MaxStartups 4000:100:4000"
"""As many machines have so many sshds, this one takes the logins of all at a time."""

HAPROXY = """\
global
    stats socket {place}/admin.sock mode 600 level admin
    stats timeout 1h
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind 127.0.0.1:8000
    default_backend shop
backend shop
    option httpchk GET /health
    default-server inter 20s fastinter 500ms rise 2 fall 2
{servers}
"""


def main(sizes: t.Sequence[int]) -> int:
    if INSIDE not in os.environ:
        own = ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"]
        script = f"ip link set lo up && exec {sys.executable} {__file__} {' '.join(map(str, sizes))}"
        return subprocess.run([*own, "sh", "-c", script], env={**os.environ, INSIDE: "1"}, check=False).returncode
    BUILD.mkdir(parents=True, exist_ok=True)
    file = BUILD / "scale.json"
    figures = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for size in sizes:
        figures[str(size)] = measured(size)
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        print(f"{size} hosts: {json.dumps(figures[str(size)])}", flush=True)
    return 0


def measured(size: int) -> dict[str, t.Any]:
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        site = Site(pathlib.Path(folder), size)
        with site.running() as haproxy:
            poll = poll_ms(site.socket, haproxy)
            floor = fill_floor_s(site)
            samples, peak = rolled(site)
            site.require_rolled()
        times = [event_at for event_at, kind in site.events() if kind == "admitted"]
        ended = max(event_at for event_at, kind in site.events() if kind == "proven")
        with tempfile.TemporaryDirectory() as directory:
            decisions = ledger_bench.measured(size, directory)
    window = site.window
    begin, end = used(samples, times[0]), used(samples, ended)
    return {
        "begin_cpu_s": round(begin, 2),
        "roll_cpu_s_per_host": round((end - begin) / size, 3),
        "peak_mb": round(peak),
        "fill_100_s": round(times[window - 1] - times[0], 2),
        "fill_floor_s": round(floor, 2),
        "window": window,
        "admit_cpu_ms_p99": decisions["admission_cpu_ms_p99"],
        "poll_ms": round(poll, 4),
    }


class Site:
    """The stand-ins, their files, servers and inventory, in one folder."""

    def __init__(self, place: pathlib.Path, size: int, window: int = WINDOW) -> None:
        self.place = place
        self.names = [f"h{number}" for number in range(1, size + 1)]
        self.window = min(window, size // 2)
        self.inventory = place / "inventory.yml"
        self.socket = str(place / "admin.sock")
        self.balancer_log = place / "lb.log"
        """Of the sshd of the balancer's host."""
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True)
        for version in (OLD, NEW):
            build_release.build(version, place / "releases")
        for name in self.names:
            release = place / "hosts" / name / "releases" / OLD
            release.mkdir(parents=True)
            (release.parent.parent / "current").symlink_to(f"releases/{OLD}")
        self.inventory.write_text(json.dumps(self._inventory()), encoding="utf-8")

    @contextlib.contextmanager
    def running(self) -> t.Iterator[int]:
        """HAProxy's process while all servers are up."""
        os.makedirs("/run/sshd", exist_ok=True)
        sshd = [str(shutil.which("sshd", path="/usr/sbin:/sbin")), "-D", "-f"]
        servers = [
            [*sshd, self._written("sshd.conf", SSHD.format(port=LOGIN_PORT, place=self.place, more=MANY_LOGINS))],
            [*sshd, self._written("lb.conf", SSHD.format(port=BALANCER_LOGIN_PORT, place=self.place, more="")),
             "-E", str(self.balancer_log)],
            [sys.executable, str(pathlib.Path(__file__).with_name("stand_ins.py")), str(self.place / "hosts"),
             str(SERVICE_PORT)],
            [str(shutil.which("haproxy", path="/usr/sbin:/usr/bin")), "-db", "-f", self._written("haproxy.cfg", self._haproxy())],
        ]  # fmt: skip
        with contextlib.ExitStack() as stack, open(self.place / "servers.log", "ab") as log:
            processes = []
            for argv in servers:
                processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
                stack.callback(processes[-1].wait)
                stack.callback(processes[-1].terminate)
            self._await_all_up()
            yield processes[-1].pid

    def events(self) -> list[tuple[float, str]]:
        with contextlib.closing(sqlite3.connect(self.place / "ledger" / "ledger.db")) as connection:
            return connection.execute("SELECT at, kind FROM event ORDER BY seq").fetchall()

    def _written(self, name: str, text: str) -> str:
        (self.place / name).write_text(text, encoding="utf-8")
        return str(self.place / name)

    def _haproxy(self) -> str:
        lines = [f"    server {name} {address(n)}:{SERVICE_PORT} check" for n, name in enumerate(self.names, 1)]
        return HAPROXY.format(place=self.place, servers="\n".join(lines))

    def _inventory(self) -> dict[str, t.Any]:
        hosts = {
            name: {
                "ansible_host": address(n),
                "rollout_zone": "abc"[n % 3],
                "ansible_ssh_extra_args": f"-o SetEnv=STAND_IN={name}",
            }
            for n, name in enumerate(self.names, 1)
        }
        options = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR"
        shared = {
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.place / "key"),
            "ansible_ssh_common_args": options,
            "ansible_control_path_dir": str(self.place / "cp"),
        }
        fleet = {
            "ansible_port": LOGIN_PORT,
            "rollout_service": "shop",
            "rollout_artifact": f"{self.place}/releases/shop-{{{{ rollout_target.version }}}}.tar.gz",
            "rollout_release_path": f"{self.place}/hosts/{{{{ inventory_hostname }}}}",
            "rollout_start_command": "true",
            "rollout_stop_command": "true",
            "rollout_max_unavailable": self.window,
            "rollout_min_available": "40%",
            "rollout_min_healthy_time": 2,
            "rollout_healthy_deadline": 120,
            "rollout_progress_deadline": 1200,
            "rollout_step_timeout": 600,
            "rollout_ledger": str(self.place / "ledger"),
            # In one directory all stand-ins would wait for each other's lock, as if they were one host. The setting is one
            # for the whole fleet; each host expands the variable itself.
            "rollout_claim_directory": f"{self.place}/claims/$STAND_IN",
            "rollout_balancers": [{"host": "lb1", "type": "haproxy", "socket": self.socket, "pool": "shop"}],
            "rollout_health": {
                "url": f"http://{{{{ ansible_host }}}}:{SERVICE_PORT}/health",
                "expect": "status == 'healthy' && version == '{{ rollout_target.version }}'",
            },
        }
        balancer = {
            "ansible_host": "127.0.0.1",
            "ansible_port": BALANCER_LOGIN_PORT,
            "ansible_ssh_extra_args": "-o SetEnv=STAND_IN=lb1",
        }
        children = {"fleet": {"hosts": hosts, "vars": fleet}, "balancers": {"hosts": {"lb1": balancer}}}
        return {"all": {"vars": shared, "children": children}}

    def require_rolled(self) -> None:
        """Figures of a rollout that left a host behind would be too good."""
        links = {name: self.place / "hosts" / name / "current" for name in self.names}
        behind = [name for name, link in links.items() if os.readlink(link) != f"releases/{NEW}"]
        out = sorted({*self.names}.difference(self._in_service()))
        if behind or out:
            raise SystemExit(
                f"Not on {NEW}: {', '.join(behind) or 'none'}. Not in service: {', '.join(out) or 'none'}."
            )

    def _in_service(self) -> list[str]:
        state = parse_servers_state(ask(self.socket, "show servers state shop"), "shop")
        return [name for name, is_in in state.items() if is_in]

    def _await_all_up(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                if len(self._in_service()) == len(self.names):
                    return
            time.sleep(0.2)
        raise SystemExit(f"HAProxy does not have all servers up after 120 s; see {self.place / 'servers.log'}.")


def rolled(site: Site) -> tuple[list[Usage], float]:
    """A rolling deployment of the whole fleet: the CPU it used over time, and the most megabytes."""
    program = str(pathlib.Path(sys.executable).with_name("ansible-playbook"))
    argv = [program, "playbooks/rolling.yml", "-i", str(site.inventory), "--forks", str(site.window + 10),
            "-e", f"rollout_version={NEW}"]  # fmt: skip
    env = {**usual_environment(), "ANSIBLE_HOME": str(site.place / "ansible"), "ANSIBLE_NOCOLOR": "1"}
    with cgroups() as root, (BUILD / f"scale-{len(site.names)}.log").open("wb") as log:
        group = Group(root / f"steady-bench-{os.getpid()}-{len(site.names)}")
        try:
            run = subprocess.Popen(
                [*group.enter, *argv],
                cwd=REPOSITORY, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
            watching = threading.Thread(target=group.watch, args=(lambda: run.poll() is not None,))
            watching.start()
            code = run.wait(timeout=LONGEST)
            watching.join()
        finally:
            group.remove()
    if code:
        raise SystemExit(f"The rollout of {len(site.names)} hosts ended with {code}; see {log.name}.")
    return group.samples, group.peak_mb


def fill_floor_s(site: Site) -> float:
    """Each login with a connection of its own, as the first to a host has to be, and all at the same time."""
    options = ["-F", "none", "-i", str(site.place / "key"), "-p", str(LOGIN_PORT), "-o", "UserKnownHostsFile=/dev/null",
               "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]  # fmt: skip
    began = time.monotonic()
    logins = [
        subprocess.Popen(["ssh", *options, f"root@{address(number)}", "/usr/bin/python3 -c pass"])
        for number in range(1, site.window + 1)
    ]
    codes = [login.wait() for login in logins]
    if any(codes):
        raise SystemExit("Not all stand-ins could be logged in to.")
    return time.monotonic() - began


def poll_ms(path: str, pid: int) -> float:
    """HAProxy's own CPU for one poll of one member."""
    before = cpu_ns(pid)
    for dummy in range(POLLS):
        ask(path, "show stat shop 4 h1")
    return (cpu_ns(pid) - before) / POLLS / 1e6


def cpu_ns(pid: int) -> int:
    """Of all its threads."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks)


def ask(path: str, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: connection.recv(1 << 20), b"")).decode()


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]] or SIZES))
