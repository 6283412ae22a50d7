# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executors as an action plugin uses them, over a real sshd."""

from __future__ import annotations

import os
import subprocess
import typing as t

import pytest
from support import sshd
from support.executing import Controller
from support.sshd import Sshd


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = f"{', '.join(sshd.MISSING)} missing" if sshd.MISSING else "" if os.geteuid() == 0 else "needs root"
    if why:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture
def controller(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Controller]:
    """Its directory has a short name: a ControlPath is a socket, and those may not be long."""
    directory = tmp_path_factory.mktemp("c")
    one = Controller(directory)
    yield one
    for path in (directory / "a" / "cp").glob("*"):
        subprocess.run(["ssh", "-S", str(path), "-O", "exit", "x"], stderr=subprocess.DEVNULL, check=False)


@pytest.fixture(scope="session")
def plain() -> t.Iterator[Sshd]:
    with Sshd() as server:
        yield server
