# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests on real load balancers; a conftest.py imports what it needs."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
import typing as t

import pytest
from support.real_balancer import RealBalancer

Node = t.TypeVar("Node", bound=RealBalancer)
LOCK = "ansible_collections.steady.rollout.plugins.module_utils.claims.claims_directory"


@contextlib.contextmanager
def starting(make: t.Callable[..., Node]) -> t.Iterator[t.Callable[..., Node]]:
    """What makes and starts a load balancer, with the options given; all that it started are stopped at the end."""
    with contextlib.ExitStack() as stack:

        def start_one(*words: t.Any, **options: t.Any) -> Node:
            node = make(*words, **options)
            stack.callback(node.stop)
            node.start()
            return node

        yield start_one


@pytest.fixture
def directory() -> t.Iterator[pathlib.Path]:
    """One that other users may look into, which pytest's own may not be; with a short path, for sockets."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="contract-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(autouse=True)
def state_directory(directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks and claims go to the test's own directory, one for each user."""
    directory.chmod(0o1777)
    monkeypatch.setattr(LOCK, lambda: str(directory / f"state-{os.geteuid()}"))
