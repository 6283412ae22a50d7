#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate_database
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Run phases of a database migration within a rollout
description:
  - Reads what is pending, judges it with the linter, claims the database in the ledger, migrates on the host that has
    the tool, and records what came of it.
  - Made for the role P(steady.rollout.rollout#role); it may change with it. It runs on the controller, as an action
    plugin.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - What is pending is read and judged; nothing is migrated or recorded.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  phases:
    description: The phases, one after the other; where one has to wait, the next ones do too.
    type: list
    elements: str
    choices: [expand, migrate, contract]
    required: true
  migrations:
    description: The settings, as C(rollout_migrations).
    type: dict
    required: true
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
    default: ""
  token:
    description: Its token.
    type: int
    default: 0
  coordinator:
    description: The host that has the ledger.
    type: str
    default: localhost
  coordinator_become:
    description: Whether to become another user there.
    type: bool
  traffic:
    description: Whether the service gets traffic during the migration, as for O(steady.rollout.migration_lint#module:traffic).
    type: str
    choices: [normal, stopped]
    default: normal
  claim:
    description: The claim that goes with every change, as for M(steady.rollout.migration).
    type: dict
  hosts:
    description: The hosts of the fleet as M(steady.rollout.fleet_info) returned them.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Run the migrations that come before any host
  steady.rollout.migrate_database:
    phases: [expand]
    migrations: "{{ rollout_migrations }}"
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
"""

RETURN = r"""
msg:
  description: What was done, or why a contract waits.
  type: str
  returned: always
go:
  description: Whether all phases were allowed to run.
  type: bool
  returned: success
blockers:
  description: Sessions that held a lock that the migration waited for.
  type: list
  elements: str
  returned: when something was applied
"""

SPEC = {
    "argument_spec": {
        "phases": {
            "type": "list",
            "elements": "str",
            "choices": ["expand", "migrate", "contract"],
            "required": True,
        },
        "migrations": {"type": "dict", "required": True, "no_log": False},
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "default": ""},
        "token": {"type": "int", "default": 0, "no_log": False},
        "coordinator": {"type": "str", "default": "localhost"},
        "coordinator_become": {"type": "bool"},
        "traffic": {"type": "str", "choices": ["normal", "stopped"], "default": "normal"},
        "claim": {"type": "dict"},
        "hosts": {"type": "list", "elements": "dict", "default": []},
    },
}
