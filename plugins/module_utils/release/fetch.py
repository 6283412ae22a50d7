# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Brings a release's artifact to the host as one local file, with its checksum."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import re
import socket
import ssl
import threading
import typing as t
import urllib.error
import urllib.request
from urllib.parse import SplitResult, unquote, urlsplit

from ansible_collections.steady.rollout.plugins.module_utils.checksums import checksum_of
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.http import tls
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import shown_url, split_url
from ansible_collections.steady.rollout.plugins.module_utils.release.archive import LARGEST, ArtifactError
from ansible_collections.steady.rollout.plugins.module_utils.release.pack import pack

CHUNK = 1024 * 1024
SCHEMES = ("http", "https", "file")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where an artifact comes from: a local path or a URL."""

    location: str
    checksum: str | None = None
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: float = 60.0
    """Seconds that a server may be silent."""
    deadline: float = 1800.0
    """Seconds for all of a download."""
    largest: int = LARGEST
    validate_certs: bool = True

    @property
    def scheme(self) -> str:
        """http, https, file or, for a plain path, nothing."""
        return scheme_of(self.location)

    @property
    def is_remote(self) -> bool:
        return self.scheme in ("http", "https")

    @property
    def path(self) -> str:
        """The local path of a source that is one."""
        return unquote(urlsplit(self.location).path) if self.scheme == "file" else self.location

    @property
    def name(self) -> str:
        """The source as it may be shown."""
        return shown_url(self.location) if self.is_remote else self.path


def scheme_of(location: str) -> str:
    return location.partition("://")[0].lower() if "://" in location else ""


def check_source(source: Source) -> None:
    """InputError where the source cannot be right as written."""
    if source.scheme and source.scheme not in SCHEMES:
        raise InputError(f"source: '{source.scheme}://' is not known; use a path or an http, https or file URL.")
    if source.is_remote and not (split_url(source.location) or SplitResult("", "", "", "", "")).hostname:
        raise InputError("source: the URL has no host or is not well formed.")
    if source.is_remote and not source.checksum:
        raise InputError(f"checksum is needed for {source.name}: sha256: and 64 hexadecimal digits.")
    if source.checksum and not re.fullmatch(r"sha256:[0-9a-f]{64}", source.checksum):
        raise InputError(f"checksum: '{source.checksum}' is not sha256: and 64 hexadecimal digits.")


def fetch(source: Source, place: str) -> tuple[str, str]:
    """A local archive of the source and its checksum, checked where one is expected.

    Downloads to *place*, and packs a directory there; a local archive is used where it is.
    """
    if source.is_remote:
        checksum = _download(source, place)
        path = place
    elif os.path.isdir(source.path):
        if source.checksum:
            raise InputError(f"checksum: {source.path} is a directory, and a checksum is that of a file; leave it out.")
        pack(source.path, place)
        path, checksum = place, checksum_of(place)
    elif os.path.isfile(source.path):
        path, checksum = source.path, checksum_of(source.path)
    else:
        raise InputError(f"source: there is no file or directory {source.path} on this host.")
    refuse_other_checksum(source, checksum)
    return path, checksum


def refuse_other_checksum(source: Source, found: str) -> None:
    """ArtifactError where the file found is not the one meant."""
    if source.checksum and source.checksum != found:
        raise ArtifactError(
            f"{source.name} is not the file that was meant: expected checksum {source.checksum}, found {found}. "
            "Build or copy it again, or correct the checksum; nothing was changed."
        )


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


def _download(source: Source, place: str) -> str:
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
        "the way to the server is that slow."
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
        return f"no proper HTTP answer ({type(error).__name__})"
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason)
