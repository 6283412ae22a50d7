# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long users were without the service: asked at its public address or, without one, from page to page."""

from __future__ import annotations

import http.client
import threading
import time
import typing as t
import urllib.error
import urllib.request

EVERY = 0.1
LIMIT = 2.0
SERVED = range(200, 400)


class Downtime:
    """*answers* returns whether a user is served at this moment; None where there is no address to ask."""

    def __init__(self, answers: t.Callable[[], bool] | None, now: t.Callable[[], float] = time.monotonic) -> None:
        self._answers = answers
        self._now = now
        self._began: float | None = None
        self._first: float | None = None
        self._last: float | None = None
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def measured_by(self) -> str:
        return "as users saw it" if self._answers else "from when the page was shown until it was removed"

    def begin(self) -> None:
        """The first call counts."""
        if self._began is None:
            self._began = self._now()
            if self._answers:
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()

    def end(self) -> float:
        """Seconds; with an address, from the first request that was not served to the first one that was again."""
        self._is_over.set()
        if self._thread:
            self._thread.join(timeout=2 * LIMIT)
            self.look()
            last = self._now() if self._last is None else self._last
            return round(last - self._first, 3) if self._first is not None else 0.0
        return round(self._now() - self._began, 3) if self._began is not None else 0.0

    def _watch(self) -> None:
        while not self._is_over.wait(EVERY):
            self.look()

    def look(self) -> None:
        asked = self._now()
        served = self._answers() if self._answers else True
        if not served:
            self._first = asked if self._first is None else self._first
            self._last = None
        elif self._first is not None and self._last is None:
            self._last = self._now()


def answering(url: str) -> t.Callable[[], bool]:
    """Whether the address serves: an answer that is neither an error of the client's nor of the server's."""

    def served() -> bool:
        request = urllib.request.Request(url, headers={"Connection": "close"})
        try:
            with urllib.request.build_opener().open(request, timeout=LIMIT) as answer:
                return answer.status in SERVED
        except (urllib.error.URLError, OSError, ValueError, http.client.HTTPException):
            return False

    return served
