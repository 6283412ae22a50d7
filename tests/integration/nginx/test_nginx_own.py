# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is nginx's own: its file, its check, its reload, and the workers that a reload leaves behind."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import time
import typing as t

from support.caller import Caller
from support.haproxy import fetch, wait_until
from support.nginx import Nginx
from support.real_balancer import SHOP, SlowRequests

ALL = set(SHOP)
REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"


@contextlib.contextmanager
def connected(node: Nginx, clients: int = 1, begin: bytes = b"") -> t.Iterator[list[socket.socket]]:
    """Clients that are connected and have sent no more than *begin* of a request; all of them are accepted."""
    with contextlib.ExitStack() as stack:
        streams = [
            stack.enter_context(socket.create_connection(("127.0.0.1", node.port), timeout=10))
            for dummy in range(clients)
        ]
        for stream in streams:
            stream.sendall(begin)
        fetch(node.port)
        yield streams


def answer(stream: socket.socket) -> str:
    return b"".join(iter(lambda: stream.recv(65536), b"")).decode().partition("\r\n\r\n")[2]


def test_the_file_keeps_everything_else(node: Nginx, shop: Caller) -> None:
    before = node.upstream_file.read_text()
    mode = node.upstream_file.stat().st_mode
    shop.put("app2", state="drained")
    drained = before.replace("; # member=app2", " down; # member=app2")
    assert node.upstream_file.read_text() == drained
    shop.put("app3", state="maintenance")
    assert node.upstream_file.read_text() == drained.replace(
        "; # member=app3", " down; # member=app3 state=maintenance"
    )
    shop.call(states={"app2": "in_service", "app3": "in_service"})
    assert node.upstream_file.read_text() == before
    assert node.upstream_file.stat().st_mode == mode


def test_a_client_that_has_not_asked_yet_is_waited_for(node: Nginx, shop: Caller) -> None:
    with connected(node, clients=8) as clients:
        outcome = shop.put("app1", state="drained", timeout=1)
        assert "'app1' may still get the requests of 8 clients that are connected to " in outcome.error
        assert "nginx processes that a reload left behind" in outcome.error
        for client in clients:
            client.sendall(REQUEST)
        # This is why: they are served by the configuration from before the drain.
        assert "app1" in {answer(client) for client in clients}
    again = shop.put("app1", state="drained")
    assert (again.error, again["changed"]) == ("", False)


def test_an_upload_that_has_not_been_sent_on_is_waited_for(node: Nginx, shop: Caller) -> None:
    head = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000\r\n\r\n"
    with connected(node, begin=head + b"x" * 10):
        outcome = shop.put("app1", state="drained", timeout=0.5)
        assert "'app1' may still get the requests of 1 clients" in outcome.error
    assert shop.put("app1", state="drained").error == ""


def test_what_others_have_in_flight_is_not_waited_for(node: Nginx, shop: Caller) -> None:
    shop.put("app1", state="drained")
    held = SlowRequests(node, "app2")
    outcome = shop.put("app3", state="drained", timeout=15)
    assert node.members["app2"].in_flight > 0
    assert outcome.error == ""
    assert held.finish() == {200}


def break_elsewhere(main: pathlib.Path, line: str) -> None:
    """Puts a line into the http block."""
    sound, anchor = main.read_text(), "proxy_http_version 1.1;"
    assert anchor in sound
    main.write_text(sound.replace(anchor, f"{anchor} {line}"))


def test_a_configuration_that_is_broken_elsewhere(node: Nginx, shop: Caller) -> None:
    before = node.upstream_file.read_text()
    main = node.directory / "nginx.conf"
    break_elsewhere(main, "nonsense on;")
    outcome = shop.put("app1", state="drained")
    assert outcome.error.startswith('lb1 nginx: nginx -t refuses the configuration: unknown directive "nonsense" in ')
    assert outcome["changed"] is False
    assert node.upstream_file.read_text() == before
    assert node.answered_by() == ALL


def test_a_file_that_nginx_does_not_read(node: Nginx) -> None:
    copy = node.directory / "copy.conf"
    copy.write_text(node.upstream_file.read_text())
    outcome = Caller({**node.settings(), "upstream_file": str(copy)}).put("app1", state="drained")
    assert outcome.error == (
        f"lb1 nginx: nginx does not read {copy}: none of its 4 configuration files includes it. "
        "Correct balancer.upstream_file, or include the file in nginx.conf."
    )
    assert "down" not in copy.read_text()


def test_a_reload_that_nginx_refuses(node: Nginx) -> None:
    """A port that is taken: 'nginx -t' does not see it, the reload fails, the old workers go on."""
    before = node.upstream_file.read_text()
    main = node.directory / "nginx.conf"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        line = f"server {{ listen 127.0.0.1:{taken.getsockname()[1]}; }}"
        break_elsewhere(main, line)
        outcome = Caller({**node.settings(), "timeout": 1}).put("app1", state="drained")
    assert outcome.error == (
        "lb1 nginx: nginx did not replace its workers within 1 s of a reload. Its error log says why; a longer "
        f"balancer.timeout helps where its start takes longer. {node.upstream_file} is restored."
    )
    assert node.upstream_file.read_text() == before
    assert outcome["members"]["app1"]["after"] == "in_service"
    assert node.answered_by() == ALL


def test_a_change_that_was_written_and_not_loaded(node: Nginx, shop: Caller) -> None:
    """As a call leaves it that is killed in between, or an operator who forgot to reload."""
    time.sleep(0.1)  # more than the kernel's clock steps, within which the workers would seem to have started after it
    text = node.upstream_file.read_text()
    node.upstream_file.write_text(text.replace("; # member=app1", " down; # member=app1"))
    assert node.answered_by() == ALL
    assert shop.info()["notes"][1] == (
        f"{node.upstream_file} was changed after nginx had last read it: the changes take effect with the next reload."
    )
    check = shop.put("app1", state="drained", check_mode=True)
    outcome = shop.put("app1", state="drained")
    again = shop.put("app1", state="drained")
    assert [one["changed"] for one in (check, outcome, again)] == [True, True, False]
    assert node.answered_by() == ALL - {"app1"}
    assert len(shop.info()["notes"]) == 1


def test_an_operator_who_drains_by_hand(node: Nginx, shop: Caller) -> None:
    text = node.upstream_file.read_text()
    node.upstream_file.write_text(text.replace("; # member=app1", " down; # member=app1"))
    node.reload()
    outcome = shop.put("app1", state="maintenance", expected_states=["in_service"])
    assert outcome["drained_externally"] == ["app1"]
    assert shop.states()["app1"] == "drained"


def test_a_symbolic_link_stays_one(node: Nginx) -> None:
    link = node.directory / "link.conf"
    link.symlink_to(node.upstream_file)
    linked = Caller({**node.settings(), "upstream_file": str(link)})
    assert linked.put("app1", state="drained").error == ""
    assert link.is_symlink()
    assert node.answered_by() == ALL - {"app1"}


def test_nginx_that_has_died(node: Nginx, shop: Caller) -> None:
    workers = node.active_workers()
    os.kill(node.master(), signal.SIGKILL)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    pid_file = node.directory / "nginx.pid"
    wait_until(lambda: "not running" in shop.info().error, "nginx is gone")
    assert shop.put("app1", state="drained").error == (
        f"lb1 nginx: nginx is not running: {pid_file} names no master process of nginx. "
        "Start it, or correct balancer.pid_file."
    )
