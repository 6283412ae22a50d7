# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that answer without end, slowly or with a lot, and options that somebody has prepared.

Each question has one deadline for all of it and a limit of bytes, whatever the server does in between.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
import typing as t

import pytest
from support.serving import serving

from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache import backend as apache
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache import manager
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import admin
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import backend as haproxy
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import protocol
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Selector
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.pools.maintenance_page import wanted_page

TIMEOUT = 0.3
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


def drip(_head: str, connection: socket.socket) -> None:
    """A byte now and then: each of them comes within the time limit of a single read."""
    connection.sendall(HEAD)
    for _byte in range(100):
        connection.sendall(b" ")
        time.sleep(TIMEOUT / 5)


def flood(_head: str, connection: socket.socket) -> None:
    connection.sendall(HEAD)
    while True:
        connection.sendall(b" " * 65536)


def ask_apache(port: int) -> object:
    site = manager.Site(f"http://127.0.0.1:{port}/balancer-manager", TIMEOUT)
    return manager.Manager(site, "lb1").page()


def ask_envoy(port: int) -> object:
    return admin.HttpAdmin(client.Address("127.0.0.1", port), "lb1", TIMEOUT).ask(["/clusters?format=json"])


@pytest.mark.parametrize("ask", [ask_apache, ask_envoy])
def test_an_answer_byte_by_byte_ends_with_the_deadline(ask: t.Callable[[int], object]) -> None:
    with serving(drip) as port, pytest.raises(Unreachable) as caught:
        ask(port)
    assert f"did not answer within {TIMEOUT:g} s" in caught.value.message


@pytest.mark.parametrize(
    ("ask", "limit"), [(ask_apache, (manager, "LARGEST_PAGE")), (ask_envoy, (admin, "LARGEST_ANSWER"))]
)
def test_an_answer_without_end_is_cut_off(
    ask: t.Callable[[int], object], limit: tuple[t.Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*limit, 100_000)
    monkeypatch.setitem(globals(), "TIMEOUT", 20.0)
    with serving(flood) as port, pytest.raises(RolloutError) as caught:
        ask(port)
    assert "longer than 100000 bytes" in caught.value.message


@contextlib.contextmanager
def command_line(send: t.Callable[[socket.socket], None]) -> t.Iterator[protocol.Address]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            with contextlib.suppress(OSError):
                send(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield protocol.Address(host="127.0.0.1", port=server.server_address[1])
        server.shutdown()


def test_haproxy_byte_by_byte_ends_with_the_deadline() -> None:
    with command_line(lambda stream: drip("", stream)) as address, pytest.raises(Unreachable) as caught:
        protocol.SocketCli(address, "lb1", TIMEOUT).ask(["show info"])
    assert caught.value.message == (
        "lb1: HAProxy did not answer within 0.3 s. Is the process alive and the host reachable?"
    )


def test_haproxy_without_end_is_cut_off() -> None:
    with command_line(lambda stream: flood("", stream)) as address, pytest.raises(RolloutError) as caught:
        protocol.SocketCli(address, "lb1", 20.0).ask(["show info"])
    assert caught.value.message == "lb1: the answer is longer than 16777216 bytes. Is this HAProxy's socket?"


@pytest.mark.parametrize("option", ["manager_url", "status_url"])
def test_a_password_in_a_url_is_refused_and_not_shown(option: str) -> None:
    urls = {"manager_url": "http://127.0.0.1/balancer-manager", option: "http://ops:s3cret@127.0.0.1/balancer-manager"}
    with pytest.raises(InputError) as caught:
        apache.open_apache(apache_settings(**urls))
    assert caught.value.message == (
        f"balancer.{option}: must not hold a user or password, since addresses are shown. Give balancer.manager_user and "
        "balancer.manager_password."
    )


def apache_settings(**changes: t.Any) -> dict[str, t.Any]:
    common = {"pool": "shop", "timeout": 5.0, "manager_user": "", "manager_password": None, "validate_certs": True}
    return {**common, "manager_url": "http://127.0.0.1/balancer-manager", **changes}


@pytest.mark.parametrize("pool", ["shop\n", "", "a b", 'shop"', "shop]", "../shop"])
def test_a_pool_that_is_no_name_is_refused_before_it_stands_in_a_configuration(pool: str) -> None:
    with pytest.raises(InputError) as caught:
        apache.open_apache(apache_settings(pool=pool))
    assert caught.value.message == (
        f"balancer.pool: {pool!r} cannot be the name of a balancer; letters, digits and - _ . ~ can."
    )


@pytest.mark.parametrize(
    "give",
    [
        lambda: haproxy.open_haproxy({"pool": "shop\n", "timeout": 5.0, "socket": "/run/a.sock"}),
        lambda: protocol.parse_address("lb1:9999\nset server", "balancer.socket"),
        lambda: Selector.given("x-canary\n", None, "green"),
        lambda: Selector.given("x-canary", None, "green\n"),
        lambda: Selector.given(None, "canary\n", "green"),
        lambda: wanted_page({"body": "sorry", "content_type": "text/html\n", "retry_after": 1}),
    ],
    ids=["pool", "address", "header", "value", "cookie", "content_type"],
)
def test_a_line_break_at_the_end_is_refused(give: t.Callable[[], object]) -> None:
    with pytest.raises(InputError):
        give()
