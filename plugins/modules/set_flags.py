#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: set_flags
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Turn the feature flags of a rollout off or on
description:
  - Turns the flags of C(rollout_flags) off before the first host is touched, or on once the whole fleet is proven, each change on
    record in the ledger before it is made.
  - Made for the role P(steady.rollout.rollout#role); it may change with it. It runs on the controller, as an action
    plugin. The flags are read from the role's variables, so that their keys are in no task.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  moment:
    description:
      - V(begin), before the first host, turns them off and fails where that is refused or impossible.
      - V(rollback), before the first host is rolled back, turns them off as well, never fails, and ends in time.
      - V(finish), at the end of a run, turns off those that a rollback of this run or an earlier one could not turn off.
      - V(end) does the same, and turns the flags on if the whole fleet, as it is now, is proven.
    type: str
    choices: [begin, rollback, finish, end]
    required: true
  fleet:
    description: The hosts of the fleet.
    type: list
    elements: str
    default: []
  service:
    description: The service.
    type: str
    required: true
  ledger:
    description: Where the ledger is on the coordinator, as for M(steady.rollout.rollout).
    type: path
  run:
    description: The run, as M(steady.rollout.rollout) returned it.
    type: str
    required: true
  token:
    description: Its token.
    type: int
    required: true
  coordinator:
    description: The host that has the ledger.
    type: str
    default: localhost
  coordinator_become:
    description: Whether to become another user there.
    type: bool
  hosts:
    description: With V(end), the hosts as M(steady.rollout.fleet_info) returned them.
    type: list
    elements: dict
  balancers:
    description: The load balancers likewise.
    type: list
    elements: dict
  nodes:
    description: The nodes that shift traffic likewise.
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: Turn the flags off before the first host
  steady.rollout.set_flags:
    moment: begin
    fleet: [app1, app2]
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
"""

RETURN = r"""
msg:
  description: What could not be done.
  type: str
  returned: always
failures:
  description: For each flag that could not be turned on or off, a sentence with the command to run.
  type: list
  elements: str
  returned: success
"""

SPEC = {
    "argument_spec": {
        "moment": {"type": "str", "choices": ["begin", "rollback", "finish", "end"], "required": True},
        "fleet": {"type": "list", "elements": "str", "default": []},
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "coordinator": {"type": "str", "default": "localhost"},
        "coordinator_become": {"type": "bool"},
        "hosts": {"type": "list", "elements": "dict"},
        "balancers": {"type": "list", "elements": "dict"},
        "nodes": {"type": "list", "elements": "dict"},
    },
}
