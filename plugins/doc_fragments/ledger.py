# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a rollout's ledger is, which run calls, and how an action plugin reaches it."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description: The service whose fleet is rolled. One rollout per service at a time.
    type: str
    required: true
  ledger:
    description:
      - Directory of the ledger on the coordinator.
      - Without it C(/var/lib/steady-rollout) for root, C($XDG_STATE_HOME/steady-rollout) for others.
    type: path
  run:
    description: The run that holds the lease, as returned by M(steady.rollout.rollout) with O(steady.rollout.rollout#module:state=opened).
    type: str
    required: true
  token:
    description: Its fencing token, as returned with the run.
    type: int
    required: true
"""

    COORDINATOR = r"""
options:
  coordinator:
    description: The host that has the ledger.
    type: str
    required: true
  coordinator_become:
    description: Whether to become another user there.
    type: bool
"""
