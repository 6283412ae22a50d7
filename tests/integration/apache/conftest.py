# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Apache for every test."""

from __future__ import annotations

import functools
import pathlib
import typing as t

import pytest
from support.apache import Apache
from support.caller import Caller
from support.fixtures import directory, starting, state_directory
from support.real_balancer import BusyMember

__all__ = ["directory", "state_directory"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = Apache.missing()
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def start(directory: pathlib.Path) -> t.Iterator[t.Callable[..., Apache]]:
    """Starts it with the options given; the test's end stops it."""
    with starting(functools.partial(Apache, directory, BusyMember)) as start_one:
        yield start_one


@pytest.fixture
def node(start: t.Callable[..., Apache]) -> Apache:
    return start()


@pytest.fixture
def shop(node: Apache) -> Caller:
    return Caller(node.settings())
