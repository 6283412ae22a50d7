# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on the loopback interface that answers byte by byte what a test sets it to."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
import typing as t


@contextlib.contextmanager
def serving(respond: t.Callable[[str, socket.socket], None], tls: ssl.SSLContext | None = None) -> t.Iterator[int]:
    """A server that hands every request's head and its connection to *respond*; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            while b"\r\n\r\n" not in head:
                more = self.request.recv(4096)
                if not more:
                    return
                head += more
            with contextlib.suppress(OSError):
                respond(head.decode(), self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def get_request(self) -> tuple[t.Any, t.Any]:
            connection, address = super().get_request()
            return (tls.wrap_socket(connection, server_side=True) if tls else connection), address

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
