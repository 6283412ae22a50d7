#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_claim
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Leave or release the claim of a rollout on several hosts at the same time
description:
  - Runs M(steady.rollout.rollout_claim) on each of the hosts, at the same time, each with the settings of its connection.
  - It runs on the controller, as an action plugin.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  hosts:
    description: The hosts, as the inventory names them.
    type: list
    elements: str
    required: true
  state:
    description: As O(steady.rollout.rollout_claim#module:state).
    type: str
    choices: [present, absent]
    default: present
  service:
    description: The service that the claim is for.
    type: str
    required: true
  ledger_id:
    description: The ledger's identity, as returned by M(steady.rollout.rollout) with O(steady.rollout.rollout#module:state=opened).
    type: str
    required: true
  token:
    description: The run's fencing token, as returned with it.
    type: int
    required: true
  coordinator:
    description: The coordinator's name, shown to another one that finds the claim.
    type: str
  directory:
    description: As O(steady.rollout.rollout_claim#module:directory), expanded on each host.
    type: str
  take_over:
    description: Take the claim from another coordinator. Use it only when that coordinator's run is dead for good.
    type: bool
    default: false
  balancers:
    description: The load balancers, as C(rollout_balancers), on whose hosts a restore timer is armed with the claim.
    type: list
    elements: dict
  restore_after:
    description: As O(steady.rollout.restore_timer#module:after); V(0) arms none.
    type: str
    default: "0"
  restore_timers:
    description: For O(state=absent), the hosts whose timers are disarmed, as RV(armed) was returned.
    type: list
    elements: str
  refused:
    description: As O(steady.rollout.restore_timer#module:refused).
    type: bool
    default: false
seealso:
  - module: steady.rollout.rollout_claim
  - module: steady.rollout.restore_timer
"""

EXAMPLES = r"""
- name: Take the lease
  steady.rollout.rollout: {state: opened, service: shop, version: "2.0.0", ledger: /tmp/steady-example}
  register: opened

- name: Leave the claim at every balancer
  steady.rollout.fleet_claim:
    hosts: [lb1, lb2]
    service: shop
    ledger_id: "{{ opened.ledger_id }}"
    token: "{{ opened.token }}"
    coordinator: "{{ opened.coordinator }}"
  register: claims
  run_once: true
"""

RETURN = r"""
taken_over:
  description: What another ledger has left drained, as O(steady.rollout.rollout#module:taken_over).
  type: list
  elements: dict
  returned: always
armed:
  description: The hosts on which a restore timer is armed now.
  type: list
  elements: str
  returned: always
reports:
  description: What restore timers have done since the previous claim, as RV(steady.rollout.restore_timer#module:reports).
  type: list
  elements: dict
  returned: always
"""

SPEC = {
    "argument_spec": {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "service": {"type": "str", "required": True},
        "ledger_id": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "coordinator": {"type": "str"},
        "directory": {"type": "str"},
        "take_over": {"type": "bool", "default": False},
        "balancers": {"type": "list", "elements": "dict"},
        "restore_after": {"type": "str", "default": "0"},
        "restore_timers": {"type": "list", "elements": "str"},
        "refused": {"type": "bool", "default": False},
    },
}
