# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of a pool at a time, and those of other pools beside it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import types
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.pools.pool_lock import pool_lock


def test_every_pool_of_a_balancer_has_a_lock_of_its_own(tmp_path: pathlib.Path) -> None:
    claim = Claim("shop", "5e1f", 1, directory=str(tmp_path))
    with contextlib.ExitStack() as stack:
        for pool in ("shop", "api"):
            balancer = types.SimpleNamespace(where="lb1", pool=pool)
            stack.enter_context(pool_lock(t.cast("t.Any", balancer), claim))
        assert len(os.listdir(tmp_path)) == 2
