# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests on real load balancers; a conftest.py imports what it needs."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
import typing as t

import pytest

LOCK = "ansible_collections.steady.rollout.plugins.module_utils.claims.claims_directory"


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
