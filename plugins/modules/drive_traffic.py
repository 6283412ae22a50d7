#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: drive_traffic
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Move traffic between two groups of hosts, as the ledger says
description:
  - Asks the ledger what comes next in a shift of traffic, does it on every load balancer at the same time, and
    reports what came of it, until hosts have to be changed, steps of the user's have to judge, or all is over.
  - Made for the role P(steady.rollout.rollout#role); it may change with it. It runs on the controller, as an action
    plugin.
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.ledger
  - steady.rollout.ledger.coordinator
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call goes on where the rollout stands.
options:
  claim:
    description: The claim that goes with every change, as for M(steady.rollout.lb_weight).
    type: dict
  shift:
    description: The shift as M(steady.rollout.rollout) has planned it.
    type: dict
    required: true
  hosts:
    description: The hosts of the fleet.
    type: list
    elements: str
    required: true
  played:
    description: What hosts were changed for just before, RV(act) of the pass before.
    type: str
  judged:
    description: The outcome of the user's steps, with RV(hook), RV(asked) and C(failure), to go on after them.
    type: dict
"""

EXAMPLES = r"""
- name: Move the traffic until hosts have to be changed
  steady.rollout.drive_traffic:
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
    coordinator: localhost
    shift: "{{ plan.shift }}"
    hosts: "{{ groups['fleet'] }}"
  register: pass
"""

RETURN = r"""
act:
  description:
    - What comes next, V(prepare), V(promote), V(demote) or V(revert) for hosts, V(bake) for steps of the user's, or
      V(over).
  type: str
  returned: always
hosts:
  description: The hosts to change now.
  type: list
  elements: str
  returned: always
hook:
  description: The user's task file that has to judge, with C(step), C(path) and the C(verdict) so far; empty otherwise.
  type: dict
  returned: always
asked:
  description: The ledger's last answer.
  type: dict
  returned: always
stage:
  description: The number of the step.
  type: int
  returned: success
share:
  description: The candidate's share of the traffic in percent.
  type: float
  returned: success
"""

SPEC = {
    "argument_spec": {
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "coordinator": {"type": "str", "required": True},
        "coordinator_become": {"type": "bool"},
        "claim": {"type": "dict"},
        "shift": {"type": "dict", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "played": {"type": "str"},
        "judged": {"type": "dict"},
    },
}
