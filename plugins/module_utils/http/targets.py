# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What is probed: one target from the options, checked before the first probe."""

from __future__ import annotations

import base64
import collections
import dataclasses
import json
import re
import shlex
import typing as t
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http import queries

WAYS = ("url", "tcp", "command")

HARMLESS_HEADERS = re.compile(
    r"accept(-.*)?|cache-control|connection|content-.*|host|if-.*|range|user-agent|via|x-forwarded-.*|x-request-id",
    re.IGNORECASE,
)
"""Headers whose values are no secrets; those of all others are kept out of results and logs."""

SECRET_PARAMETERS = re.compile(r".*(auth|cookie|credential|jwt|key|pass|secret|sig|token).*", re.IGNORECASE)
"""Parameters in a URL's query whose values are secrets."""

SHORTEST_SECRET = 4
"""Hiding shorter values would only mangle the figures of a result."""


@dataclasses.dataclass(frozen=True)
class Target:
    """One thing that has to be healthy, and what counts as a good answer from it."""

    name: str
    timeout: float
    url: str | None = None
    tcp: tuple[str, int] | None = None
    command: tuple[str, ...] | None = None
    method: str = "GET"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes | None = None
    status: tuple[int, ...] = (200,)
    expect: queries.Query | None = None
    version: str | None = None
    version_path: queries.Query | None = None
    version_placeholder: str | None = None
    revision: str | None = None
    revision_path: queries.Query | None = None
    revision_placeholder: str | None = None
    latency: float | None = None
    follow_redirects: bool = False
    validate_certs: bool = True
    ca_path: str | None = None
    secrets: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The target's address as it may be shown: without credentials and without the query."""
        if self.url:
            return shown_url(self.url)
        if self.tcp:
            return f"{self.tcp[0]}:{self.tcp[1]}"
        return f"command '{(self.command or ('',))[0]}'"


def from_options(options: list[dict[str, t.Any]]) -> list[Target]:
    """The targets of a call; InputError names the first one that cannot be right."""
    if not options:
        raise InputError("targets: the list is empty, so nothing could be healthy; give at least one target.")
    targets = [_target(option) for option in options]
    for name, times in collections.Counter(target.name for target in targets).items():
        if times > 1:
            raise InputError(f"targets: the name '{name}' is given {times} times; each needs its own.")
    return targets


def _revision_path(option: dict[str, t.Any]) -> str | None:
    return option.get("revision_path") or ("revision" if option.get("revision") else None)


def secrets_of(option: dict[str, t.Any]) -> tuple[str, ...]:
    """The values of one target's options that must not be shown: credentials in headers and in the URL."""
    found: list[str] = []
    for name, value in (option.get("headers") or {}).items():
        if not HARMLESS_HEADERS.fullmatch(name):
            found.append(str(value))
            found.extend(str(value).split()[1:])
    parts = split_url(option.get("url") or "")
    if parts and parts.password:
        found.extend({parts.password, unquote(parts.password), _basic(parts)})
    if parts:
        found.extend(value for name, value in parse_qsl(parts.query) if SECRET_PARAMETERS.fullmatch(name))
    return tuple(sorted({value for value in found if len(value) >= SHORTEST_SECRET}, key=len, reverse=True))


def redacted(text: str, secrets: t.Iterable[str]) -> str:
    """*text* with every secret replaced; longer secrets have to come first."""
    for secret in secrets:
        text = text.replace(secret, "********")
    return text


def shown_url(url: str) -> str:
    """*url* without user, password, query and fragment."""
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2]
    return SplitResult(parts.scheme, netloc, parts.path, "", "").geturl()


def basic_authorization(url: str) -> str | None:
    """The header for user and password in *url*, None where there are none."""
    parts = split_url(url)
    return f"Basic {_basic(parts)}" if parts and parts.username is not None else None


