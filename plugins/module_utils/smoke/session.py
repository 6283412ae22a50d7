# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One conversation with a service: cookies are kept from answer to answer, redirects followed where that is asked for."""

from __future__ import annotations

import dataclasses
import email.message
import http.client
import http.cookiejar
import typing as t
import urllib.request
from urllib.parse import urljoin, urlsplit

from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client

Exchange = t.Callable[[client.Request, client.Deadline], client.Answer]


class Session:
    """What a browser would remember between two requests of one user."""

    def __init__(self, exchange: Exchange = client.exchange) -> None:
        self._exchange = exchange
        self._jar = http.cookiejar.CookieJar()

    def ask(self, request: client.Request, deadline: client.Deadline, follow: bool) -> client.Answer:
        """The answer to a request, or to the last one that its redirects lead to.

        OSError or HTTPException where none comes.
        """
        for dummy in range(client.MOST_REDIRECTS + 1):
            answer = self._exchange(self._with_cookies(request), deadline)
            self._keep_cookies(request, answer)
            location = answer.header("Location")
            if not follow or answer.status not in client.REDIRECTS or location is None:
                return answer
            request = client.redirected(request, answer.status, on_same_host(request, location))
        raise http.client.HTTPException(f"more than {client.MOST_REDIRECTS} redirects")

    def cookies(self) -> dict[str, str]:
        """The cookies of this conversation by their names."""
        return {cookie.name: cookie.value or "" for cookie in self._jar}

    def _with_cookies(self, request: client.Request) -> client.Request:
        asked = _as_urllib(request)
        self._jar.add_cookie_header(asked)
        cookies = asked.get_header("Cookie")
        if not cookies:
            return request
        return dataclasses.replace(request, headers={**request.headers, "Cookie": cookies})

    def _keep_cookies(self, request: client.Request, answer: client.Answer) -> None:
        self._jar.extract_cookies(t.cast("t.Any", _Response(answer)), _as_urllib(request))


def on_same_host(request: client.Request, location: str) -> str:
    """Where a redirect leads: a service redirects to its public name, and that may lead to another host of the fleet."""
    parts = urlsplit(urljoin(request.url, location))
    if parts.netloc.lower() != _host_header(request).lower():
        return location
    return parts._replace(scheme="", netloc="").geturl() or "/"


class _Response:
    """As much of a response as the cookie jar looks at."""

    def __init__(self, answer: client.Answer) -> None:
        self._headers = email.message.Message()
        for name, value in answer.headers:
            if name.lower() in ("set-cookie", "set-cookie2"):
                self._headers[name] = value

    def info(self) -> email.message.Message:
        return self._headers


def _as_urllib(request: client.Request) -> urllib.request.Request:
    """The request under the name that the service is called by, which cookies are bound to."""
    parts = urlsplit(request.url)
    netloc = _host_header(request) or parts.netloc.rpartition("@")[2]
    headers = {name: value for name, value in request.headers.items() if name.lower() == "cookie"}
    return urllib.request.Request(parts._replace(netloc=netloc).geturl(), headers=headers)


def _host_header(request: client.Request) -> str:
    return next((value for name, value in request.headers.items() if name.lower() == "host"), "")
