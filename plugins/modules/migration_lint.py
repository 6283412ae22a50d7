#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_lint
short_description: Find what is unsafe in database migrations before they run
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
description:
  - Reads migrations in SQL for PostgreSQL or MySQL and MariaDB, and names every statement that would block users, break the
    version that still runs, or lose data, with the safe way to the same end.
  - What is safe depends on the phase. A column may be dropped in the contract phase, once no host runs a version that
    uses it, and not before.
  - A statement that cannot be understood is reported as V(cannot_tell), an error in the phases V(expand) and V(contract)
    and a warning in V(migrate). It is never passed over.
  - "A finding is accepted by a comment above the statement, C(-- lint: allow drop_column because nobody reads it since 2.3).
    It is still returned, with that reason."
  - Files of dbmate are read up to C(-- migrate:down); C(transaction:false) there is respected.
  - It runs on the controller, as an action plugin, and changes nothing.
requirements:
  - sqlglot (Python package on the controller)
  - squawk (program on the controller; optional, for PostgreSQL)
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
options:
  files:
    description:
      - Files to read, relative to the playbook, its C(files) folder or the inventory. Give them, O(sql) or both.
    type: list
    elements: str
    default: []
  sql:
    description: Statements to judge, such as the output of C(alembic upgrade head --sql).
    type: str
  database:
    description: The database that they are for. MariaDB counts as V(mysql).
    type: str
    choices: [postgresql, mysql]
    default: postgresql
  phase:
    description:
      - V(expand) runs before any host is updated, V(migrate) copies data while both versions run, V(contract) removes what
        no version uses any more.
    type: str
    choices: [expand, migrate, contract]
    default: expand
  transaction:
    description: Whether the migration tool runs a file in one transaction. What a file says itself takes precedence.
    type: bool
    default: true
  traffic:
    description:
      - V(paused) allows what only makes users wait, because the connection pooler is paused meanwhile.
      - V(stopped) also allows what breaks the running version, because no instance of the service runs.
    type: str
    choices: [normal, paused, stopped]
    default: normal
  squawk:
    description: Whether the findings of squawk are merged, where it is installed. Only for PostgreSQL.
    type: bool
    default: true
  server_version:
    description: Version of PostgreSQL for squawk, such as V(15).
    type: str
  fail_on:
    description: From which severity on the module fails.
    type: str
    choices: [error, warning, never]
    default: error
seealso:
  - name: Squawk
    description: A linter for migrations of PostgreSQL.
    link: https://squawkhq.com
"""

EXAMPLES = r"""
- name: Judge what runs before the first host is updated
  steady.rollout.migration_lint:
    sql: |
      ALTER TABLE orders ADD COLUMN note text;
      CREATE INDEX CONCURRENTLY orders_note ON orders (note);
    transaction: false

- name: See what is unsafe, without failing
  steady.rollout.migration_lint:
    sql: ALTER TABLE orders DROP COLUMN note;
    fail_on: never
  register: judged

- name: Judge a contract for MariaDB
  steady.rollout.migration_lint:
    sql: ALTER TABLE orders DROP COLUMN note, ALGORITHM=INPLACE, LOCK=NONE;
    database: mysql
    phase: contract
"""

RETURN = r"""
msg:
  description: The findings, one line each, and a summary.
  type: str
  returned: always
findings:
  description: All findings in the order of files and lines.
  type: list
  elements: dict
  returned: always
  contains:
    file:
      description: The file, or V(sql).
      type: str
    line:
      description: The line where the statement begins.
      type: int
    rule:
      description: The rule's name; squawk's own begin with C(squawk:).
      type: str
    severity:
      description: V(error) or V(warning).
      type: str
    message:
      description: What goes wrong and the safe way.
      type: str
    statement:
      description: The beginning of the statement.
      type: str
    accepted:
      description: The reason why a comment accepts it; empty where none does.
      type: str
    found_by:
      description: Who has found it, V(steady.rollout) or V(squawk).
      type: list
      elements: str
errors:
  description: Number of errors that are not accepted.
  type: int
  returned: always
warnings_found:
  description: Number of warnings that are not accepted.
  type: int
  returned: always
statements:
  description: Number of statements read.
  type: int
  returned: always
"""

SPEC = {
    "argument_spec": {
        "files": {"type": "list", "elements": "str", "default": []},
        "sql": {"type": "str"},
        "database": {"type": "str", "choices": ["postgresql", "mysql"], "default": "postgresql"},
        "phase": {"type": "str", "choices": ["expand", "migrate", "contract"], "default": "expand"},
        "transaction": {"type": "bool", "default": True},
        "traffic": {"type": "str", "choices": ["normal", "paused", "stopped"], "default": "normal"},
        "squawk": {"type": "bool", "default": True},
        "server_version": {"type": "str"},
        "fail_on": {"type": "str", "choices": ["error", "warning", "never"], "default": "error"},
    },
}
