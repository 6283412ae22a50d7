# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option that says for which rollout a load balancer is changed."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  claim:
    description:
      - The rollout that makes the change, as recorded in its ledger. The call is refused where the service is claimed
        by another coordinator or by a later run.
    type: dict
    suboptions:
      service:
        description: The service's name.
        type: str
        required: true
      ledger:
        description: The identity of the ledger.
        type: str
        required: true
      token:
        description: The fencing token of the run.
        type: int
        required: true
      coordinator:
        description: The coordinator's name, for messages.
        type: str
        default: ""
      directory:
        description:
          - Where claims are kept on this host. V(/var/lib/steady-rollout-claims) for root.
          - Other users use that directory too if they may write to it (give it a group and mode V(2775)). Otherwise they
            keep claims in V($XDG_STATE_HOME/steady-rollout), and a claim of root's still takes precedence.
        type: path
"""
