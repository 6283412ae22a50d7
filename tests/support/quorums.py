# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clusters of three members that decide by majority: etcd, and RabbitMQ with a quorum queue."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess
import typing as t
import urllib.request

from support.haproxy import free_port, wait_until
from support.replicas import NAMES, Replicas, running

ETCD = """#!/bin/sh
# etcd start|restart NAME; switch-over does nothing: etcd elects another leader by itself
set -eu
cd {directory}
. ./ports
export ETCDCTL_API=3
port_of() {{ eval "echo \\$$1"; }}
url_of() {{ echo "http://127.0.0.1:$(port_of "$1")"; }}
start() {{
  etcd --name "$1" --data-dir "$1" --listen-client-urls "$(url_of "$1")" --advertise-client-urls "$(url_of "$1")" \\
    --listen-peer-urls "$(url_of "peer_$1")" --initial-advertise-peer-urls "$(url_of "peer_$1")" \\
    --initial-cluster "db1=$(url_of peer_db1),db2=$(url_of peer_db2),db3=$(url_of peer_db3)" >> "$1.log" 2>&1 &
  echo $! > "$1.pid"
}}
is_there() {{ etcdctl --command-timeout=2s --endpoints "$(url_of "$1")" endpoint health > /dev/null 2>&1; }}
case "$1" in
  start) start "$2" ;;
  stop) kill "$(cat "$2.pid")" ;;
  restart)
    role=replica
    etcdctl --endpoints "$(url_of "$2")" endpoint status | cut -d, -f5 | grep -q true && role=primary
    others=0
    for one in db1 db2 db3; do [ $one != "$2" ] && is_there $one && others=$((others + 1)); done
    echo "$2 $role $others" >> history
    kill "$(cat "$2.pid")"
    while kill -0 "$(cat "$2.pid")" 2> /dev/null; do sleep 0.1; done
    sleep 0.5
    start "$2" ;;
esac
"""
RABBIT = """#!/bin/sh
# rabbit start|restart NAME; switch-over does nothing: each queue elects another leader by itself
set -eu
cd {directory}
. ./ports
port_of() {{ eval "echo \\$$1"; }}
node_of() {{ echo "$1-$(port_of db1)@localhost"; }}
start() {{
  RABBITMQ_NODENAME=$(node_of "$1") RABBITMQ_NODE_PORT=$(port_of "$1") RABBITMQ_DIST_PORT=$(port_of "peer_$1") \\
    RABBITMQ_MNESIA_BASE={directory} RABBITMQ_LOG_BASE={directory} rabbitmq-server -detached > "$1.start" 2>&1
  for second in $(seq 60); do
    rabbitmqctl -q -n "$(node_of "$1")" await_startup > /dev/null 2>&1 && return 0
    sleep 1
  done
  return 1
}}
case "$1" in
  start) start "$2" ;;
  stop) rabbitmqctl -q -n "$(node_of "$2")" stop > /dev/null ;;
  join) for verb in stop_app "join_cluster $(node_of "$3")" start_app; do rabbitmqctl -q -n "$(node_of "$2")" $verb; done ;;
  restart)
    others=$(rabbitmqctl -q -n "$(node_of "$2")" eval 'length(nodes()) .')
    echo "$2 replica $others" >> history
    rabbitmqctl -q -n "$(node_of "$2")" stop "{directory}/$(node_of "$2").pid" > /dev/null
    start "$2" ;;
esac
"""
DECLARE = (
    'rabbit_amqqueue:declare(rabbit_misc:r(<<"/">>, queue, <<"orders">>), true, false, '
    '[{<<"x-queue-type">>, longstr, <<"quorum">>}], none, <<"test">>).'
)


class Cluster(Replicas):
    """*peers* are the ports at which the members meet."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory)
        self.peers = {name: free_port() for name in NAMES}
        ports = "".join(f"{name}={self.ports[name]} peer_{name}={self.peers[name]}\n" for name in NAMES)
        (directory / "ports").write_text(ports)

    def do(self, *words: str) -> None:
        """As the operator, with the script of this cluster."""
        subprocess.run([self.program, *words], check=True, stdin=subprocess.DEVNULL, timeout=120)


class Etcds(Cluster):
    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory)
        self.program = self.script("run-etcd", ETCD.format(directory=directory))

    def start(self) -> None:
        for name in NAMES:
            self.do("start", name)
        wait_until(lambda: all(self.is_up(name) for name in NAMES), "all members are healthy")

    def stop(self) -> None:
        for name in NAMES:
            with contextlib.suppress(subprocess.SubprocessError):
                self.do("stop", name)

    def is_up(self, name: str) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(
            f"http://127.0.0.1:{self.ports[name]}/health", timeout=2
        ) as answer:
            return b'"true"' in answer.read()
        return False

    @property
    def leader(self) -> str:
        return next(name for name in NAMES if "true" in self.ctl(name, "endpoint", "status").split(", ")[4])

    def lead(self, name: str) -> None:
        """Makes it the leader, wherever the first election ended."""
        if self.leader != name:
            ids = {line.split(", ")[2]: line.split(", ")[0] for line in self.ctl(name, "member", "list").splitlines()}
            self.ctl(self.leader, "move-leader", ids[name])
        wait_until(lambda: self.leader == name, f"{name} leads")

    def ctl(self, name: str, *words: str) -> str:
        argv = ["etcdctl", "--endpoints", f"http://127.0.0.1:{self.ports[name]}", *words]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        return subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=20, env=environment
        ).stdout.strip()

    def variables(self) -> dict[str, dict[str, t.Any]]:
        return {name: {"etcd_port": self.ports[name]} for name in NAMES}


class Rabbits(Cluster):
    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory)
        self.program = self.script("run-rabbit", RABBIT.format(directory=directory))

    def start(self) -> None:
        directory, user = self.directory, pwd.getpwnam("rabbitmq")
        for path in (directory, *directory.iterdir()):
            os.chown(path, user.pw_uid, user.pw_gid)
        directory.chmod(0o755)
        for name in NAMES:
            self.do("start", name)
        for name in NAMES[1:]:
            self.do("join", name, "db1")
        self.ctl("db1", "eval", DECLARE)

    def stop(self) -> None:
        for name in NAMES:
            with contextlib.suppress(subprocess.SubprocessError):
                self.do("stop", name)

    def node(self, name: str) -> str:
        return f"{name}-{self.ports['db1']}@localhost"

    def ctl(self, name: str, *words: str) -> str:
        argv = ["rabbitmqctl", "-q", "-n", self.node(name), *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def variables(self) -> dict[str, dict[str, t.Any]]:
        return {name: {"rabbit_node": self.node(name)} for name in NAMES}


def etcds() -> t.ContextManager[Etcds]:
    has_both = shutil.which("etcd") and shutil.which("etcdctl")
    return running(Etcds, "" if has_both else "etcd: apt-get install etcd-server etcd-client")


def rabbits() -> t.ContextManager[Rabbits]:
    if os.geteuid():
        return running(Rabbits, "anything that runs as the user rabbitmq without root")
    return running(Rabbits, "" if shutil.which("rabbitmq-server") else "RabbitMQ: apt-get install rabbitmq-server")
