"""What undoes or outlasts a drain: agent checks, and clients tied to a member."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

import pytest
from support.haproxy import Node, Slow, fetch, wait_until

COOKIE = "cookie SRV insert\n  option httpchk GET /health"
OPTIONS = "check inter 100 rise 2 fall 2 cookie"


class Agent:
    """An agent check's other end, which says whatever ``answer`` is."""

    def __init__(self) -> None:
        self.answer = "up"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, dummy = self._listener.accept()
                with stream:
                    stream.sendall(f"{self.answer}\n".encode())


@pytest.fixture
def agent() -> t.Iterator[Agent]:
    running = Agent()
    yield running
    running.stop()


def test_an_agent_that_undoes_the_drain_is_named(start: t.Any, make_balancer: t.Any, agent: Agent) -> None:
    options = f"check inter 100 agent-check agent-port {agent.port} agent-inter 100"
    node = start(options_of={"app1": options})
    balancer = make_balancer(node)
    wait_until(lambda: balancer.info()["members"]["app1"]["agent"], "the agent is seen")
    assert balancer.put("app1", state="drained").error == ""
    agent.answer = "ready"
    wait_until(lambda: node.admin_bits()["app1"] == 0, "the agent has put app1 back")
    slow = Slow(node, "app1", seconds=1)
    outcome = balancer.put("app1", state="drained")
    assert outcome.error == (
        f"lb1 {node.socket('admin')}: pool 'shop' did not reach the requested state: 'app1' was put back in service by its agent check, "
        "somebody else or a reload. Find out what changes it besides this call, then run again."
    )
    assert slow.finish() == 200
    assert outcome["notes"] == ["'app1' has an agent check, which may change its state or weight by itself."]


def test_clients_tied_to_a_drained_member_are_still_served_by_it(start: t.Any, make_balancer: t.Any) -> None:
    """Why a drain may never end, and what the advice in that error rests on."""
    node = start(server_options=OPTIONS.replace("cookie", "cookie x"), backend=COOKIE, members=2)
    balancer = make_balancer(node)
    tied = member_of(node, "SRV=x")
    assert balancer.put(tied, state="drained").error == ""
    assert member_of(node, "SRV=x") == tied
    assert balancer.put(tied, state="maintenance").error == ""
    assert member_of(node, "SRV=x") != tied


def member_of(node: Node, cookie: str) -> str:
    return fetch(node.port, "/", f"Cookie: {cookie}\r\n")[1]
