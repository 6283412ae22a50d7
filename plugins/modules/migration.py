#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration
short_description: Run a database migration tool with limits for locks
version_added: 0.1.0
description:
  - Reads the version of a database from its migration tool, applies what is pending, or migrates back. It runs on the
    host that has the tool.
  - A migration waits for its locks for O(lock_timeout) only, since all queries wait behind it, and is tried again. The
    result names the sessions that held the lock.
  - After an interruption the tool's own version decides; this module remembers nothing.
author:
  - The steady.rollout maintainers (@steady-rollout)
requirements:
  - The migration tool; for O(tool=sql) and for the names of blocking sessions C(psql) or C(mariadb).
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.claim
attributes:
  check_mode:
    support: full
    details:
      - The tool is asked what is pending.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description:
      - V(read) returns the version and what is pending.
      - V(applied) applies what is pending up to O(target).
      - V(reverted) migrates back to O(target).
      - V(batched) repeats O(batch) until it changes nothing more, for at most O(batch_time).
    type: str
    choices: [read, applied, reverted, batched]
    default: read
  tool:
    description:
      - Which migration tool. V(sql) applies files by the database's own client, C(NAME.sql) forward and C(NAME.down.sql) back,
        in the order of their names, each in a transaction unless its first line says C(-- transaction:false). The
        table C(steady_migrations) has what was applied.
      - V(commands) is any tool by O(commands).
    type: str
    choices: [alembic, dbmate, django, sql, commands]
    required: true
  commands:
    description:
      - For O(tool=commands), the command lines C(version), C(pending), C(apply), C(down) and C(sql).
      - C(pending) exits with 0 if nothing is pending and with 1 if something is, and may print names. C(version) prints where
        the database stands. C(sql) prints the pending statements. C($target) in a word is O(target).
    type: dict
  program:
    description: The tool's command where it is not simply in C(PATH), such as V(/opt/shop/venv/bin/alembic -c db/alembic.ini).
    type: str
  chdir:
    description: The directory to run the tool in.
    type: path
  directory:
    description: The directory of the migrations, for dbmate and O(tool=sql). A relative one is below O(chdir).
    type: str
  target:
    description:
      - Where to go to, in the tool's words. A revision for alembic, an app or an app and a migration for Django, the name
        of a file for O(tool=sql). Without it everything is applied, or reverted.
      - dbmate has no target forward; give each phase a O(directory).
    type: str
  database_url:
    description:
      - Address of the database, such as V(postgresql://shop@db1/shop). The tool gets it as C(DATABASE_URL), and C(PGHOST) and so on.
    type: str
    required: true
  environment:
    description: More environment variables for the tool. They count as secrets.
    type: dict
    default: {}
  lock_timeout:
    description:
      - How long a statement may wait for a lock. For PostgreSQL it reaches every tool that uses C(PGOPTIONS); for MySQL only
        O(tool=sql), so set C(lock_wait_timeout) in the tool's own configuration.
    type: str
    default: 5s
  attempts:
    description: How often a migration is tried that does not get its lock.
    type: int
    default: 5
  pause:
    description: How long to wait between two attempts.
    type: str
    default: 5s
  timeout:
    description: How long one run of the tool may take; then it is terminated.
    type: str
    default: 1h
  with_sql:
    description: Whether O(state=read) returns the pending statements.
    type: bool
    default: false
  expected_pending:
    description:
      - For O(state=applied), the migrations that may be applied; if others are pending, nothing is. Give what O(state=read) has
        returned if somebody has judged that since.
    type: list
    elements: str
  pooler:
    description:
      - Holds all queries in PgBouncer while the database is changed, for a change that takes seconds and would otherwise
        break queries, such as swapping two tables. Each run of the tool that changes something is enclosed in C(PAUSE)
        and C(RESUME); a pause that is not granted in time counts as a lock that could not be acquired.
      - Queries continue however the tool ends, even if this module is killed. O(database_url) must be the address of
        PostgreSQL itself, not of the pooler.
    type: dict
    suboptions:
      urls:
        description:
          - Address of the console of each PgBouncer, such as V(postgresql://admin:secret@db1:6432/pgbouncer). The user must be
            one of C(admin_users).
        type: list
        elements: str
        required: true
      database:
        description: The name of the database in PgBouncer; defaults to that of O(database_url).
        type: str
      wait:
        description: How long to wait for open transactions to end. New queries are held meanwhile.
        type: str
        default: 5s
      limit:
        description: How long queries are held at most. After that the tool is terminated.
        type: str
        default: 30s
      resume:
        description:
          - Whether to end an existing pause first, which an interrupted run may have left behind. Otherwise an existing
            pause is an error.
        type: bool
        default: false
  batch:
    description: For O(state=batched), one statement that changes a bounded number of rows and none once all is done.
    type: str
  batch_pause:
    description: How long to wait between two batches.
    type: str
    default: 100ms
  batch_time:
    description: How long to work in one call.
    type: str
    default: 5s
"""

EXAMPLES = r"""
- name: Read where the database stands
  steady.rollout.migration:
    tool: sql
    directory: /opt/shop/migrations
    database_url: "{{ shop_database_url }}"
  register: database

- name: Apply what is pending, waiting at most 3 seconds for a lock
  steady.rollout.migration:
    state: applied
    tool: alembic
    program: /opt/shop/venv/bin/alembic
    chdir: /opt/shop/current
    target: 7ad1e0c9b2f4
    database_url: "{{ shop_database_url }}"
    lock_timeout: 3s
    attempts: 10

- name: Swap the old table for the new one while PgBouncer holds all queries
  steady.rollout.migration:
    state: applied
    tool: sql
    directory: /opt/shop/swap
    database_url: "{{ shop_database_url }}"
    pooler:
      urls: ["{{ shop_pooler_url }}"]
      limit: 10s

- name: Copy a column in batches
  steady.rollout.migration:
    state: batched
    tool: dbmate
    directory: db/migrations
    database_url: "{{ shop_database_url }}"
    batch: >-
      UPDATE orders SET total_cents = total * 100
      WHERE id IN (SELECT id FROM orders WHERE total_cents IS NULL LIMIT 1000)
    batch_time: 1m
  register: copied
  until: copied.finished
  retries: 100
  delay: 0
"""

RETURN = r"""
msg:
  description: What was done, in one line.
  type: str
  returned: always
version_before:
  description: Where the database stood, in the tool's words.
  type: str
  returned: always
version:
  description: Where it stands now.
  type: str
  returned: always
pending:
  description: Migrations that are pending now; with a failure and in check mode those that were.
  type: list
  elements: str
  returned: always
sql:
  description: The pending statements, with O(with_sql).
  type: str
  returned: always
attempts:
  description: How often it was tried.
  type: int
  returned: always
blockers:
  description: Sessions that held a lock that the migration waited for.
  type: list
  elements: str
  returned: always
paused:
  description: With O(pooler), the PgBouncers on which the database is paused now.
  type: list
  elements: str
  returned: always
rows:
  description: How many rows were changed.
  type: int
  returned: O(state=batched)
finished:
  description: Whether nothing is left to change.
  type: bool
  returned: O(state=batched)
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.core import core, secrets_of
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import Database
from ansible_collections.steady.rollout.plugins.module_utils.migrations.pooler import OPTIONS, Pooler

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["read", "applied", "reverted", "batched"], "default": "read"},
        "tool": {"type": "str", "choices": ["alembic", "dbmate", "django", "sql", "commands"], "required": True},
        "commands": {"type": "dict"},
        "program": {"type": "str"},
        "chdir": {"type": "path"},
        "directory": {"type": "str"},
        "target": {"type": "str"},
        "database_url": {"type": "str", "required": True, "no_log": True},
        "environment": {"type": "dict", "default": {}, "no_log": True},
        "lock_timeout": {"type": "str", "default": "5s"},
        "attempts": {"type": "int", "default": 5},
        "pause": {"type": "str", "default": "5s"},
        "timeout": {"type": "str", "default": "1h"},
        "with_sql": {"type": "bool", "default": False},
        "expected_pending": {"type": "list", "elements": "str"},
        "batch": {"type": "str"},
        "batch_pause": {"type": "str", "default": "100ms"},
        "batch_time": {"type": "str", "default": "5s"},
        "pooler": {"type": "dict", "options": OPTIONS},
        "claim": {"type": "dict", "options": claims.ARGUMENTS},
    },
    "supports_check_mode": True,
}


def hidden(params: dict[str, t.Any]) -> list[str]:
    """What is secret in results: the address, its password, and values of the environment that are long enough."""
    try:
        database = Database.from_url("database_url", params["database_url"])
        pooler = Pooler.from_params(params.get("pooler"), database)
    except RolloutError:
        return [params["database_url"], *((params.get("pooler") or {}).get("urls") or [])]
    return secrets_of(database, {str(name): str(value) for name, value in params["environment"].items()}, pooler)


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
