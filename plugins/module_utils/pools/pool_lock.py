# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Changes of one pool from one host come one after the other.

Between reading that a member may be taken out and taking it out nobody else may take out another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError


@contextlib.contextmanager
def pool_lock(balancer: Balancer, claim: Claim | None) -> t.Iterator[None]:
    """Waits for its turn; the lock is a file beside the claims."""
    directory = (claim and claim.directory) or claims.claims_directory()
    digest = hashlib.sha256(f"{balancer.where}\n{balancer.pool}".encode()).hexdigest()[:16]
    what = f"pool '{balancer.pool}' of {balancer.where}"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(claims.lock(directory, f"pool-{digest}", what))
        except OSError as error:
            raise RolloutError(
                f"{directory}: the lock for pool '{balancer.pool}' cannot be kept there ({error.strerror or error}). "
                "Use become, or set XDG_STATE_HOME to a directory that this user may write to."
            ) from error
        yield
