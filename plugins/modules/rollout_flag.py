#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_flag
short_description: Record what a rollout does to feature flags
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Returns whether a flag may be changed now, and records the intent before the change and its outcome, for the next run.
  - A flag may be turned on only when every host that gets traffic is proven on the version and in service on every load balancer.
  - With O(state=killed) needs no lease. It is what M(steady.rollout.feature_flag) calls for its service.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call is recorded.
options:
  state:
    description:
      - V(begun) asks and records the intent, V(done) that the flag was read back as set, V(failed) that it was not.
      - V(killed) records that somebody has killed it, pauses the rollout under way, and keeps it from turning the flag on.
    type: str
    choices: [begun, done, failed, killed]
    required: true
  service:
    description: The service whose fleet is rolled.
    type: str
    required: true
  ledger:
    description: Directory of the ledger, as for O(steady.rollout.rollout#module:ledger).
    type: path
  run:
    description: The run that holds the lease.
    type: str
  token:
    description: Its token.
    type: int
  flag:
    description: The flag.
    type: str
    required: true
  goal:
    description: What it is to be.
    type: str
    choices: ["on", "off"]
  place:
    description: Where it is, for messages.
    type: str
    default: ""
  found:
    description: With O(goal=off), what it is now.
    type: str
  refuse:
    description: Whether a rollout that begins is refused while the flag is on.
    type: bool
    default: false
  left:
    description: With O(goal=off), whether to turn the flag off only if a rollback could not.
    type: bool
    default: false
  error:
    description: With V(failed), why.
    type: str
  reason:
    description: With V(killed), why.
    type: str
  hosts:
    description: With O(goal=on), the hosts as M(steady.rollout.fleet_info) returned them.
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
  owner:
    description: With V(killed), who did it, for the history.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Ask whether the flag may be turned on
  steady.rollout.rollout_flag:
    state: begun
    goal: "on"
    flag: checkout_v2
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
    hosts: "{{ survey.hosts }}"
    balancers: "{{ survey.balancers }}"
"""

RETURN = r"""
msg:
  description: What was recorded, or why the flag stays as it is.
  type: str
  returned: always
go:
  description: Whether the flag may be changed now.
  type: bool
  returned: O(state=begun)
why:
  description: Why not. With O(state=done) and O(goal=on), why it has to be turned off again.
  type: str
  returned: O(state=begun) and O(state=done)
tried:
  description: Whether this run has tried the same already, in vain.
  type: bool
  returned: O(state=begun)
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_flag as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["begun", "done", "failed", "killed"], "required": True},
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str"},
        "token": {"type": "int", "no_log": False},
        "flag": {"type": "str", "required": True},
        "goal": {"type": "str", "choices": ["on", "off"]},
        "place": {"type": "str", "default": ""},
        "found": {"type": "str"},
        "refuse": {"type": "bool", "default": False},
        "left": {"type": "bool", "default": False},
        "error": {"type": "str"},
        "reason": {"type": "str"},
        "hosts": {"type": "list", "elements": "dict"},
        "balancers": {"type": "list", "elements": "dict"},
        "nodes": {"type": "list", "elements": "dict"},
        "owner": {"type": "dict", "default": {}},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
