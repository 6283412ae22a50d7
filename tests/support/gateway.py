# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP gateway before a server, that a test can make slow, refusing, or stop at a known request."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import threading
import time
import typing as t
import urllib.error
import urllib.request

from support.networks import Network

HELD_AT_MOST = 300.0
TOLD = ("Content-Type", "Retry-After")


@dataclasses.dataclass
class Hold:
    """The *number*-th request of its kind is held: before the server gets it, or *after* it has answered."""

    method: str
    ending: str
    number: int = 1
    after: bool = False
    reached: threading.Event = dataclasses.field(default_factory=threading.Event)
    over: threading.Event = dataclasses.field(default_factory=threading.Event)

    def is_for(self, method: str, path: str) -> bool:
        if self.reached.is_set() or method != self.method or not path.endswith(self.ending):
            return False
        self.number -= 1
        return self.number == 0

    def keep(self) -> None:
        self.reached.set()
        self.over.wait(HELD_AT_MOST)


class Gateway:
    """A context manager. *delay* in seconds is added to each answer; a *refusal* is answered instead of the server's."""

    def __init__(self, target: str, address: str, network: Network) -> None:
        self.delay = 0.0
        self.refusal: tuple[int, bytes] | None = None
        self.log: list[str] = []
        self._target = target
        self._network = network
        self._hold: Hold | None = None
        self._address = address
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Gateway:
        self._thread.start()
        if not self._ready.wait(10):
            raise AssertionError("the gateway does not listen")
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        self.let_go()
        self._server.shutdown()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://{self._address}:{self._server.server_address[1]}"

    def hold(self, hold: Hold) -> Hold:
        self._hold = hold
        return hold

    def let_go(self) -> None:
        """What is held is dropped: who sent it gets no answer, and the server nothing that it has not got yet."""
        if self._hold is not None:
            self._hold.over.set()
            self._hold = None

    def _serve(self) -> None:
        self._network.enter()
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                gateway.handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_words: t.Any) -> None:
                pass

        with http.server.ThreadingHTTPServer((self._address, 0), Handler) as self._server:
            self._ready.set()
            self._server.serve_forever(poll_interval=0.05)

    def handle(self, asked: http.server.BaseHTTPRequestHandler) -> None:
        method, path = asked.command, asked.path
        self.log.append(f"{method} {path}")
        body = asked.rfile.read(int(asked.headers.get("Content-Length") or 0)) or None
        hold = self._hold if self._hold is not None and self._hold.is_for(method, path) else None
        if hold is not None and not hold.after:
            hold.keep()
            return
        time.sleep(self.delay)
        status, headers, text = self._answer(method, path, dict(asked.headers), body)
        if hold is not None:
            hold.keep()
            return
        # Who waits no longer hangs up.
        with contextlib.suppress(OSError):
            asked.send_response(status)
            for name, value in headers.items():
                asked.send_header(name, value)
            asked.send_header("Content-Length", str(len(text)))
            asked.end_headers()
            asked.wfile.write(text)

    def _answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, dict[str, str], bytes]:
        if self.refusal is not None:
            return self.refusal[0], {"Content-Type": "application/json"}, self.refusal[1]
        given = {name: value for name, value in headers.items() if name.lower() not in ("host", "accept-encoding")}
        request = urllib.request.Request(self._target + path, body, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, _as_dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, _as_dict(error.headers), error.read()
        except OSError as error:
            return 502, {"Content-Type": "text/plain"}, str(error).encode()


def _as_dict(headers: t.Any) -> dict[str, str]:
    return {name: headers[name] for name in TOLD if headers[name]}
