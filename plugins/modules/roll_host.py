#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: roll_host
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Roll out to one host, up to the next task file of the user's
description:
  - Stages the release, waits for admission by the ledger, drains the host on every load balancer, updates it, waits
    until it is healthy, returns it to service and reports it. A host that fails is rolled back at once.
  - It returns before each task file of the user's (RV(hook)) and is called again with O(done)
    after it. Made for the role P(steady.rollout.rollout#role); it may change with it.
  - It runs on the controller, as an action plugin, and reaches the host, the balancers and the coordinator by itself.
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
  host:
    description: The host of the fleet.
    type: str
    required: true
  claim:
    description: The claim that goes with every change, as for M(steady.rollout.lb_member).
    type: dict
  restore_timers:
    description: The balancers' hosts on which M(steady.rollout.fleet_claim) has armed a timer.
    type: list
    elements: str
  planned:
    description:
      - The version that the plan means for the host, with its revision; with it the release is staged before the host is admitted.
    type: str
  require_weight:
    description: Whether a host that returns must have a weight, so that it gets traffic.
    type: bool
    default: true
  last_gate:
    description: Run the gate of the last stage, if it is still to be run, instead of rolling the host.
    type: bool
    default: false
  shared:
    description: Options that are the same for all hosts, in one dictionary that is evaluated once for all of them.
    type: dict
  done:
    description:
      - What this module returned when it was called for the host before, its C(journal) and its C(hook), and the C(failure) of
        that task file where it failed.
    type: dict
"""

EXAMPLES = r"""
- name: Roll the host until the next task file of yours
  steady.rollout.roll_host:
    host: "{{ inventory_hostname }}"
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
    coordinator: localhost
  register: rolled
"""

RETURN = r"""
hook:
  description: The task file that is due, with its C(step) and C(path); empty when the host is done.
  type: dict
  returned: always
environment:
  description: Variables for the tasks of that file, with which their modules check on the host that no later run has taken over.
  type: dict
  returned: always
journal:
  description: The steps so far, each with its C(step), C(seconds), C(summary), C(result) and C(failure).
  type: list
  elements: dict
  returned: always
target:
  description: The C(version) and the C(revision) that the host is on its way to.
  type: dict
  returned: always
previous:
  description: Those that were proven on it before.
  type: dict
  returned: always
stage:
  description: The stage whose gate is being run.
  type: int
  returned: always
"""

SPEC = {
    "argument_spec": {
        "host": {"type": "str", "required": True},
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "coordinator": {"type": "str", "required": True},
        "coordinator_become": {"type": "bool"},
        "claim": {"type": "dict"},
        "restore_timers": {"type": "list", "elements": "str"},
        "planned": {"type": "str"},
        "require_weight": {"type": "bool", "default": True},
        "last_gate": {"type": "bool", "default": False},
        "shared": {"type": "dict"},
        "done": {"type": "dict"},
    },
}
