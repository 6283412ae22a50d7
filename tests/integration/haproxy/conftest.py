"""A real HAProxy for every test, and the modules' cores on it."""

from __future__ import annotations

import typing as t

import pytest
from support import haproxy
from support.cores import Outcome, call_core
from support.fixtures import directory, state_directory
from support.haproxy import Node

from ansible_collections.steady.rollout.plugins.modules import lb_member, lb_member_info

__all__ = ["directory", "state_directory"]

StartNode = t.Callable[..., Node]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if haproxy.BINARY is None:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="no haproxy binary on this machine; install the package haproxy"))


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[StartNode]:
    """Starts nodes; the test's end stops them."""
    nodes: list[Node] = []

    def start_node(**options: t.Any) -> Node:
        node = Node(tmp_path_factory.mktemp("lb"), **options)
        nodes.append(node)
        return node.__enter__()

    yield start_node
    for node in nodes:
        node.__exit__()


@pytest.fixture
def node(start: StartNode) -> Node:
    """Three checked members, all up."""
    return start()


class Balancer:
    """The modules as a playbook uses them, on one node."""

    def __init__(self, node: Node, **settings: t.Any) -> None:
        self.settings = {
            "host": "lb1",
            "socket": node.socket("admin"),
            "master_socket": node.socket("master"),
            "pool": "shop",
            **settings,
        }

    def call(self, **options: t.Any) -> Outcome:
        return call_core(lb_member, balancer=dict(self.settings), **options)

    def put(self, *members: str, state: str, **options: t.Any) -> Outcome:
        return self.call(members=list(members), state=state, **options)

    def put_states(self, states: dict[str, str], **options: t.Any) -> Outcome:
        return self.call(states=states, **options)

    def info(self, **options: t.Any) -> Outcome:
        return call_core(lb_member_info, balancer=dict(self.settings), **options)


@pytest.fixture
def make_balancer() -> type[Balancer]:
    return Balancer


@pytest.fixture
def balancer(node: Node) -> Balancer:
    return Balancer(node)
