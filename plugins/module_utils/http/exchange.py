# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One TCP connection or one HTTP exchange, over a direct and fresh connection, under one deadline for all of it.

The time limits of the standard library count from byte to byte, so a server that sends one byte now and then
holds them open for ever. Here every wait is given what is left of the whole.
"""

from __future__ import annotations

import dataclasses
import http.client
import io
import re
import select
import socket
import ssl
import time
import typing as t
from urllib.parse import SplitResult, urljoin, urlsplit

LARGEST_BODY = 1024 * 1024
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
FIT_FOR_STRANGERS = ("accept", "user-agent")
"""Headers that may follow a redirect to another host; credentials may not."""


class BadRedirect(http.client.HTTPException):
    """A redirect that is not followed; the text says which, to follow 'answered with'."""


class Deadline:
    """A moment on the monotonic clock, *seconds* from now."""

    def __init__(self, seconds: float, clock: t.Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds that are left; TimeoutError when there are none."""
        left = self._end - self._clock()
        if left <= 0:
            raise socket.timeout("timed out")
        return left


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    tls: ssl.SSLContext | None
    follow_redirects: bool = False
    largest: int = LARGEST_BODY
    """Bytes of the answer's body that are read; what follows is left out."""


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str | None:
        """All values of a header, joined as HTTP allows; None where it is not there."""
        found = [value for given, value in self.headers if given.lower() == name.lower()]
        return ", ".join(found) if found else None


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a server listens: the *path* of a unix socket, or host and port."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def shown_host(self) -> str:
        """As it stands in a URL and in the Host header."""
        if self.path:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def connect(self, deadline: Deadline) -> socket.socket:
        if not self.path:
            return connect(self.host, self.port, deadline)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(deadline.left())
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        return connection


def address_of(text: str) -> Address | None:
    """Reads '/path', 'unix:/path', 'host:port', '[::1]:port' and 'http://host:port'; None where it is none of these."""
    plain = re.sub(r"^(http://|tcp://|unix://|unix:)", "", text.strip())
    if plain.startswith("/"):
        return Address(path=plain)
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.%]+)\]|([^\s:/\[\]]+)):([0-9]{1,5})/?", plain)
    if not match or not 0 < int(match.group(3)) < 65536:
        return None
    return Address(match.group(1) or match.group(2), int(match.group(3)))


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A TCP connection; OSError of the last address tried where none answers.

    Each address of the host gets its share of the time, so that a dead one does not use up a good one's.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = OSError(f"{host} has no address")
    for tried, (family, kind, protocol, _dummy, address) in enumerate(addresses):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(deadline.left() / (len(addresses) - tried))
            connection.connect(address)
            # A body is sent after its head: neither may wait for the other's acknowledgement.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def exchange(request: Request, deadline: Deadline) -> Answer:
    """The answer to a request, and to those that its redirects ask for; OSError or HTTPException where none comes."""
    for _dummy in range(MOST_REDIRECTS + 1):
        answer = _one_exchange(request, deadline)
        location = answer.header("Location")
        if not request.follow_redirects or answer.status not in REDIRECTS or location is None:
            return answer
        request = redirected(request, answer.status, location)
    raise http.client.HTTPException(f"more than {MOST_REDIRECTS} redirects")


def _one_exchange(request: Request, deadline: Deadline) -> Answer:
    connection = Connection(request.url, request.tls)
    try:
        connection.open(deadline)
        return connection.ask(
            dataclasses.replace(request, headers={"Connection": "close", **request.headers}), deadline
        )
    finally:
        connection.close()


