#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: check_settings
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Find mistakes in the settings of a rollout
description:
  - Reads every setting of the role P(steady.rollout.rollout#role) as one host has it, and the task files that settings name.
    Fails with one sentence for each that cannot work, which says what to do, before a lease is taken or a host is asked.
  - It finds misspelt settings, missing task files and artifacts, versions that YAML made numbers, and settings that do not fit
    together. What hosts and load balancers show is read by M(steady.rollout.fleet_info).
  - Made for the role, whose settings it takes from the variables of the host; it may change with it. It runs on the
    controller, as an action plugin.
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
    description: The hosts of the fleet.
    type: list
    elements: str
    required: true
  direction:
    description: Whether the fleet goes V(forward) to a version, V(back), or is only put back in service (V(recover)).
    type: str
    choices: [forward, back, recover]
    default: forward
  operation:
    description: What is done to hosts whose version stays, as for M(steady.rollout.rollout); then no version has to be named.
    type: str
  strategy:
    description: What moves the traffic, V(canary) or V(blue_green); nothing for a rolling deployment.
    type: str
"""

EXAMPLES = r"""
- name: Refuse settings that cannot work
  steady.rollout.check_settings:
    hosts: "{{ groups['fleet'] }}"
  run_once: true
"""

RETURN = r"""
errors:
  description: One sentence for each mistake.
  type: list
  elements: str
  returned: always
msg:
  description: All of them.
  type: str
  returned: always
"""

SPEC = {
    "argument_spec": {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "direction": {"type": "str", "choices": ["forward", "back", "recover"], "default": "forward"},
        "operation": {"type": "str"},
        "strategy": {"type": "str"},
    },
}
