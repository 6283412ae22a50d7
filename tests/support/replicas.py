# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real replicated services of three members on this machine, and the scripts with which an operator works on them.

*history* has a line for each restart of a member, written by its own script: its name, its role right before, and how
many others were there.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import typing as t

import pytest
from support.haproxy import free_port, wait_until
from support.postgres import BINARIES, OWNER, PROGRAMS, run
from support.service_user import as_user, own

NAMES = ("db1", "db2", "db3")
MASTER = "shop"


class Restart(t.NamedTuple):
    name: str
    role: str
    others: int
    """How many members of the group were there beside it."""


class Replicas:
    """Three members; *ports* are where they listen, *program* is what an operator works on them with."""

    program: pathlib.Path

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.ports = {name: free_port() for name in NAMES}
        self.history_file = directory / "history"
        self.history_file.write_text("")
        self.most_down = 0
        self._ends = threading.Event()

    @property
    def history(self) -> list[Restart]:
        words = [line.split() for line in self.history_file.read_text().splitlines()]
        return [Restart(name, role, int(others)) for name, role, others in words]

    def script(self, name: str, text: str) -> pathlib.Path:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def is_up(self, name: str) -> bool:
        raise NotImplementedError

    def variables(self) -> dict[str, dict[str, t.Any]]:
        """What the inventory has for each of them."""
        raise NotImplementedError

    @contextlib.contextmanager
    def watched(self) -> t.Iterator[None]:
        """Looks all the while how many members are down at a time."""
        self._ends.clear()
        watching = threading.Thread(target=self._watch, daemon=True)
        watching.start()
        try:
            yield
        finally:
            self._ends.set()
            watching.join(10)

    def _watch(self) -> None:
        while not self._ends.wait(0.05):
            self.most_down = max(self.most_down, sum(1 for name in NAMES if not self.is_up(name)))


PG = """#!/bin/sh
# pg restart|switch-over NAME
set -eu
cd {directory}
. ./ports
as_owner() {{ {as_owner} "$@"; }}
port_of() {{ eval "echo \\$$1"; }}
sql() {{ psql -X -A -t -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -U shop -d postgres -p "$(port_of "$1")" -c "$2"; }}
start() {{ as_owner {programs}/pg_ctl -s -D "$1" -o "-p $(port_of "$1") -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off" -w -l "$1.log" start; }}
stop() {{ as_owner {programs}/pg_ctl -s -D "$1" -m fast -w stop; }}
follow() {{ sql "$1" "ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=$(port_of "$2") user=shop'"; }}
primary() {{ for one in db1 db2 db3; do [ "$(sql $one 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ] && echo $one; done; true; }}
case "$1" in
  restart)
    [ "$(sql "$2" 'SELECT pg_is_in_recovery()')" = t ] && role=replica || role=primary
    # Followers of the primary: with a replica gone the primary takes its place in the count.
    others=$(sql "$(primary)" "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
    echo "$2 $role $others" >> history
    stop "$2"; sleep 0.5; start "$2" ;;
  switch-over)
    [ "$(primary)" = "$2" ] || exit 0
    next=$3
    stop "$2"
    as_owner {programs}/pg_ctl -s -D "$next" -w promote
    for one in db1 db2 db3; do
      [ $one = $next ] && continue
      if [ $one = "$2" ]; then
        as_owner touch "$one/standby.signal"
        as_owner sh -c "echo \\"primary_conninfo = 'host=127.0.0.1 port=$(port_of $next) user=shop'\\" >> $one/postgresql.auto.conf"
        start $one
      else
        follow $one $next; sql $one 'SELECT pg_reload_conf()' > /dev/null
      fi
    done ;;
  break) sql "$2" "ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1 user=shop'"; sql "$2" 'SELECT pg_reload_conf()' > /dev/null ;;
  mend) follow "$2" "$(primary)"; sql "$2" 'SELECT pg_reload_conf()' > /dev/null ;;
esac
"""


