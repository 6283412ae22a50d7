# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Servers of feature flags that are changed by JSON over HTTP: one client, and what each product says in its own way."""

from __future__ import annotations

import dataclasses
import http.client
import json
import math
import os
import re
import ssl
import time
import typing as t
from urllib.parse import quote

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Conflict, Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.http import excerpts, targets, tls
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client

LARGEST = 8 * 1024 * 1024
TRIES = 3
LONGEST_WAIT = 5.0
"""The longest Retry-After in seconds that is waited for; a longer one is an error."""
ENVIRONMENT = "STEADY_ROLLOUT_FLAG_TOKEN"
NOT_FOUND, CONFLICT = 404, 409
JSON = "application/json"
MOST_FLAGS = 20_000
"""A list of flags that is longer has no end."""
BY_APPROVAL = re.compile(r"approv|change request", re.IGNORECASE)
A_YEAR_OF_SECONDS = 10**11
"""A moment that is a larger number than that is in milliseconds."""


class Product(t.NamedTuple):
    """How one product is talked to. *authorization* is the header's value, with the token in the place of {}."""

    name: str
    authorization: str
    meanings: t.Mapping[int, str]
    """What to do about the status of a refusal, as the end of a sentence."""
    headers: t.Mapping[str, str] = {}
    approval: str = ""
    """What to do where changes need somebody's approval, likewise."""


class Refused(RolloutError):
    """The server answered with an error; *status* is that of the answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, kind="flags_refused")
        self.status = status


@dataclasses.dataclass(frozen=True)
class Api:
    """The server at *url*; *timeout* in seconds bounds each answer."""

    product: Product
    url: str
    token: str
    tls: ssl.SSLContext
    timeout: float
    hidden: tuple[str, ...] = ()
    """What no message shows, beside the token."""
    sleep: t.Callable[[float], None] = time.sleep
    now: t.Callable[[], float] = time.time

    @property
    def where(self) -> str:
        return f"{self.product.name.lower()} at {self.place}"

    @property
    def place(self) -> str:
        return targets.shown_url(self.url)

    def get(self, path: str) -> t.Any:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: t.Any = None, content_type: str = JSON) -> t.Any:
        """The JSON of the answer, None where it is empty. A busy server is asked again; all of these requests can be repeated."""
        for left in reversed(range(TRIES)):
            answer = self._exchange(method, path, body, content_type)
            if answer.status == 429 or answer.status >= 500:
                wait = _asked_to_wait(answer, self.now())
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
                f"{self.place}{self._hide(path)}: returned '{self._excerpt(text)}', which is not JSON; is system.url that of {self.product.name}?"
            )
        return document

    def _exchange(self, method: str, path: str, body: t.Any, content_type: str) -> client.Answer:
        headers = {
            **self.product.headers,
            "Authorization": self.product.authorization.format(self.token),
            "Accept": JSON,
            "User-Agent": "steady.rollout feature_flag",
        }
        raw = None if body is None else json.dumps(body).encode()
        if raw is not None:
            headers["Content-Type"] = content_type
        request = client.Request(method, self.url + path, headers, raw, self.tls, largest=LARGEST)
        try:
            return client.exchange(request, client.Deadline(self.timeout))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = self._hide(client.in_words(error, self.timeout))
            # None: what the client says may hold the key, and a traceback would show it.
            raise Unreachable(f"{self.place} {reason}.", kind="flags_unreachable") from None

    def _refused(self, method: str, path: str, answer: client.Answer, text: str) -> RolloutError:
        if answer.status == 429:
            raise Unreachable(
                f"{self.place} limits the rate of requests (429). "
                f"Try again after {_asked_to_wait(answer, self.now()):g} s.",
                kind="flags_unreachable",
            )
        if answer.status >= 500:
            raise Unreachable(f"{self.place} answered {answer.status}{self._reason(text)}.", kind="flags_unreachable")
        meaning = self.product.meanings.get(answer.status)
        if self.product.approval and BY_APPROVAL.search(text):
            meaning = self.product.approval
        return Refused(
            f"{self.place}: {method} {self._hide(path)} was refused with {answer.status}{self._reason(text)}."
            + (f" In other words, {meaning}." if meaning else ""),
            answer.status,
        )

    def _reason(self, text: str) -> str:
        document = documents.parsed_or_none(text)
        if isinstance(document, dict):
            details = document.get("details")
            first = (
                details[0].get("message")
                if isinstance(details, list) and details and isinstance(details[0], dict)
                else ""
            )
            text = str(first or document.get("message") or document.get("detail") or text)
        return f": {self._excerpt(text).rstrip('.')}" if text.strip() else ""

    def _excerpt(self, text: str) -> str:
        return excerpts.excerpt(text, self._hide)

    def _hide(self, text: str) -> str:
        return excerpts.known([self.token, *self.hidden])(text)


def _asked_to_wait(answer: client.Answer, now: float) -> float:
    """By the seconds of Retry-After, or else the moment of X-Ratelimit-Reset."""
    given = (answer.header("Retry-After") or "").strip()
    if given.isascii() and given.isdigit() and len(given) < 7:
        return float(given)
    reset = (answer.header("X-Ratelimit-Reset") or "").strip()
    if reset.isascii() and reset.isdigit() and len(reset) < 15:
        moment = float(reset) / (1000.0 if int(reset) > A_YEAR_OF_SECONDS else 1.0)
        return max(math.ceil((moment - now) * 10) / 10, 0.1)
    return 0.5


def find(api: Api, path: str, container: str) -> t.Any:
    """A flag's document; None where there is none or it is archived. Refused where what contains the flags is not there."""
    try:
        found = api.get(path)
    except Refused as error:
        if error.status != NOT_FOUND:
            raise
        _require(api, container, error)
        return None
    return None if isinstance(found, dict) and found.get("archived") else found


