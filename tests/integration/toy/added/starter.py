# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The toy itself, for the contract suite: it sends each request to the next member by weight."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import socketserver
import threading
import typing as t

from support.haproxy import shut_port
from support.real_balancer import OTHER, SHOP, WIDE, Denial, RealBalancer


class Toy(RealBalancer):
    backend = "toy"

    @staticmethod
    def missing() -> str:
        return ""

    def start(self) -> None:
        self.writable = True
        self._lock = threading.Lock()
        self._turn = itertools.count()
        self.pools: dict[str, dict[str, dict[str, t.Any]]] = {
            "shop": {name: self._member(self.members[name].port) for name in SHOP},
            "other": {name: self._member(self.members[name].port) for name in SHOP},
            "wide": {name: self._member(1) for name in WIDE},
        }
        self.restart()

    def restart(self) -> None:
        self._servers = [self._serve(self._forward), self._serve(self._command)]
        self.port, self.command_port = (server.server_address[1] for server in self._servers)
        self.await_answers()

    def reload(self) -> None:
        pass

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self.stop_members()

    def settings(self, pool: str = "shop") -> dict[str, t.Any]:
        return {"type": "toy", "host": "lb1", "toy_port": self.command_port, "pool": pool}

    def silent_settings(self) -> dict[str, t.Any]:
        return {**self.settings(), "toy_port": shut_port()}

    @contextlib.contextmanager
    def denied(self) -> t.Iterator[Denial]:
        self.writable = False
        yield Denial(self.settings())
        self.writable = True

    @staticmethod
    def _member(port: int) -> dict[str, t.Any]:
        return {"address": f"127.0.0.1:{port}", "state": "in_service", "weight": 1, "sessions": 0}

    def _command(self, stream: socket.socket) -> None:
        question = json.loads(stream.makefile().readline())
        with self._lock:
            for name, changes in question.get("set", {}).items():
                self.pools[question["pool"]][name].update(changes)
            stream.sendall(json.dumps({"writable": self.writable, "pools": self.pools}).encode())

    def _forward(self, stream: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += stream.recv(65536) or b"\r\n\r\n"
        pool = self.pools["other" if f" {OTHER}".encode() in head else "shop"]
        with self._lock:
            weighed = [one for one in pool.values() if one["state"] == "in_service" for _share in range(one["weight"])]
            chosen = weighed[next(self._turn) % len(weighed)]
            chosen["sessions"] += 1
        host, dummy, port = chosen["address"].partition(":")
        with socket.create_connection((host, int(port))) as member:
            member.sendall(head)
            for chunk in iter(lambda: member.recv(65536), b""):
                stream.sendall(chunk)
        with self._lock:
            chosen["sessions"] -= 1

    @staticmethod
    def _serve(handle: t.Callable[[socket.socket], None]) -> socketserver.ThreadingTCPServer:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    handle(self.request)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server
