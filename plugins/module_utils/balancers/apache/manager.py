# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Apache's balancer-manager over HTTP: its page for what only that says, its XML for the figures, POST to change.

It ignores what it does not like and answers 200 all the same: a request without a Referer of its own host, a wrong
nonce, a load factor out of bounds, an unknown worker. So nothing here is done until it is read back.
"""

from __future__ import annotations

import base64
import html
import http.client
import re
import socket
import ssl
import typing as t
import urllib.parse
import xml.etree.ElementTree

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.http import tls

NAMESPACE = {"httpd": "http://httpd.apache.org"}
PREFIX = "balancer://"
TITLE = re.compile(r"Load Balancer Manager for ([^<]*)</h1>")
# It reads no more of a POST than this.
LONGEST_POST = 1024
LARGEST_PAGE = 16 * 1024 * 1024


class Worker(t.NamedTuple):
    """One worker of a balancer, as the XML shows it."""

    url: str
    route: str
    flags: frozenset[str]
    """The words of its status, such as Init, Drn, Dis, Stby and Ok."""
    factor: float
    busy: int
    elected: int
    lbset: int


class Page(t.NamedTuple):
    """What the manager's page says and the XML does not."""

    version: str
    persists: bool
    """Whether changes survive a restart (BalancerPersist)."""
    nonces: dict[str, str]
    """What a change must bring along, by balancer; a restart gives new ones."""


class Answer(t.NamedTuple):
    status: int
    headers: t.Mapping[str, str]
    text: str


class Site(t.NamedTuple):
    """Where a page is and how to get it. *timeout* in seconds bounds every step of a request."""

    url: str
    timeout: float
    user: str = ""
    password: str = ""
    validate_certs: bool = True


class Manager:
    """The balancer-manager at a URL. Every request has a connection of its own, for a reload closes those kept."""

    def __init__(self, site: Site, where: str) -> None:
        self.where = where
        self._site = site
        self._referer = site.url

    def page(self) -> Page:
        answer = self._fetch("GET")
        text = html.unescape(answer.text)
        version = re.search(r"Server Version: Apache/([^\s<]+)", text)
        return Page(
            version=version.group(1) if version else "",
            persists=bool(re.search(r"will\s+be persisted", text)),
            nonces=dict(re.findall(r"[?&]b=([^&\"]+)&nonce=([0-9a-fA-F-]*)\"", text)),
        )

    def workers(self) -> dict[str, list[Worker]]:
        """The workers of every balancer, by the balancer's name."""
        answer = self._fetch("GET", "?xml=1")
        if not answer.headers.get("content-type", "").startswith("text/xml"):
            answer = self._again_as(answer)
        try:
            return read_workers(answer.text)
        except (xml.etree.ElementTree.ParseError, ValueError) as error:
            raise RolloutError(
                f"{self.where}: the XML of the balancer-manager cannot be read ({error}); Apache 2.4 is expected."
            ) from error

    def change(self, balancer: str, nonce: str, worker: str, fields: t.Mapping[str, str]) -> None:
        """Asks for a change of one worker; with no fields, for none."""
        body = urllib.parse.urlencode({"b": balancer, "w": worker, "nonce": nonce, "xml": "1", **fields})
        if len(body) > LONGEST_POST:
            raise RolloutError(
                f"{self.where}: a change of '{worker}' takes {len(body)} bytes, the balancer-manager reads "
                f"{LONGEST_POST}. Give the member a shorter URL."
            )
        self._fetch("POST", body=body)

    def _again_as(self, answer: Answer) -> Answer:
        """Once more with the host name that the server goes by, which the Referer has to name."""
        title = TITLE.search(answer.text)
        name = html.unescape(title.group(1)) if title else ""
        self._referer = f"http://{name}/"
        again = self._fetch("GET", "?xml=1")
        if not again.headers.get("content-type", "").startswith("text/xml"):
            raise RolloutError(
                f"{self.where}: the balancer-manager ignores the request because it takes its Referer for another site's; "
                f"the server's name is '{name}'. Give balancer.manager_url with that name."
            )
        return again

    def _fetch(self, method: str, query: str = "", body: str | None = None) -> Answer:
        headers = {"Referer": self._referer}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = fetch(self._site, self.where, method, query, body, headers)
        self._refuse_bad(answer, method)
        return answer

    def _refuse_bad(self, answer: Answer, method: str) -> None:
        if answer.status == 200 and (
            answer.headers.get("content-type", "").startswith("text/xml") or TITLE.search(answer.text)
        ):
            return
        reason = {
            200: "something else answers there. Correct balancer.manager_url: it is the location with 'SetHandler "
            "balancer-manager', and 'ProxyPass <location> !' keeps it from being proxied.",
            401: "it asks for a user and password, or refuses those given. See balancer.manager_user.",
            403: "access is denied. Allow this host with a 'Require' line of the balancer-manager's <Location>.",
            404: "there is no such page. Correct balancer.manager_url, or add 'SetHandler balancer-manager' there.",
        }.get(answer.status, "200 was expected.")
        if answer.status in (301, 302, 307, 308):
            reason = f"it redirects to {answer.headers.get('location')}. Give that address as balancer.manager_url."
        raise RolloutError(
            f"{self.where}: {method} of the balancer-manager was answered with status {answer.status}: {reason}"
        )


