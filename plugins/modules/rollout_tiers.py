#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_tiers
short_description: Release several services in dependency order
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Keeps the record of a release of several services. Each service has a rollout of its own, see M(steady.rollout.rollout); this
    module takes the leases of all services and determines which one is next.
  - A service is rolled out once everything that it needs is on its new version. If a service is rolled back, those released
    before it are rolled back too, in reverse order, to what each host ran before the release.
  - The plan and the end of each rollout are recorded for the release in the same transaction, so that the same command resumes
    the release or its rollback after a run was killed.
  - Made for the playbook C(tiers.yml) of this collection; it may change with it.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - O(state=opened) says what it would do, and O(state=next) returns one service after another.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call is recorded.
options:
  state:
    description:
      - V(opened) takes all leases or none, and begins a release or resumes one. V(next) returns the service that is next.
      - V(stopped) records that O(service) cannot continue and why; this run then touches no other service.
      - V(concluded) releases the leases and says how the release ended.
    type: str
    choices: [opened, next, stopped, concluded]
    required: true
  ledger:
    description: Directory of the ledger, as for O(steady.rollout.rollout#module:ledger).
    type: path
  tiers:
    description: The services.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the service, as in O(tiers[].needs).
        type: str
        required: true
      service:
        description: The service whose lease is taken.
        type: str
        required: true
      fleet:
        description: The group of its hosts.
        type: str
        required: true
      version:
        description: The version to roll out.
        type: str
        required: true
      revision:
        description: The revision that is rolled out with it.
        type: str
        default: ""
      needs:
        description: The services that are released before it.
        type: list
        elements: str
        default: []
  run:
    description: The run of the release, as returned with O(state=opened).
    type: str
  number:
    description: With O(state=next), which turn it is, starting at 1.
    type: int
  service:
    description: With O(state=stopped), the service that cannot continue.
    type: str
  error:
    description: With O(state=stopped), why it cannot continue.
    type: str
  kind:
    description: With O(state=stopped), the kind of the failure.
    type: str
  resume:
    description: V(revert) rolls the last release of these services back, whether it is finished or not.
    type: str
    choices: [continue, revert]
    default: continue
  owner:
    description: Who runs this; filled in by the action plugin.
    type: dict
    default: {}
  lease_ttl:
    description: How long the leases last without a heartbeat.
    type: str
    default: "60"
  take_over:
    description: Take the leases from the run that holds them. Use it only when that run is dead for good.
    type: bool
    default: false
  allow_bad:
    description: Roll out versions that are marked bad.
    type: bool
    default: false
  owner_gone:
    description: The process that held a lease as O(previous_run) was proven dead.
    type: bool
    default: false
  previous_run:
    description: The run that O(owner_gone) refers to.
    type: str
seealso:
  - module: steady.rollout.rollout
"""

EXAMPLES = r"""
- name: Begin or resume the release of two services
  steady.rollout.rollout_tiers:
    state: opened
    ledger: /tmp/steady-example
    tiers:
      - {name: api, service: api, fleet: api, version: "2.0.0"}
      - {name: web, service: web, fleet: web, version: "2.0.0", needs: [api]}
  register: release

- name: Release the leases again
  steady.rollout.rollout_tiers:
    state: concluded
    ledger: /tmp/steady-example
    run: "{{ release.run }}"
"""

RETURN = r"""
msg:
  description: What was done, or how the release ended.
  type: str
  returned: always
text:
  description: The lines to show.
  type: list
  elements: str
  returned: except for O(state=stopped)
run:
  description: The run; empty in check mode.
  type: str
  returned: O(state=opened)
release:
  description: The number of the release.
  type: int
  returned: O(state=opened)
direction:
  description: V(forward) or V(back).
  type: str
  returned: O(state=opened)
resumed:
  description: Whether an earlier run began it.
  type: bool
  returned: O(state=opened)
order:
  description: The services in the order in which they are rolled out.
  type: list
  elements: str
  returned: O(state=opened)
over:
  description: Whether no service is left.
  type: bool
  returned: O(state=next)
number:
  description: As given.
  type: int
  returned: O(state=next)
name:
  description: Name of the service that is next.
  type: str
  returned: O(state=next)
service:
  description: The service whose lease it uses.
  type: str
  returned: O(state=next)
fleet:
  description: The group of its hosts.
  type: str
  returned: O(state=next)
version:
  description: The version that it is rolled out to, or rolled back from.
  type: str
  returned: O(state=next)
revision:
  description: The revision that belongs to this version; empty where there is none.
  type: str
  returned: O(state=next)
resume:
  description: V(revert) if it is rolled back, else V(continue).
  type: str
  returned: O(state=next)
release_run:
  description: The run of the release, to be passed to the rollout of the service.
  type: str
  returned: O(state=next)
succeeded:
  description: Whether every service is on its version or, where the operator asked for it, rolled back.
  type: bool
  returned: O(state=concluded)
outcome:
  description: V(done), V(reverted), V(incomplete), or V(failed) where the rollback is not complete.
  type: str
  returned: O(state=concluded)
reason_kind:
  description: The kind of the failure that stopped the run; empty if nothing did.
  type: str
  returned: O(state=concluded)
message:
  description: The outcome in one line.
  type: str
  returned: O(state=concluded)
states:
  description: The state of each service by name, V(pending), V(in_progress), V(done), V(skipped) or V(reverted).
  type: dict
  returned: O(state=concluded)
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_tiers as core

TIER: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "service": {"type": "str", "required": True},
    "fleet": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "revision": {"type": "str", "default": ""},
    "needs": {"type": "list", "elements": "str", "default": []},
}
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "required": True, "choices": ["opened", "next", "stopped", "concluded"]},
        "ledger": {"type": "path"},
        "tiers": {"type": "list", "elements": "dict", "options": TIER},
        "run": {"type": "str"},
        "number": {"type": "int"},
        "service": {"type": "str"},
        "error": {"type": "str"},
        "kind": {"type": "str"},
        "resume": {"type": "str", "choices": ["continue", "revert"], "default": "continue"},
        "owner": {"type": "dict", "default": {}},
        "lease_ttl": {"type": "str", "default": "60"},
        "take_over": {"type": "bool", "default": False},
        "allow_bad": {"type": "bool", "default": False},
        "owner_gone": {"type": "bool", "default": False},
        "previous_run": {"type": "str"},
    },
    "supports_check_mode": True,
    "required_if": [
        ("state", "opened", ("tiers",)),
        ("state", "next", ("number",)),
        ("state", "stopped", ("run", "service", "error")),
        ("state", "concluded", ("run",)),
    ],
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
