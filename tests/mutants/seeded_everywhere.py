# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All seeded bugs."""

from __future__ import annotations

import seeded
import seeded_hosts
import seeded_judge
import seeded_pools
import seeded_roles

MUTANTS = (*seeded.MUTANTS, *seeded_hosts.MUTANTS, *seeded_judge.MUTANTS, *seeded_pools.MUTANTS, *seeded_roles.MUTANTS)