def fetch(
    site: Site,
    where: str,
    method: str = "GET",
    query: str = "",
    body: str | None = None,
    headers: t.Mapping[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own; raises Unreachable where none is answered."""
    parts = split_url(site.url, "the URL")
    asked = {"Connection": "close", **(headers or {})}
    if site.user:
        asked["Authorization"] = "Basic " + base64.b64encode(f"{site.user}:{site.password}".encode()).decode()
    context = tls.context(site.validate_certs) if parts.scheme == "https" else None
    url = parts._replace(path=(parts.path or "/") + query).geturl()
    request = client.Request(method, url, asked, None if body is None else body.encode(), context, largest=LARGEST_PAGE)
    try:
        answer = client.exchange(request, client.Deadline(site.timeout))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"{where}: {_explain(error, site.timeout)}") from error
    if len(answer.body) >= LARGEST_PAGE:
        raise RolloutError(f"{where}: the answer is longer than {LARGEST_PAGE} bytes. Is this the balancer-manager?")
    named = {name.lower(): value for name, value in answer.headers}
    return Answer(answer.status, named, answer.body.decode("utf-8", "replace"))


def split_url(url: str, option: str) -> urllib.parse.SplitResult:
    """Raises InputError for anything but http(s)://host[:port]/path; the message shows no password."""
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.query and parts.port != 0
    except ValueError:
        good = False
    if "@" in url:
        raise InputError(
            f"{option}: must not hold a user or password, since addresses are shown. Give balancer.manager_user and "
            "balancer.manager_password."
        )
    if not good:
        raise InputError(
            f"{option}: '{url}' is not the address of a page; for example http://127.0.0.1/balancer-manager."
        )
    return parts


def read_workers(text: str) -> dict[str, list[Worker]]:
    """Raises ParseError or ValueError where the text is not the manager's XML."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it defines entities")
    root = xml.etree.ElementTree.fromstring(text)
    return {
        _text(balancer, "name")[len(PREFIX) :]: [
            _worker(worker) for worker in balancer.iterfind("httpd:workers/httpd:worker", NAMESPACE)
        ]
        for balancer in root.iterfind("httpd:balancers/httpd:balancer", NAMESPACE)
    }


def _worker(element: xml.etree.ElementTree.Element) -> Worker:
    return Worker(
        url=_text(element, "name"),
        route=_text(element, "route"),
        flags=frozenset(_text(element, "status").split()),
        factor=float(_text(element, "loadfactor")),
        busy=int(_text(element, "busy")),
        elected=int(_text(element, "elected")),
        lbset=int(_text(element, "lbset")),
    )


def _text(element: xml.etree.ElementTree.Element, name: str) -> str:
    found = element.find(f"httpd:{name}", NAMESPACE)
    if found is None:
        raise ValueError(f"no {name} where one belongs")
    return found.text or ""


def _explain(error: Exception, timeout: float) -> str:
    if isinstance(error, socket.timeout):
        return f"Apache did not answer within {timeout:g} s. Is the process alive and the host reachable?"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nothing listens there. Is Apache running?"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}). Give balancer.manager_url with the name in the "
            "certificate, or set balancer.validate_certs to false."
        )
    return f"cannot talk to Apache: {getattr(error, 'strerror', None) or error!r}."
