#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_migration
short_description: Record a database migration in the ledger
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Claims a database for one run, whichever service the run belongs to, and records what came of the migration.
  - The contract phase begins only once every host of the service is on a version that can do without what is removed; hosts
    that are skipped, out of scope or gone count by the version last proven on them. Afterwards no rollout and no rollback
    may lead to a version that needs it.
extends_documentation_fragment:
  - steady.rollout.ledger
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
    description: What is recorded.
    type: str
    choices: [begun, done, failed]
    required: true
  database:
    description: The database's name, the same for all services that use it.
    type: str
    required: true
  phase:
    description: The phase.
    type: str
    choices: [expand, migrate, contract]
    required: true
  version:
    description: Where the database stands by its migration tool's word.
    type: str
  applied:
    description: For O(state=done), whether anything was applied.
    type: bool
    default: false
  irreversible:
    description: For O(state=done), that no earlier version can run after this phase, although it is no contract.
    type: bool
    default: false
  versions:
    description: The versions of the service that can do without what a contract removes. The rollout's own version if not given.
    type: list
    elements: str
    default: []
  services:
    description: The same for other services that use the database, as lists of versions by service.
    type: dict
    default: {}
  keep_for:
    description: How long what is removed is kept after the last host has left the versions that need it.
    type: str
    default: "0"
  lost:
    description: What a contract removes, in words, for messages.
    type: str
  error:
    description: For O(state=failed), why.
    type: str
  hosts:
    description: The hosts of the fleet with what a probe found on them just now, as for O(steady.rollout.rollout#module:hosts).
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: Take the lease
  steady.rollout.rollout: {state: opened, service: shop, version: "2.0.0", ledger: /tmp/steady-example}
  register: opened

- name: Claim the database for the expand phase
  steady.rollout.rollout_migration:
    state: begun
    service: shop
    ledger: /tmp/steady-example
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    database: shop on db1
    phase: expand

- name: Record that it is done
  steady.rollout.rollout_migration:
    state: done
    service: shop
    ledger: /tmp/steady-example
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    database: shop on db1
    phase: expand
    version: 7ad1e0c9b2f4
    applied: true
"""

RETURN = r"""
msg:
  description: What was recorded, or why the contract waits.
  type: str
  returned: always
go:
  description: Whether the phase may begin.
  type: bool
  returned: O(state=begun)
interrupted:
  description: Whether an earlier run began the phase and never reported how it ended.
  type: bool
  returned: O(state=begun)
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_migration as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "state": {"type": "str", "choices": ["begun", "done", "failed"], "required": True},
        "database": {"type": "str", "required": True},
        "phase": {"type": "str", "choices": ["expand", "migrate", "contract"], "required": True},
        "version": {"type": "str"},
        "applied": {"type": "bool", "default": False},
        "irreversible": {"type": "bool", "default": False},
        "versions": {"type": "list", "elements": "str", "default": []},
        "services": {"type": "dict", "default": {}},
        "keep_for": {"type": "str", "default": "0"},
        "lost": {"type": "str"},
        "error": {"type": "str"},
        "hosts": {"type": "list", "elements": "dict"},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