class Databases(Replicas):
    """A PostgreSQL primary, db1, and two replicas that stream from it."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory)
        (directory / "ports").write_text("".join(f"{name}={port}\n" for name, port in self.ports.items()))
        self.program = self.script(
            "pg", PG.format(directory=directory, programs=PROGRAMS, as_owner=" ".join(as_user(OWNER)))
        )

    def start(self) -> None:
        own(self.directory, OWNER)
        primary = self.directory / "db1"
        run([PROGRAMS / "initdb", "-D", primary, "-U", "shop", "--auth=trust", "-N", "-E", "UTF8"])
        self._serve("db1")
        for name in NAMES[1:]:
            there = f"host=127.0.0.1 port={self.ports['db1']} user=shop"
            run(
                [
                    PROGRAMS / "pg_basebackup",
                    "-D",
                    self.directory / name,
                    "-d",
                    there,
                    "-R",
                    "-X",
                    "stream",
                    "-c",
                    "fast",
                ]
            )
            self._serve(name)
        self.sql("db1", "CREATE TABLE orders (number int)")
        wait_until(lambda: self.streaming() == 2, "both replicas stream")

    def _serve(self, name: str) -> None:
        options = f"-p {self.ports[name]} -k {self.directory} -c listen_addresses=127.0.0.1 -c fsync=off"
        data = self.directory / name
        run([PROGRAMS / "pg_ctl", "-D", data, "-o", options, "-w", "-l", f"{data}.log", "start"])

    def stop(self) -> None:
        for name in NAMES:
            if (self.directory / name / "postmaster.pid").exists():
                run([PROGRAMS / "pg_ctl", "-D", self.directory / name, "-m", "immediate", "-w", "stop"])

    def sql(self, name: str, text: str) -> str:
        argv = [
            "psql",
            "-X",
            "-A",
            "-t",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.ports[name]),
            "-U",
            "shop",
            "-d",
            "postgres",
        ]
        done = subprocess.run([*argv, "-c", text], capture_output=True, text=True, check=False, timeout=20)
        return done.stdout.strip() if not done.returncode else ""

    def is_up(self, name: str) -> bool:
        return self.sql(name, "SELECT 1") == "1"

    @property
    def primary(self) -> str:
        return next((name for name in NAMES if self.sql(name, "SELECT pg_is_in_recovery()") == "f"), "")

    def streaming(self) -> int:
        return int(self.sql(self.primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") or 0)

    def started(self) -> dict[str, str]:
        return {name: self.sql(name, "SELECT pg_postmaster_start_time()") for name in NAMES}

    def variables(self) -> dict[str, dict[str, t.Any]]:
        return {name: {"pg_port": port} for name, port in self.ports.items()}


class Caches(Replicas):
    """A Redis master, db1, two replicas, and a Sentinel beside each."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory)
        self.sentinels = {name: free_port() for name in NAMES}
        self.program = self.script("cache", CACHE.format(directory=directory, master=MASTER))

    def start(self) -> None:
        for name in NAMES:
            replica = f"replicaof 127.0.0.1 {self.ports['db1']}\n" if name != "db1" else ""
            (self.directory / f"{name}.conf").write_text(
                f'port {self.ports[name]}\nbind 127.0.0.1\ndir {self.directory}\ndbfilename {name}.rdb\nsave ""\n'
                f"repl-diskless-sync-delay 0\ndaemonize yes\npidfile {self.directory}/{name}.pid\n{replica}"
            )
            (self.directory / f"{name}-sentinel.conf").write_text(
                f"port {self.sentinels[name]}\nbind 127.0.0.1\ndir {self.directory}\ndaemonize yes\n"
                f"pidfile {self.directory}/{name}-sentinel.pid\n"
                f"sentinel monitor {MASTER} 127.0.0.1 {self.ports['db1']} 2\n"
                f"sentinel down-after-milliseconds {MASTER} 3000\nsentinel failover-timeout {MASTER} 10000\n"
            )
        (self.directory / "ports").write_text(
            "".join(f"{name}={self.ports[name]} sentinel_{name}={self.sentinels[name]}\n" for name in NAMES)
        )
        for name in NAMES:
            subprocess.run([self.program, "start", name], check=True, stdin=subprocess.DEVNULL, timeout=20)
        wait_until(self.is_complete, "all follow, and the Sentinels know each other")

    def stop(self) -> None:
        for pidfile in self.directory.glob("*.pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(pidfile.read_text()), signal.SIGKILL)

    def cli(self, port: int, *words: str) -> str:
        done = subprocess.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", str(port), *words], capture_output=True, text=True, check=False, timeout=20
        )  # fmt: skip
        return done.stdout.strip() if not done.returncode else ""

    def is_up(self, name: str) -> bool:
        return self.cli(self.ports[name], "PING") == "PONG"

    def is_complete(self) -> bool:
        seen = [self.cli(port, "SENTINEL", "CKQUORUM", MASTER) for port in self.sentinels.values()]
        links = [self.cli(port, "INFO", "replication").count("master_link_status:up") for port in self.ports.values()]
        return all(text.startswith("OK 3 usable") for text in seen) and sum(links) == 2

    @property
    def primary(self) -> str:
        return next((name for name in NAMES if "role:master" in self.cli(self.ports[name], "INFO", "replication")), "")

    def variables(self) -> dict[str, dict[str, t.Any]]:
        return {name: {"redis_port": self.ports[name], "sentinel_port": self.sentinels[name]} for name in NAMES}


CACHE = """#!/bin/sh
# cache start|restart|switch-over NAME
set -eu
cd {directory}
. ./ports
port_of() {{ eval "echo \\$$1"; }}
cli() {{ redis-cli -h 127.0.0.1 -p "$@"; }}
role_of() {{ cli "$(port_of "$1")" INFO replication | tr -d '\\r' | sed -n 's/^role://p'; }}
start() {{ redis-server $1.conf > /dev/null; redis-server $1-sentinel.conf --sentinel > /dev/null; }}
case "$1" in
  start) start "$2" ;;
  restart)
    [ "$(role_of "$2")" = master ] && role=primary || role=replica
    others=0
    for one in db1 db2 db3; do
      [ $one != "$2" ] && [ "$(cli "$(port_of sentinel_$one)" PING)" = PONG ] && others=$((others + 1))
    done
    echo "$2 $role $others" >> history
    cli "$(port_of "$2")" SHUTDOWN NOSAVE || true
    cli "$(port_of sentinel_$2)" SHUTDOWN || true
    sleep 0.5
    start "$2" ;;
  switch-over)
    [ "$(role_of "$2")" = master ] || exit 0
    cli "$(port_of sentinel_$2)" SENTINEL FAILOVER {master}
    for second in $(seq 60); do [ "$(role_of "$2")" = slave ] && exit 0; sleep 0.5; done
    exit 1 ;;
esac
"""


def databases() -> t.ContextManager[Databases]:
    return running(Databases, "PostgreSQL: apt-get install postgresql" if not BINARIES else "")


def caches() -> t.ContextManager[Caches]:
    return running(Caches, "" if shutil.which("redis-server") else "Redis: apt-get install redis-server")


Kind = t.TypeVar("Kind", bound=Replicas)


@contextlib.contextmanager
def running(kind: type[Kind], missing: str) -> t.Iterator[Kind]:
    if missing:
        pytest.skip(f"not installed is {missing}")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="steady-replicas-"))
    service = kind(directory)
    try:
        service.start()
        yield service
    finally:
        service.stop()
        time.sleep(0.2)
        shutil.rmtree(directory, ignore_errors=True)
