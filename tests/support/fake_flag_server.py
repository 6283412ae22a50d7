# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fakes of flag systems have in common: a management API, the API of the vendor's SDK behind it, and trouble.

Not faked, for any of them: projects and accounts beside the one, history and audit log, webhooks, quotas, TLS.
"""

from __future__ import annotations

import abc
import copy
import dataclasses
import http.server
import json
import pathlib
import threading
import time
import typing as t
from urllib.parse import parse_qs, urlsplit

from support.flag_systems import RealFlags

PROPAGATION = 0.2
"""Seconds from a change to what the SDK gets."""
TOKEN, READER, SDK_KEY = "fake-writer-secret", "fake-reader-secret", "fake-sdk-secret"
"""Who may write, who may only read, and who may only evaluate."""


class Answer(t.NamedTuple):
    status: int
    document: t.Any = None
    headers: t.Mapping[str, str] = {}


@dataclasses.dataclass
class Asked:
    """One request to the management API."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: t.Any
    body: t.Any


@dataclasses.dataclass
class Trouble:
    """What the next request to the management API meets; *after* seconds, instead of an answer if it has a status."""

    status: int = 0
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    document: t.Any = None
    after: float = 0.0


class FakeFlags(RealFlags):
    """*state* is all that the vendor knows; each change of it is a new version, which SDKs see somewhat later."""

    elsewhere: t.ClassVar[dict[str, str]] = {"project": "another"}
    """Settings of a project that is not there."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory)
        self.lock = threading.RLock()
        self.state: dict[str, t.Any] = {}
        self.history: list[tuple[float, dict[str, t.Any]]] = [(0.0, {})]
        self.troubles: list[Trouble] = []
        self.requires_approval = False
        self.is_closing = threading.Event()

    def start(self) -> None:
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                fake._handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

            def log_message(self, *_words: t.Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.closing.callback(self.server.server_close)
        self.closing.callback(self.server.shutdown)
        self.closing.callback(self.is_closing.set)
        self.connect()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @abc.abstractmethod
    def connect(self) -> None:
        """Starts the vendor's own SDK on it."""

    @abc.abstractmethod
    def manage(self, asked: Asked) -> Answer:
        """The management API."""

    @abc.abstractmethod
    def evaluate(self, asked: Asked, seen: dict[str, t.Any]) -> Answer | None:
        """What the SDK asks for, out of what it can see now; None where it is the management API that is asked."""

    def stream(self, handler: http.server.BaseHTTPRequestHandler, path: str) -> bool:
        """Keeps an SDK up to date on an open connection; False where the path is none for that."""
        return False

    def seen(self) -> dict[str, t.Any]:
        """The state as it was known to everybody a moment ago."""
        with self.lock:
            return next(state for at, state in reversed(self.history) if at <= time.monotonic() - PROPAGATION or not at)

    def changed(self) -> None:
        """Under the lock, after a change of the state."""
        self.history.append((time.monotonic(), copy.deepcopy(self.state)))

    def _handle(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        raw = handler.rfile.read(length)
        if self.stream(handler, parts.path):
            return
        body = json.loads(raw) if raw and "json" in (handler.headers.get("Content-Type") or "json") else None
        asked = Asked(handler.command, parts.path, parse_qs(parts.query), handler.headers, body)
        answer = self.evaluate(asked, self.seen()) or self._managed(asked)
        text = b"" if answer.document is None else json.dumps(answer.document).encode()
        handler.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _managed(self, asked: Asked) -> Answer:
        trouble = self.troubles.pop(0) if self.troubles else Trouble()
        self.is_closing.wait(trouble.after)
        if trouble.status:
            return Answer(trouble.status, trouble.document, trouble.headers)
        with self.lock:
            return self.manage(asked)
