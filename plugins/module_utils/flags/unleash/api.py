# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Unleash's admin API: one request and its answer. The token is in no message."""

from __future__ import annotations

import dataclasses
import http.client
import json
import ssl
import time
import typing as t
from urllib.parse import quote

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.http import excerpts, targets
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client

LARGEST = 8 * 1024 * 1024
TRIES = 3
LONGEST_WAIT = 5.0
"""Seconds that a server may ask to be left alone for; more is an error that says so."""
MEANINGS = {
    401: "the token is not known; give an admin or service account token",
    403: "the token may not do that; a client token cannot change flags, and a project may limit who does",
}


class Refused(RolloutError):
    """The server answered with an error; *status* is that of the answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, kind="flags_refused")
        self.status = status


@dataclasses.dataclass(frozen=True)
class Api:
    """The server at *url*; *timeout* in seconds bounds each answer."""

    url: str
    token: str
    tls: ssl.SSLContext
    timeout: float
    sleep: t.Callable[[float], None] = time.sleep

    @property
    def place(self) -> str:
        return targets.shown_url(self.url)

    def get(self, path: str) -> t.Any:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """The JSON of the answer, None where it is empty. A busy server is asked again; all of these requests can be repeated."""
        for left in reversed(range(TRIES)):
            answer = self._exchange(method, path, body)
            if answer.status == 429 or answer.status >= 500:
                wait = _asked_to_wait(answer)
                if left and wait <= LONGEST_WAIT:
                    self.sleep(wait)
                    continue
            break
        text = answer.body.decode("utf-8", "replace")
        if not 200 <= answer.status < 300:
            raise self._refused(method, path, answer, text)
        document = documents.parsed_or_none(text)
        if document is None and text.strip():
            raise RolloutError(
                f"{self.place}{path}: gave no JSON but '{self._excerpt(text)}'; is system.url that of Unleash?"
            )
        return document

    def _exchange(self, method: str, path: str, body: t.Any) -> client.Answer:
        headers = {
            "Authorization": self.token,
            "Accept": "application/json",
            "User-Agent": "steady.rollout feature_flag",
        }
        raw = None if body is None else json.dumps(body).encode()
        if raw is not None:
            headers["Content-Type"] = "application/json"
        request = client.Request(method, self.url + path, headers, raw, self.tls, largest=LARGEST)
        try:
            return client.exchange(request, client.Deadline(self.timeout))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = targets.redacted(client.in_words(error, self.timeout), [self.token])
            raise Unreachable(f"{self.place} {reason}.", kind="flags_unreachable") from error

    def _refused(self, method: str, path: str, answer: client.Answer, text: str) -> RolloutError:
        if answer.status == 429:
            raise Unreachable(
                f"{self.place} takes no more requests at present (429) and asks to wait {_asked_to_wait(answer):g} s. "
                "Try again after that.",
                kind="flags_unreachable",
            )
        if answer.status >= 500:
            raise Unreachable(f"{self.place} answered {answer.status}{self._told(text)}.", kind="flags_unreachable")
        meaning = MEANINGS.get(answer.status)
        return Refused(
            f"{self.place}: {method} {path} was refused with {answer.status}{self._told(text)}."
            + (f" In other words, {meaning}." if meaning else ""),
            answer.status,
        )

    def _told(self, text: str) -> str:
        document = documents.parsed_or_none(text)
        if isinstance(document, dict):
            details = document.get("details")
            first = (
                details[0].get("message")
                if isinstance(details, list) and details and isinstance(details[0], dict)
                else ""
            )
            text = str(first or document.get("message") or text)
        return f": {self._excerpt(text).rstrip('.')}" if text.strip() else ""

    def _excerpt(self, text: str) -> str:
        return excerpts.excerpt(text, excerpts.known([self.token]))


def _asked_to_wait(answer: client.Answer) -> float:
    given = (answer.header("Retry-After") or "").strip()
    return float(given) if given.isascii() and given.isdigit() and len(given) < 7 else 0.5


def part(text: str) -> str:
    """A part of a path."""
    return quote(text, safe="")
