# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP/1.1 server on the loopback interface that answers as late and as badly as a test sets it to."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
import typing as t


class Answering(http.server.ThreadingHTTPServer):
    """*delay* seconds before each answer; *status* of the answer to a path; *closes*: after every answer, unsaid."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, delay: float, status: t.Callable[[str], int], closes: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delay = delay
        self.status = status
        self.closes = closes
        self.asked: list[str] = []
        self.heads: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: t.Any, client_address: t.Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that left is none of the test's business."""


@contextlib.contextmanager
def answering(
    delay: float = 0.0, status: t.Callable[[str], int] = lambda path: 200, closes: bool = False
) -> t.Iterator[Answering]:
    with Answering(delay, status, closes) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Answering
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.heads.append(dict(self.headers.items()))
        time.sleep(self.server.delay)
        self.send_response(self.server.status(self.path))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        self.close_connection = self.close_connection or self.server.closes

    do_POST = do_GET

    def log_message(self, format: str, *args: t.Any) -> None:
        """The test asserts what was asked; nothing is printed."""
