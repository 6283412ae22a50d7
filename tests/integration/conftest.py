# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests through Ansible have in common."""

from __future__ import annotations

import os
import typing as t

import pytest


@pytest.fixture(params=["in the worker", "as a module"])
def way(request: pytest.FixtureRequest) -> dict[str, t.Any]:
    """Keywords of a play that decide where the core runs: who becomes another user is sent a module."""
    if request.param == "in the worker":
        return {}
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user without a password")
    return {"become": True, "become_user": "root", "become_method": "ansible.builtin.su"}
