#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_info
short_description: Read the ledger and verify its history
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Shows who holds which service, the rollouts, the hosts of the newest one, the history, and the hosts still drained by a rollout.
  - Verifies the hash chain of the whole history each time. That shows damage, not forgery, since whoever may write the
    ledger can recompute the hashes. O(anchor) shows forgery, too.
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.attributes.info_module
options:
  service:
    description: Only this service. Hosts and gates are shown only with it.
    type: str
  ledger:
    description: Directory of the ledger, as for O(steady.rollout.rollout#module:ledger).
    type: path
  anchor:
    description:
      - The newest event's number and hash as C(anchor) of an earlier plan, conclusion or RV(chain), kept outside the ledger.
        The answer says whether the history still has that event.
    type: str
  limit:
    description: How many events and rollouts to return, the newest ones.
    type: int
    default: 50
seealso:
  - module: steady.rollout.rollout
"""

EXAMPLES = r"""
- name: Read the ledger of the service
  steady.rollout.rollout_info:
    service: shop
    ledger: /tmp/steady-example
  register: found

- name: Show it
  ansible.builtin.debug:
    var: found.text
"""

RETURN = r"""
msg:
  description: The first line of RV(text).
  type: str
  returned: success
ledger:
  description: The ledger's file.
  type: str
  returned: success
ledger_id:
  description: The ledger's identity.
  type: str
  returned: success
services:
  description: Each service with its C(holder), whether the lease C(is_held), its C(token) and its newest C(rollout).
  type: list
  elements: dict
  returned: success
holder:
  description: Who holds the lease of O(service).
  type: dict
  returned: success
rollouts:
  description: The rollouts, the newest first.
  type: list
  elements: dict
  returned: success
hosts:
  description: The hosts of the newest rollout of O(service), in planned order.
  type: list
  elements: dict
  returned: success
shift:
  description:
    - The shift of traffic that the newest rollout is, if it is one, with C(strategy), C(live), C(candidate), C(phase), C(step), the
      C(split) that every node was last seen to have, the C(moves) with their verdicts, and C(text).
  type: dict
  returned: success
blocks:
  description: What blocks O(service), or any service, at present; see M(steady.rollout.rollout_control).
  type: list
  elements: dict
  returned: success
flag_release:
  description:
    - The last release by a feature flag, if it is more recent than any rollout, with C(flag), C(place),
      C(steps), C(phase), C(step) starting at 0, C(percent) and C(text).
  type: dict
  returned: success
release:
  description:
    - The last release of several services that O(service) was part of, with C(id), C(direction), C(outcome), C(reason),
      the C(services) with their C(state), and C(text); see M(steady.rollout.rollout_tiers).
  type: dict
  returned: success
flags:
  description: What the last rollouts did to feature flags, with C(flag), C(place), C(goal), C(status), C(error), C(at) and C(text).
  type: list
  elements: dict
  returned: success
host_seconds:
  description:
    - How long the hosts took that the last rollouts of O(service) proved, in seconds, from admission to their return to
      service, as C(median) and C(p95) (what 95 % of them took at most) of so many C(hosts).
  type: dict
  returned: success
gates:
  description: Its gates.
  type: list
  elements: dict
  returned: success
measurements:
  description:
    - What M(steady.rollout.metric_gate) measured for its gates, the newest, in the order they were made.
    - C(step), C(metric), C(source), the C(query) and the C(answer), the C(outcome) and C(why) nothing was measured.
  type: list
  elements: dict
  returned: success
events:
  description: The newest events, in the order they happened.
  type: list
  elements: dict
  returned: success
chain:
  description:
    - Whether the history is C(intact), which event it is damaged at (C(broken_at)), how many C(events) it has, its C(anchor) now,
      and with O(anchor) whether it C(anchor_matches).
  type: dict
  returned: success
left_out:
  description: Hosts that a rollout drained and that were not seen back in service, with the versions C(proven) there.
  type: list
  elements: dict
  returned: success
bad:
  description: Versions marked bad, and why.
  type: list
  elements: dict
  returned: success
text:
  description: The lines of a status screen.
  type: list
  elements: str
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_info as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "service": {"type": "str"},
        "ledger": {"type": "path"},
        "limit": {"type": "int", "default": 50},
        "anchor": {"type": "str"},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
