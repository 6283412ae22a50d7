#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_claim
short_description: Leave or release the claim of a rollout where it changes things
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Runs on each load balancer's host and on each host of the fleet. Two coordinators that do not share a ledger are
    detected there, and a run that was replaced changes nothing any more.
  - Needs no ledger on that host.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) leaves this run's claim; it is refused where another coordinator's or a later run's claim is in force.
      - V(fenced) only makes the token known on the host, so that every older run of the service is refused there, and
        returns RV(environment) for the tasks that are to be refused, too.
      - V(absent) releases it, so that any coordinator may claim the service.
    type: str
    choices: [present, fenced, absent]
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
    description: Where the claim is kept. The same default as for O(steady.rollout.rollout#module:ledger).
    type: path
  take_over:
    description: Take the claim from another coordinator. Use it only when that coordinator's run is dead for good.
    type: bool
    default: false
seealso:
  - module: steady.rollout.rollout
"""

EXAMPLES = r"""
- name: Take the lease
  steady.rollout.rollout: {state: opened, service: shop, version: "2.0.0", ledger: /tmp/steady-example}
  register: opened

- name: Claim the service where its traffic is changed
  steady.rollout.rollout_claim:
    service: shop
    ledger_id: "{{ opened.ledger_id }}"
    token: "{{ opened.token }}"
    coordinator: "{{ opened.coordinator }}"
    directory: /tmp/steady-example/claims

- name: Make the token known on a host
  steady.rollout.rollout_claim:
    state: fenced
    service: shop
    ledger_id: "{{ opened.ledger_id }}"
    token: "{{ opened.token }}"
    directory: /tmp/steady-example/claims
  register: fenced

- name: Change the host, unless a later run has taken over
  ansible.builtin.command: date
  environment: "{{ fenced.environment }}"

- name: Release it
  steady.rollout.rollout_claim:
    state: absent
    service: shop
    ledger_id: "{{ opened.ledger_id }}"
    token: "{{ opened.token }}"
    directory: /tmp/steady-example/claims
"""

RETURN = r"""
msg:
  description: What happened, in one line.
  type: str
  returned: always
claim_before:
  description: The claim found there.
  type: dict
  returned: O(state=present)
environment:
  description:
    - Variables for a task's C(environment). With them every module in Python checks the claim on the host itself, before
      it does anything, and fails once a later run has taken over.
    - Modules that are no Python, such as M(ansible.builtin.raw), and a task that sets C(PYTHONPATH) itself do not check it.
  type: dict
  returned: O(state=fenced)
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_claim as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["present", "fenced", "absent"], "default": "present"},
        "service": {"type": "str", "required": True},
        "ledger_id": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "coordinator": {"type": "str"},
        "directory": {"type": "path"},
        "take_over": {"type": "bool", "default": False},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