def _require(api: Api, container: str, error: Refused) -> None:
    """A flag that is not there and a project that is not there are the same answer."""
    try:
        api.get(container)
    except Refused:
        raise error from None


def patch(api: Api, flag: str, path: str, body: t.Any, content_type: str = JSON) -> None:
    """Raises Conflict where the server refuses because of another change."""
    try:
        api.ask("PATCH", path, body, content_type)
    except Refused as error:
        if error.status == CONFLICT:
            raise Conflict(f"{api.where}: somebody else has changed '{flag}' meanwhile.") from None
        raise


def every_name(api: Api, page_size: int, page: t.Callable[[int], tuple[list[str], bool]]) -> list[str]:
    """*page* returns the names on a page, counted from 0, and whether there are more."""
    found: list[str] = []
    for number in range(MOST_FLAGS // page_size):
        names, has_more = page(number)
        found += names
        if not has_more:
            return sorted(found)
    raise RolloutError(f"{api.where}: the list of flags has no end after {MOST_FLAGS}; name the flags.")


def part(text: str) -> str:
    """A part of a path."""
    return quote(text, safe="")


def opened(product: Product, settings: t.Mapping[str, t.Any], url: str, hidden: tuple[str, ...] = ()) -> Api:
    """Raises InputError where the settings cannot be right."""
    parts = targets.split_url(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[^\x21-\x7e]", url):
        raise InputError("system.url: is not an http or https URL with a host, such as https://unleash.example.com.")
    if parts.username is not None or parts.query:
        raise InputError("system.url: must not hold a user, a password or a query; give the key as system.token.")
    token = settings.get("token") or os.environ.get(ENVIRONMENT) or ""
    if not token or re.search(r"[^\x21-\x7e]", token):
        raise InputError(
            f"system.token: expected an API token without blanks, there or in the environment as {ENVIRONMENT}."
        )
    try:
        context = tls.context(settings.get("validate_certs", True), settings.get("ca_path"))
    except OSError as error:
        raise InputError(f"system.ca_path: cannot be used ({error.strerror or error}).") from None
    return Api(product, url, token, context, settings["timeout"], hidden)
