# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchanges over real connections: where redirects lead, and what a bad server can do to a client."""

from __future__ import annotations

import http.client
import socket
import threading
import typing as t
from pathlib import Path

import pytest
from support.serving import serving

from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.http.exchange import (
    Address,
    BadRedirect,
    Deadline,
    Request,
)

SECRET = b'{"password": "s3cret"}'


def post(url: str, **more: t.Any) -> Request:
    return Request("POST", url, {"Authorization": "Bearer t", "Accept": "x/y"}, SECRET, None, True, **more)


def redirecting(status: int, location: str) -> t.Callable[[str, socket.socket], None]:
    head = f"HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    return lambda dummy, connection: connection.sendall(head.encode())


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_sends_no_password_to_another_host(status: int) -> None:
    heads: list[str] = []
    with serving(lambda head, connection: heads.append(head)) as stranger, serving(
        redirecting(status, f"http://127.0.0.1:{stranger}/")
    ) as port, pytest.raises(BadRedirect) as caught:
        client.exchange(post(f"http://127.0.0.1:{port}/login"), Deadline(5))
    assert heads == []
    assert client.in_words(caught.value, 5) == (
        f"answered with a redirect ({status}) that would send the request's body to another host"
    )


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_to_the_same_host_keeps_method_and_body(status: int) -> None:
    request = client.redirected(post("http://app:8080/login"), status, "/next")
    assert (request.url, request.method, request.body) == ("http://app:8080/next", "POST", SECRET)
    assert request.headers == {"Authorization": "Bearer t", "Accept": "x/y"}


@pytest.mark.parametrize("status", [301, 302, 303])
def test_other_redirects_send_no_body_and_no_credentials_to_another_host(status: int) -> None:
    request = client.redirected(post("http://app:8080/login"), status, "http://other/")
    assert (request.method, request.body, request.headers) == ("GET", None, {"Accept": "x/y"})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_leads_from_https_to_http(status: int) -> None:
    request = Request("GET", "https://app/", {}, None, None, True)
    with pytest.raises(BadRedirect, match="a redirect from https to http, which is not followed"):
        client.redirected(request, status, "http://app/")


@pytest.mark.parametrize(("before", "after"), [("http://a/", "http://a:80/x"), ("https://a:443/", "https://a/x")])
def test_a_port_that_goes_without_saying_is_the_same_host(before: str, after: str) -> None:
    assert client.redirected(post(before), 307, after).body == SECRET


def test_no_more_than_the_limit_is_read() -> None:
    def endless(dummy: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with serving(endless) as port:
        answer = client.exchange(
            Request("GET", f"http://127.0.0.1:{port}/", {}, None, None, largest=1000), Deadline(10)
        )
    assert answer.body == b"x" * 1000


def test_a_body_that_nobody_reads_ends_with_the_deadline() -> None:
    release = threading.Event()
    with serving(lambda head, connection: t.cast("None", release.wait(20))) as port, pytest.raises(socket.timeout):
        client.exchange(Request("PUT", f"http://127.0.0.1:{port}/", {}, b"x" * 50_000_000, None), Deadline(0.5))
    release.set()


def test_a_unix_socket_is_an_address_like_others(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        threading.Thread(target=_answer_once, args=(listening,), daemon=True).start()
        connection = client.Connection("http://localhost/", None, Address(path=str(path)))
        connection.open(Deadline(5))
        assert connection.ask(Request("GET", "http://localhost/stats", {}, None, None), Deadline(5)).body == b"ok"
        connection.close()


def _answer_once(listening: socket.socket) -> None:
    connection, dummy = listening.accept()
    with connection:
        assert connection.recv(4096).startswith(b"GET /stats HTTP/1.1\r\nHost: localhost\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/run/envoy/admin.sock", Address(path="/run/envoy/admin.sock")),
        ("unix:/run/a", Address(path="/run/a")),
        ("127.0.0.1:9901", Address("127.0.0.1", 9901)),
        ("http://lb1:80/", Address("lb1", 80)),
        ("[::1]:80", Address("::1", 80)),
        ("lb1", None),
        ("lb1:0", None),
        ("lb1:70000", None),
        ("lb1:80\n", Address("lb1", 80)),
        ("lb 1:80", None),
        ("", None),
    ],
)
def test_addresses(text: str, address: Address | None) -> None:
    assert client.address_of(text) == address


def test_a_server_that_says_nothing_proper() -> None:
    with serving(lambda head, connection: connection.sendall(b"\x00\xff garbage\r\n\r\n")) as port, pytest.raises(
        http.client.HTTPException
    ):
        client.exchange(Request("GET", f"http://127.0.0.1:{port}/", {}, None, None), Deadline(5))


def test_five_redirects_are_followed_and_no_more() -> None:
    heads: list[str] = []

    def again(head: str, connection: socket.socket) -> None:
        heads.append(head)
        redirecting(302, "/again")(head, connection)

    with serving(again) as port, pytest.raises(http.client.HTTPException, match="more than 5 redirects"):
        client.exchange(Request("GET", f"http://127.0.0.1:{port}/", {}, None, None, True), Deadline(20))
    assert len(heads) == 6


@pytest.mark.parametrize("location", ["ftp://app/x", "file:///etc/passwd", "gopher://app/"])
def test_only_http_is_followed(location: str) -> None:
    with pytest.raises(BadRedirect, match="a redirect to something that is neither http nor https"):
        client.redirected(post("http://app/"), 302, location)


def test_half_an_answer_is_none() -> None:
    def half(dummy: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")

    with serving(half) as port, pytest.raises(http.client.IncompleteRead) as caught:
        client.exchange(Request("GET", f"http://127.0.0.1:{port}/", {}, None, None), Deadline(20))
    assert client.in_words(caught.value, 20) == "closed the connection before its answer was complete"


def test_every_read_is_held_to_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"x")
    passed = Deadline(0.0, lambda: 0.0)
    with ours, theirs, pytest.raises(socket.timeout):
        client._WatchedReader(ours, passed).readinto(bytearray(1))


def test_a_connection_on_which_something_waits_is_not_used_again() -> None:
    ours, theirs = socket.socketpair()
    connection = client.Connection("http://app/", None)
    connection._socket = ours
    with theirs:
        assert connection.is_usable
        theirs.sendall(b"x")
        assert not connection.is_usable
    connection.close()
    assert not connection.is_usable


def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed, socket.create_server(("127.0.0.1", 0)) as listening:
        closed.bind(("127.0.0.1", 0))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each.getsockname()) for each in (closed, listening)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *dummy, **options: found)
        with client.connect("app", 80, Deadline(20)) as connection:
            assert connection.getpeername() == listening.getsockname()