class Connection:
    """A connection to the server of a URL; may be used for one exchange after another while *is_usable*."""

    def __init__(self, url: str, tls: ssl.SSLContext | None, address: Address | None = None) -> None:
        """*address* is where the server listens, where the URL does not say it."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._address = address or Address(self._host, self._port)
        self._tls = tls if parts.scheme == "https" else None
        self._http = http.client.HTTPConnection(
            self._host, self._port if parts.port or parts.scheme == "https" else None
        )
        if self._tls is not None:
            self._http.default_port = 443  # keeps ":443" out of the Host header
        self._socket: socket.socket | None = None

    def open(self, deadline: Deadline) -> None:
        """Connects, or reconnects if it was connected before."""
        self.close()
        self._socket = self._address.connect(deadline)
        if self._tls is not None:
            self._socket.settimeout(deadline.left())
            self._socket = self._tls.wrap_socket(self._socket, server_hostname=self._host)

    def ask(self, request: Request, deadline: Deadline) -> Answer:
        """One exchange; OSError or HTTPException where no whole answer comes, and then it cannot be used again."""
        if self._socket is None:
            raise OSError("not connected")
        self._http.sock = _Watched(self._socket, deadline)
        parts = urlsplit(request.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            self._http.request(request.method, path, body=request.body, headers=request.headers)
            response = self._http.getresponse()
            answer = Answer(response.status, _read(response, request.largest), tuple(response.getheaders()))
        except BaseException:
            self.close()
            raise
        if response.will_close or not response.isclosed():
            self.close()
        return answer

    @property
    def is_usable(self) -> bool:
        """Whether it is connected and the server has not closed it since; a server that says something unasked closes."""
        if self._socket is None:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self._http.close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _read(response: http.client.HTTPResponse, largest: int) -> bytes:
    body = response.read(largest)
    if response.length and len(body) < largest:
        raise http.client.IncompleteRead(body, response.length)
    return body


def redirected(request: Request, status: int, location: str) -> Request:
    """The request that a redirect asks for; credentials stay with the host that they were meant for."""
    url = urljoin(request.url, location)
    before, after = urlsplit(request.url), urlsplit(url)
    if after.scheme not in ("http", "https") or not after.hostname:
        raise BadRedirect("a redirect to something that is neither http nor https")
    if (before.scheme, after.scheme) == ("https", "http"):
        raise BadRedirect("a redirect from https to http, which is not followed")
    headers = request.headers
    is_elsewhere = _origin(before) != _origin(after)
    if is_elsewhere:
        headers = {name: value for name, value in headers.items() if name.lower() in FIT_FOR_STRANGERS}
    if status not in (307, 308):
        method = request.method if request.method == "HEAD" else "GET"
        return dataclasses.replace(request, url=url, headers=headers, method=method, body=None)
    if is_elsewhere and request.body is not None:
        raise BadRedirect(f"a redirect ({status}) that would send the request's body to another host")
    return dataclasses.replace(request, url=url, headers=headers)


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def in_words(error: Exception, seconds: float) -> str:
    """What went wrong, to follow the name of whom it went wrong with. *seconds* is the time that there was."""
    if isinstance(error, socket.timeout):
        return f"did not answer within {seconds:.3g} s"
    if isinstance(error, (http.client.RemoteDisconnected, http.client.IncompleteRead)):
        return "closed the connection before its answer was complete"
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection"
    if isinstance(error, ConnectionResetError):
        return "reset the connection"
    if isinstance(error, socket.gaierror):
        return f"could not be resolved ({error.strerror})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted ({error.verify_message})"
    if isinstance(error, BadRedirect):
        return f"answered with {error}"
    if isinstance(error, http.client.HTTPException):
        return f"sent an invalid HTTP response ({type(error).__name__}: {str(error).strip()})"
    if isinstance(error, OSError):
        return f"could not be reached ({error.strerror or error})"
    return f"sent an invalid response ({error})"


class _Watched:
    """As much of a socket as HTTPConnection uses, every wait limited by the deadline."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        unsent = memoryview(data)
        while unsent:
            self._connection.settimeout(self._deadline.left())
            unsent = unsent[self._connection.send(unsent) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_WatchedReader(self._connection, self._deadline))

    def close(self) -> None:
        """HTTPConnection closes before it reads when the server will; whoever opened the connection closes it."""


class _WatchedReader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        self._connection.settimeout(self._deadline.left())
        return self._connection.recv_into(buffer)
