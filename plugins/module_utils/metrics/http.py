# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where a source of measurements answers over HTTP, and how to ask there. Its secrets are in no message."""

from __future__ import annotations

import base64
import dataclasses
import http.client
import re
import ssl
import typing as t
from urllib.parse import urlencode

from ansible_collections.steady.rollout.plugins.module_utils import documents, durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http import excerpts, targets, tls
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Trouble

Parameters = t.Sequence[t.Tuple[str, str]]

SETTINGS: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "user": (str,),
    "password": (str,),
    "token": (str,),
    "headers": (dict,),
    "ca_path": (str,),
    "validate_certs": (bool,),
    "timeout": (str,),
}
"""What every source that is asked over HTTP may be given, and the types of it."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A place that answers over HTTP. *timeout* in seconds bounds a question from its name's lookup to the last byte."""

    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | None
    timeout: float
    secrets: tuple[str, ...]

    @property
    def place(self) -> str:
        """The address as it may be shown."""
        return targets.shown_url(self.url)

    def ask(self, path: str = "", parameters: Parameters = (), method: str = "GET", body: bytes | None = None) -> t.Any:
        """The JSON of the answer; Trouble where none comes or the status is none of 2xx."""
        status, text = self._exchange(path, parameters, method, body)
        document = documents.parsed_or_none(text)
        if not 200 <= status < 300:
            raise Trouble(f"{self.place} answered {status}{self._reason(document, text)}")
        if document is None:
            raise Trouble(f"{self.place} gave no JSON but '{self.excerpt(text)}'")
        return document

    def excerpt(self, text: str) -> str:
        """The beginning of an answer on one line, its secrets hidden."""
        return excerpts.excerpt(text, excerpts.known(self.secrets))

    def _exchange(self, path: str, parameters: Parameters, method: str, body: bytes | None) -> tuple[int, str]:
        url = self.url.rstrip("/") + path if path else self.url
        if parameters:
            url += ("&" if "?" in url else "?") + urlencode(list(parameters))
        request = client.Request(method, url, self.headers, body, self.tls)
        try:
            answer = client.exchange(request, client.Deadline(self.timeout))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = targets.redacted(client.in_words(error, self.timeout), self.secrets)
            raise Trouble(f"{self.place} {reason}") from error
        return answer.status, answer.body.decode("utf-8", "replace")

    def _reason(self, document: t.Any, text: str) -> str:
        """What the answer says went wrong; Prometheus and Alertmanager have it under 'error' or 'message'."""
        if isinstance(document, dict):
            text = str(document.get("error") or document.get("message") or text)
        return f": {self.excerpt(text)}" if text.strip() else ""


def endpoint(where: str, settings: t.Mapping[str, t.Any]) -> Endpoint:
    """The endpoint of a source; *where* names it in messages. Raises InputError where it cannot be right."""
    url = settings.get("url") or ""
    parts = targets.split_url(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[^\x21-\x7e]", url):
        raise InputError(
            f"{where}: url is '{targets.shown_url(url) if parts else 'not a URL'}'; expected http:// or https://, a host "
            "and, if need be, a port and a path."
        )
    return Endpoint(
        url=url,
        headers=_headers(where, settings),
        tls=_tls(where, settings),
        timeout=durations.positive(f"{where}.timeout", settings.get("timeout", 10.0)),
        secrets=secrets(settings),
    )


def secrets(settings: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """The values that must not be shown."""
    found = {str(settings[name]) for name in ("password", "token") if settings.get(name)}
    if settings.get("password"):
        found.add(_basic(settings))
    found.update(targets.secrets_of({"url": settings.get("url"), "headers": settings.get("headers")}))
    return tuple(sorted(found, key=len, reverse=True))


def _headers(where: str, settings: t.Mapping[str, t.Any]) -> dict[str, str]:
    headers = {name: str(value) for name, value in (settings.get("headers") or {}).items()}
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[^\t\x20-\x7e\xa0-\xff]", value):
            raise InputError(f"{where}: HTTP does not allow the header '{name}' as it is given.")
    given = {name.lower() for name in headers}
    if "authorization" not in given:
        authorization = _authorization(settings)
        if authorization:
            headers["Authorization"] = authorization
    if "user-agent" not in given:
        headers["User-Agent"] = "steady.rollout metric_gate"
    return headers


def _authorization(settings: t.Mapping[str, t.Any]) -> str | None:
    if settings.get("token"):
        return f"Bearer {settings['token']}"
    if settings.get("user"):
        return f"Basic {_basic(settings)}"
    return targets.basic_authorization(settings["url"])


def _basic(settings: t.Mapping[str, t.Any]) -> str:
    pair = f"{settings.get('user') or ''}:{settings.get('password') or ''}"
    return base64.b64encode(pair.encode()).decode()


def _tls(where: str, settings: t.Mapping[str, t.Any]) -> ssl.SSLContext:
    ca_path = settings.get("ca_path")
    try:
        return tls.context(settings.get("validate_certs", True), ca_path)
    except OSError as error:
        raise InputError(f"{where}: ca_path cannot be used: {ca_path} ({error.strerror or error}).") from None
