# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Downloads an artifact over HTTP or HTTPS, within its time and its size. Imported only where one is downloaded."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import typing as t
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from ansible_collections.steady.rollout.plugins.module_utils.checksums import checksum_of
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.http import tls
from ansible_collections.steady.rollout.plugins.module_utils.release.archive import ArtifactError
from ansible_collections.steady.rollout.plugins.module_utils.release.source import Source

CHUNK = 1024 * 1024


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but leaves the given headers behind when another host is asked, and never leaves https."""

    def __init__(self, given: t.Iterable[str]) -> None:
        self._given = {name.capitalize() for name in given}

    def redirect_request(self, req: t.Any, fp: t.Any, code: t.Any, msg: t.Any, headers: t.Any, newurl: t.Any) -> t.Any:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if before.scheme == "https" and after.scheme != "https":
            raise urllib.error.URLError("it answered with a redirect from https to http, which is not followed")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and after[:2] != before[:2]:
            for name in self._given:
                request.remove_header(name)
        return request


class _Watchdog:
    """Cuts the connections of a download off when its time is over, however a server drips."""

    def __init__(self, seconds: float) -> None:
        self.has_bitten = False
        self._connections: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._bite)
        self._timer.daemon = True

    def __enter__(self) -> _Watchdog:
        self._timer.start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self._timer.cancel()
        for connection in self._connections:
            connection.close()

    def connect(self, *given: t.Any, **options: t.Any) -> socket.socket:
        """As socket.create_connection. A duplicate is kept, as TLS takes the original's descriptor away."""
        if self.has_bitten:
            raise socket.timeout("timed out")
        connection = socket.create_connection(*given, **options)
        self._connections.append(connection.dup())
        return connection

    def _bite(self) -> None:
        self.has_bitten = True
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, watchdog: _Watchdog) -> None:
        super().__init__()
        self._watchdog = watchdog

    def http_open(self, req: urllib.request.Request) -> t.Any:
        return self.do_open(_connections(http.client.HTTPConnection, self._watchdog), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, watchdog: _Watchdog, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._watchdog = watchdog
        self._tls = context

    def https_open(self, req: urllib.request.Request) -> t.Any:
        return self.do_open(_connections(http.client.HTTPSConnection, self._watchdog), req, context=self._tls)


def _connections(kind: type[http.client.HTTPConnection], watchdog: _Watchdog) -> t.Any:
    def made(host: str, **options: t.Any) -> http.client.HTTPConnection:
        connection = kind(host, **options)
        connection._create_connection = watchdog.connect  # type: ignore[attr-defined]
        return connection

    return made


def download(source: Source, place: str) -> str:
    """Proxies of the environment are used, as for other downloads on the host."""
    with _Watchdog(source.deadline) as watchdog:
        try:
            _save(source, place, watchdog)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, OSError) and error.filename == place:
                raise
            if watchdog.has_bitten:
                raise _too_slow(source) from None
            raise RolloutError(f"{source.name} could not be fetched: {_in_words(error)}.") from None
    return checksum_of(place)


def _save(source: Source, place: str, watchdog: _Watchdog) -> None:
    with _opened(source, watchdog) as answer, open(place, "xb") as target:
        length = getattr(answer, "length", None) or 0
        written = 0
        while written <= source.largest >= length:
            data = answer.read(CHUNK)
            if not data:
                break
            written += _written(target, data, place)
        else:
            raise ArtifactError(
                f"{source.name} is larger than max_size allows ({source.largest} bytes). Nothing was changed."
            )
        if watchdog.has_bitten:
            raise _too_slow(source)
        if getattr(answer, "length", None):
            raise http.client.IncompleteRead(b"", answer.length)


def _written(target: t.IO[bytes], data: bytes, place: str) -> int:
    try:
        return target.write(data)
    except OSError as error:
        error.filename = place  # distinguishes a full disk from a broken connection
        raise


def _too_slow(source: Source) -> RolloutError:
    return RolloutError(
        f"{source.name} could not be fetched within {source.deadline:g} s. Nothing was changed. Set download_timeout if "
        "the connection to the server is that slow."
    )


def _opened(source: Source, watchdog: _Watchdog) -> t.Any:
    request = urllib.request.Request(_bare(source.location), headers=dict(source.headers))
    opener = urllib.request.build_opener(
        _Redirects(source.headers), _Http(watchdog), _Https(watchdog, tls.context(source.validate_certs))
    )
    return opener.open(request, timeout=min(source.timeout, source.deadline))


def _bare(url: str) -> str:
    """Without the credentials, which go into a header."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _in_words(error: t.Any) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer was cut short"
    if isinstance(error, http.client.HTTPException):
        return f"an invalid HTTP response ({type(error).__name__})"
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason)
