#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_backup
short_description: Back up and restore a database of PostgreSQL or MariaDB
version_added: 0.1.0
description:
  - Makes a dump, verifies it, keeps a given number of them, and restores one exactly, without what was created since.
  - A dump of PostgreSQL is in the custom format and verified by listing it; its restore is one transaction, so that a
    failed one changes nothing. A dump of MariaDB is verified by its last line; its restore is no transaction.
author:
  - The steady.rollout maintainers (@steady-rollout)
requirements:
  - C(psql), C(pg_dump) and C(pg_restore) of a version not older than the server, or C(mariadb) and C(mariadb-dump).
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.claim
attributes:
  check_mode:
    support: full
    details:
      - Room and versions are checked.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call makes a backup, or restores one.
options:
  state:
    description:
      - V(checked) only checks that a backup could be made. The database answers, the programs are there, O(directory) is
        writable and has 1.2 times the room that the database takes.
      - V(present) makes a backup.
      - V(restored) restores O(path). What was written since that backup is lost.
    type: str
    choices: [checked, present, restored]
    default: present
  database_url:
    description: Address of the database, such as V(postgresql://shop@db1/shop).
    type: str
    required: true
  directory:
    description: Where backups are kept. It is made for this user alone where it is missing.
    type: path
  keep:
    description: How many backups of the database are kept there, the new one included; V(0) keeps all.
    type: int
    default: 5
  scratch:
    description: Whether the backup is restored into a scratch database too, which is dropped afterwards.
    type: bool
    default: false
  path:
    description: The backup to restore.
    type: path
  checksum:
    description: Its checksum as making it returned it; a backup that has another one is not restored.
    type: str
  timeout:
    description: How long one program may take.
    type: str
    default: 2h
"""

EXAMPLES = r"""
- name: Back up the database, and make sure that it can be restored
  steady.rollout.database_backup:
    database_url: "{{ shop_database_url }}"
    directory: /var/backups/shop
    keep: 7
    scratch: true
  register: backup

- name: Restore it
  steady.rollout.database_backup:
    state: restored
    database_url: "{{ shop_database_url }}"
    path: "{{ backup.path }}"
    checksum: "{{ backup.checksum }}"
  when: restore_it | default(false)
"""

RETURN = r"""
msg:
  description: What was done, in one line.
  type: str
  returned: always
path:
  description: The backup's file.
  type: str
  returned: always
size:
  description: Its size in bytes.
  type: int
  returned: always
checksum:
  description: Its checksum.
  type: str
  returned: always
  sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
entries:
  description: How many entries were found in it.
  type: int
  returned: always
removed:
  description: Older backups that were removed.
  type: list
  elements: str
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.backups.core import core
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["checked", "present", "restored"], "default": "present"},
        "database_url": {"type": "str", "required": True, "no_log": True},
        "directory": {"type": "path"},
        "keep": {"type": "int", "default": 5},
        "scratch": {"type": "bool", "default": False},
        "path": {"type": "path"},
        "checksum": {"type": "str"},
        "timeout": {"type": "str", "default": "2h"},
        "claim": {"type": "dict", "options": claims.ARGUMENTS},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
