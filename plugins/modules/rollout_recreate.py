#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_recreate
short_description: Record the steps of a rollout that stops all hosts
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Each step of a recreate is on record before it is begun, with what later runs need to go on or back, such as the backup.
  - As long as the maintenance page was never taken away, nothing that users wrote can be lost by restoring that backup.
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
    description:
      - V(begun) says where to go on. V(noted) records that O(step) begins.
      - V(done) records that all hosts serve the version, V(failed) that the rollout is rolled back, V(restored) that the old version
        serves again, V(stuck) that it does not.
    type: str
    choices: [begun, noted, done, failed, restored, stuck]
    required: true
  step:
    description: The step that begins.
    type: str
    choices: [page on, drain, stop, backup, migrate, update, health, smoke, serve, page off]
  facts:
    description: What is known by now, added to what was.
    type: dict
    default: {}
  limit:
    description: With the step V(drain), how long the hosts may be out of service in all.
    type: str
  kind:
    description: The kind of the failure.
    type: str
  error:
    description: Why it failed.
    type: str
  restore:
    description: With V(done), how the database would have been restored.
    type: str
    choices: [backup, down, none]
  database:
    description: With V(done), the database's name for messages.
    type: str
  lost:
    description: With V(done), what the migration removed.
    type: str
"""

EXAMPLES = r"""
- name: Record that the maintenance page is about to be shown
  steady.rollout.rollout_recreate:
    state: noted
    step: page on
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
"""

RETURN = r"""
msg:
  description: What was recorded.
  type: str
  returned: always
step:
  description: The step that was begun last.
  type: str
  returned: always
facts:
  description: What is known by now.
  type: dict
  returned: always
status:
  description: The rollout's status.
  type: str
  returned: always
go_back:
  description: Whether the rollout is rolled back now.
  type: bool
  returned: O(state=failed)
targets:
  description: The version that is meant for each host.
  type: dict
  returned: always
previous:
  description: The version that each host is rolled back to.
  type: dict
  returned: always
estimate:
  description: Seconds of downtime of the last recreate; V(null) where there was none.
  type: float
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_recreate as core

STEPS = ["page on", "drain", "stop", "backup", "migrate", "update", "health", "smoke", "serve", "page off"]
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "state": {
            "type": "str",
            "choices": ["begun", "noted", "done", "failed", "restored", "stuck"],
            "required": True,
        },
        "step": {"type": "str", "choices": STEPS},
        "facts": {"type": "dict", "default": {}},
        "limit": {"type": "str"},
        "kind": {"type": "str"},
        "error": {"type": "str"},
        "restore": {"type": "str", "choices": ["backup", "down", "none"]},
        "database": {"type": "str"},
        "lost": {"type": "str"},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
