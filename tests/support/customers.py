# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that customers log in to, over real HTTP on the loopback interface; talkative as bad services are.

POST /login            JSON user and password; {"access_token", "refresh_token"}, or 401 that repeats what was sent
POST /sign-in          a form; sets a cookie and redirects to /account
GET  /account          a page, with the cookie only
POST /orders           with the token; 201 and the order's address under the public name of the service
GET  /orders/NUMBER    with the token; the order
ANY  /echo             500, and everything that was sent
GET  /flaky            503 twice, then 200
GET  /leave            redirects to another host
GET  /circle           redirects to itself
"""

from __future__ import annotations

import collections
import contextlib
import http.server
import json
import secrets
import ssl
import threading
import typing as t
from urllib.parse import parse_qs

PASSWORD = "correct-horse/9 +x"
PUBLIC = "http://shop.example.com"


class Customers(http.server.ThreadingHTTPServer):
    """The service with all that it knows; what it handed out is in *tokens* and *sessions*."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.heads: list[dict[str, str]] = []
        self.tokens: list[str] = []
        self.sessions: list[str] = []
        self.orders: dict[str, t.Any] = {}
        self.visits: collections.Counter[str] = collections.Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handed_out(self) -> list[str]:
        return [*self.tokens, *self.sessions]

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that does not trust the server is none of the test's business."""

    def new_token(self) -> str:
        # Long, and with what has to be escaped somewhere.
        self.tokens.append(f"tok.{secrets.token_hex(6)}/+=~")
        return self.tokens[-1]

    def new_session(self) -> str:
        self.sessions.append(secrets.token_hex(8))
        return self.sessions[-1]


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> t.Iterator[Customers]:
    with Customers() as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Customers

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.heads.append(dict(self.headers.items()))
        self.server.visits[path] += 1
        first = path.strip("/").partition("/")[0].replace("-", "_") or "home"
        getattr(self, f"_{first}", self._nothing)(path, body)

    do_POST = do_PUT = do_DELETE = do_GET

    def _home(self, path: str, body: str) -> None:
        self._page(200, "<h1>Welcome</h1>")

    def _login(self, path: str, body: str) -> None:
        sent = json.loads(body)
        if sent.get("password") != PASSWORD:
            return self._json(401, {"error": "wrong", "you_sent": sent})
        return self._json(200, {"access_token": self.server.new_token(), "refresh_token": self.server.new_token()})

    def _sign_in(self, path: str, body: str) -> None:
        if parse_qs(body).get("password") != [PASSWORD]:
            return self._page(403, f"wrong: {body}")
        cookie = f"session={self.server.new_session()}; Path=/; HttpOnly"
        return self._say(303, b"", ("Location", "/account"), ("Set-Cookie", cookie), ("Set-Cookie", "theme=dark"))

    def _account(self, path: str, body: str) -> None:
        cookies = self.headers.get("Cookie", "")
        if any(f"session={session}" in cookies for session in self.server.sessions):
            return self._page(200, "<h1>Welcome back</h1>")
        return self._page(403, f"no session in: {cookies}")

    def _orders(self, path: str, body: str) -> None:
        if self.headers.get("Authorization", "").replace("Bearer ", "") not in self.server.tokens:
            return self._json(401, {"error": f"not known: {self.headers.get('Authorization')}"})
        if self.command == "POST":
            number = str(len(self.server.orders) + 1)
            self.server.orders[number] = json.loads(body)
            return self._json(201, {"id": int(number)}, ("Location", f"{PUBLIC}/orders/{number}"))
        order = self.server.orders.get(path.rpartition("/")[2])
        number = path.rpartition("/")[2]
        return self._json(200, {"id": int(number), **order}) if order else self._json(404, {"error": "none"})

    def _echo(self, path: str, body: str) -> None:
        self._json(500, {"path": self.path, "said": body, "heads": [": ".join(pair) for pair in self.headers.items()]})

    def _flaky(self, path: str, body: str) -> None:
        self._json(200 if self.server.visits[path] > 2 else 503, {"visits": self.server.visits[path]})

    def _leave(self, path: str, body: str) -> None:
        self._say(302, b"", ("Location", f"{PUBLIC}/account"))

    def _circle(self, path: str, body: str) -> None:
        self._say(302, b"", ("Location", "/circle"))

    def _nothing(self, path: str, body: str) -> None:
        self._json(404, {"error": "no such page"})

    def _json(self, status: int, document: t.Any, *headers: tuple[str, str]) -> None:
        self._say(status, json.dumps(document).encode(), ("Content-Type", "application/json"), *headers)

    def _page(self, status: int, text: str) -> None:
        self._say(status, text.encode(), ("Content-Type", "text/html; charset=utf-8"))

    def _say(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: t.Any) -> None:
        """The test asserts what was asked; nothing is printed."""
