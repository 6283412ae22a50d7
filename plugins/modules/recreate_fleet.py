#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: recreate_fleet
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Stop all hosts behind a maintenance page, migrate, and start the new version
description:
  - Shows the page, drains and stops all hosts, backs up and migrates the database, starts the new version, verifies it behind
    the page and removes the page. Where a step fails, the old version is brought back before the page is removed.
  - Made for the role P(steady.rollout.recreate#role), whose settings it takes from each host's variables; it may
    change with it. It runs on the controller, as an action plugin.
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
    description: The claim that goes with every change, as for M(steady.rollout.lb_member).
    type: dict
  hosts:
    description: The hosts of the fleet.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Stop everything, migrate, and start the new version
  steady.rollout.recreate_fleet:
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
    coordinator: localhost
    hosts: "{{ groups['fleet'] }}"
"""

RETURN = r"""
journal:
  description: The steps, each with its C(step), C(seconds), C(summary) and C(failure).
  type: list
  elements: dict
  returned: always
downtime:
  description: How long users were without the service, in seconds.
  type: float
  returned: when the version was started
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
        "hosts": {"type": "list", "elements": "str", "required": True},
    },
}
