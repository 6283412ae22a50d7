# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of a pool that fail and delay as set, and users that send them requests."""

from __future__ import annotations

import itertools
import threading
import time
import typing as t

from support.haproxy import App, Member, fetch


class FlawedApp(App):
    """Answers like its base, after a time and with errors."""

    server: FlawedMember

    def do_GET(self) -> None:
        if self.path.startswith("/health"):
            super().do_GET()
            return
        time.sleep(self.server.delay)
        if self.server.errs():
            self.send_error(500)
            return
        super().do_GET()


class FlawedMember(Member):
    """Exactly the share *errors* of its answers are 500, evenly spread; each takes *delay* seconds."""

    def __init__(self, name: str, errors: float = 0.0, delay: float = 0.004) -> None:
        self.errors = errors
        self.delay = delay
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        super().__init__(name)
        self.RequestHandlerClass = FlawedApp  # type: ignore[assignment]

    def errs(self) -> bool:
        with self._lock:
            number = next(self._numbers)
        return int(number * self.errors) > int((number - 1) * self.errors)


class Users:
    """So many threads, each with a request every *pause* seconds on a connection of its own, for *paths* in turn."""

    def __init__(self, port: int, threads: int = 8, pause: float = 0.01, paths: t.Sequence[str] = ("/",)) -> None:
        self._paths = itertools.cycle(paths)
        self._port = port
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for dummy in range(threads)]
        self.requests = 0
        self.errors = 0

    def __enter__(self) -> Users:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: t.Any) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                status, dummy = fetch(self._port, next(self._paths))
            except OSError:
                status = 0
            self.requests += 1
            self.errors += status >= 500 or status == 0
