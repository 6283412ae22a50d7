# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Changes of one pool from one host come one after the other.

Between reading that a member may be taken out and taking it out nobody else may take out another one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim, state_directory
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError


@contextlib.contextmanager
def pool_lock(balancer: Balancer, claim: Claim | None) -> t.Iterator[None]:
    """Waits for its turn; the lock is a file beside the claims."""
    directory = (claim and claim.directory) or state_directory()
    with _open(directory, balancer) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _open(directory: str, balancer: Balancer) -> t.IO[str]:
    digest = hashlib.sha256(f"{balancer.where}\n{balancer.pool}".encode()).hexdigest()[:16]
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        return open(os.path.join(directory, f"pool-{digest}.lock"), "a", encoding="utf-8")
    except OSError as error:
        raise RolloutError(
            f"{directory}: cannot keep the lock for pool '{balancer.pool}' there ({error.strerror}). Use become, or "
            "point XDG_STATE_HOME at a directory that this user may write to."
        ) from error
