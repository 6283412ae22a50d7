# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All seeded bugs."""

from __future__ import annotations

import seeded_balancers
import seeded_controller
import seeded_flags
import seeded_hosts
import seeded_judge
import seeded_ledger
import seeded_metrics
import seeded_operations
import seeded_pools
import seeded_release
import seeded_restore_timer
import seeded_revisions
import seeded_roles
import seeded_veto

SUBJECTS = (
    seeded_ledger,
    seeded_operations,
    seeded_hosts,
    seeded_release,
    seeded_restore_timer,
    seeded_judge,
    seeded_metrics,
    seeded_pools,
    seeded_balancers,
    seeded_controller,
    seeded_roles,
    seeded_revisions,
    seeded_flags,
    seeded_veto,
)
MUTANTS = tuple(mutant for subject in SUBJECTS for mutant in subject.MUTANTS)
