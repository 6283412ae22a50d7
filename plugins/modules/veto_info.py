#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: veto_info
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Check the veto rules for taking hosts out of service
description:
  - Checks the rules of C(rollout_veto) for each of the given hosts, as a rollout does before it takes one out of service.
  - Made for the role P(steady.rollout.rollout#role), whose settings it takes; it may change with it. It runs on the
    controller, as an action plugin.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - Checks the rules in check mode too.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  hosts:
    description: The hosts, by their names in the inventory.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check the veto rules
  steady.rollout.veto_info:
    hosts: "{{ groups['databases'] }}"
  run_once: true
  register: asked
"""

RETURN = r"""
objections:
  description: The objection to each host that has one, by host.
  type: dict
  returned: always
text:
  description: A line for each answer.
  type: list
  elements: str
  returned: always
"""

SPEC = {
    "argument_spec": {
        "hosts": {"type": "list", "elements": "str", "required": True},
    },
    "supports_check_mode": True,
}
