#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_control
short_description: Pause, resume, promote or abort a running rollout, or block a service
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Runs on the coordinator, from any terminal, AWX job or alert handler. It needs no lease; it changes only whether the
    next host may be taken out of service and where the traffic goes.
  - A block forbids every rollout of a service, rollbacks included, until somebody who may lift it does or its time is over.
    A rollout under way starts no further host and ends incomplete; hosts in flight finish, and what failed is still rolled
    back. A shift of traffic waits where it is.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - V(promoted) concerns the step that bakes now, so a second call may promote the next one.
options:
  state:
    description:
      - V(paused) lets hosts in flight finish and admits no further host until V(resumed).
      - V(promoted) ends the bake of a canary's or blue-green's step without its gate; see O(to).
      - V(blocked) sets a block, V(unblocked) lifts it.
      - V(aborted) leaves a rolling deployment as it is. A traffic shift is rolled back, starting with the candidate's share.
    type: str
    required: true
    choices: [paused, resumed, promoted, aborted, blocked, unblocked]
  service:
    description: The service whose rollout is meant. For a block, V(*) is every service of the ledger.
    type: str
    required: true
  ledger:
    description: Directory of the ledger, as for O(steady.rollout.rollout#module:ledger).
    type: path
  to:
    description: For O(state=promoted), continue with the next V(step), or with the last one (V(end)) at once.
    type: str
    choices: [step, end]
    default: step
  reason:
    description: Why, for the history. Needed for O(state=blocked).
    type: str
  until:
    description:
      - For O(state=blocked), until when, as a time such as V(2026-11-24 06:00) (UTC unless it has an offset) or as how long from
        now, such as V(2h). Without it the block lasts until it is lifted.
    type: str
  lifters:
    description: For O(state=blocked), the users who may lift it, besides the one who sets it.
    type: list
    elements: str
    default: []
  owner:
    description:
      - Who asks for it, for the history; C(user), C(controller) and C(pid).
      - The action plugin of this module fills it in.
    type: dict
    default: {}
seealso:
  - module: steady.rollout.rollout
"""

EXAMPLES = r"""
- name: Take the lease
  steady.rollout.rollout: {state: opened, service: shop, version: "2.0.0", ledger: /tmp/steady-example}

- name: Pause the rollout from another terminal
  steady.rollout.rollout_control:
    state: paused
    service: shop
    ledger: /tmp/steady-example

- name: Resume it
  steady.rollout.rollout_control:
    state: resumed
    service: shop
    ledger: /tmp/steady-example

- name: Block the service
  steady.rollout.rollout_control:
    state: blocked
    service: shop
    reason: the database moves to a new host
    until: 2h
    lifters: [ana]
    ledger: /tmp/steady-example

- name: Lift the block
  steady.rollout.rollout_control:
    state: unblocked
    service: shop
    ledger: /tmp/steady-example
"""

RETURN = r"""
block:
  description:
    - For a block, C(service), C(reason), C(by), C(lifters), C(since), C(until) and all of it as C(text); none once it is lifted.
  type: dict
  returned: O(state=blocked), O(state=unblocked), or refused for a block
msg:
  description: What happened, in one line.
  type: str
  returned: always
rollout:
  description: The rollout's number in the ledger.
  type: int
  returned: success
status:
  description: The rollout's status now, as for RV(steady.rollout.rollout#module:status).
  type: str
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_control as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {
            "type": "str",
            "required": True,
            "choices": ["paused", "resumed", "promoted", "aborted", "blocked", "unblocked"],
        },
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "to": {"type": "str", "choices": ["step", "end"], "default": "step"},
        "reason": {"type": "str"},
        "until": {"type": "str"},
        "lifters": {"type": "list", "elements": "str", "default": []},
        "owner": {"type": "dict", "default": {}},
    },
    "supports_check_mode": True,
    "required_if": [("state", "blocked", ("reason",))],
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