def _target(option: dict[str, t.Any]) -> Target:
    name = option["name"]
    given = [way for way in WAYS if option.get(way)]
    if len(given) != 1:
        raise InputError(
            f"targets: '{name}' needs exactly one of url, tcp and command; it has {' and '.join(given) or 'none'}."
        )
    _check_figures(name, option)
    if option.get("tcp") and (option.get("expect") or option.get("version") is not None):
        raise InputError(f"targets: '{name}' has tcp, which has no answer to read expect or version from; use url.")
    return Target(
        name=name,
        timeout=durations.positive(f"targets: timeout of '{name}'", option["timeout"]),
        url=_url(name, option.get("url")),
        tcp=_host_and_port(name, option.get("tcp")),
        command=_command(name, option.get("command")),
        method=option["method"].upper(),
        headers=_headers(option),
        body=_body(option.get("body")),
        status=tuple(option["status"]),
        expect=queries.compiled(name, "expect", option.get("expect")),
        version=option.get("version"),
        version_path=queries.compiled(name, "version_path", option["version_path"]),
        version_placeholder=option.get("version_placeholder") or None,
        revision=option.get("revision") or None,
        revision_path=queries.compiled(name, "revision_path", _revision_path(option)),
        revision_placeholder=option.get("revision_placeholder") or None,
        latency=_latency(name, option.get("latency")),
        follow_redirects=option["follow_redirects"],
        validate_certs=option["validate_certs"],
        ca_path=option.get("ca_path"),
        secrets=secrets_of(option),
    )


def _latency(name: str, latency: t.Any) -> float | None:
    return None if latency is None else durations.positive(f"targets: latency of '{name}'", latency)


def _check_figures(name: str, option: dict[str, t.Any]) -> None:
    if not option["status"]:
        raise InputError(f"targets: '{name}' has an empty status list, so no answer could be right.")
    for status in option["status"]:
        if not 100 <= status <= 599:
            raise InputError(f"targets: '{name}' has status {status}; an HTTP status is from 100 to 599.")


def _url(name: str, url: str | None) -> str | None:
    if not url:
        return None
    parts = split_url(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"targets: the url of '{name}' is not an http or https URL with a host and a valid port: "
            f"{url.rpartition('@')[2]}"
        )
    if re.search(r"[^\x21-\x7e]", url):
        raise InputError(f"targets: the url of '{name}' holds a character that needs percent-encoding, such as %20.")
    return url


def split_url(url: str) -> SplitResult | None:
    """The parts of a URL, None where it is not well formed."""
    try:
        parts = urlsplit(url)
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def _host_and_port(name: str, address: str | None) -> tuple[str, int] | None:
    if not address:
        return None
    host, _dummy, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"targets: the tcp of '{name}' is '{address}'; expected host:port, such as 10.0.0.3:5432.")
    return host.strip("[]"), int(port)


def _command(name: str, command: str | list[t.Any] | None) -> tuple[str, ...] | None:
    if not command:
        return None
    try:
        argv = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    except (ValueError, TypeError):
        argv = []
    if not argv or not argv[0]:
        raise InputError(
            f"targets: the command of '{name}' is neither a list of words nor a line that splits into some."
        )
    return tuple(argv)


def _headers(option: dict[str, t.Any]) -> dict[str, str]:
    headers = {name: str(value) for name, value in (option.get("headers") or {}).items()}
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[^\t\x20-\x7e\xa0-\xff]", value):
            raise InputError(f"targets: '{option['name']}' has a header '{name}' that HTTP does not allow.")
    given = {name.lower() for name in headers}
    authorization = basic_authorization(option.get("url") or "")
    if authorization and "authorization" not in given:
        headers["Authorization"] = authorization
    if isinstance(option.get("body"), (dict, list)) and "content-type" not in given:
        headers["Content-Type"] = "application/json"
    if "user-agent" not in given:
        headers["User-Agent"] = "steady.rollout health_wait"
    return headers


def _basic(parts: SplitResult) -> str:
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return base64.b64encode(pair.encode()).decode()


def _body(body: t.Any) -> bytes | None:
    if body is None:
        return None
    return (body if isinstance(body, str) else json.dumps(body)).encode()
