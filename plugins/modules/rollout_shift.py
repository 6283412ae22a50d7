#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_shift
short_description: Ask the ledger for the next action of a traffic shift
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - A blue-green deployment and a canary are the same shift of traffic from a live group of hosts to a candidate group. The
    ledger says what comes next; the caller does it, reads the state and asks again with what it found.
  - Traffic never goes to a group that is not verified on the version meant for it. What the balancers are to show is on
    record before any of them is changed, and is read back from every node.
  - A split that cannot be set on every node is undone on all. After a crash the next run resumes from what is on record and
    what the nodes show.
extends_documentation_fragment:
  - steady.rollout.ledger
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: none
    details:
      - Each call may bring the shift a step further; that is what it is for.
options:
  state:
    description:
      - V(next) records what came of the last act and answers with the next one.
      - V(baked) waits until the step at hand has baked, or the operator or a failure has ended it.
    type: str
    choices: [next, baked]
    default: next
  balancers:
    description: What M(steady.rollout.lb_member_info) returned for each balancer node just now.
    type: list
    elements: dict
    suboptions:
      host:
        description: The balancer node.
        type: str
        required: true
      members:
        description: Its members by name.
        type: dict
      unreachable:
        description: Why the node could not be read, if so.
        type: str
  nodes:
    description: As for O(steady.rollout.rollout#module:nodes).
    type: list
    elements: dict
    suboptions:
      host:
        description: The node.
        type: str
        required: true
      members:
        description: Its members by name.
        type: dict
      unreachable:
        description: Why the node could not be read, if so.
        type: str
      groups:
        description: The members of each group by the names that this node has for them.
        type: dict
      why:
        description: Why it refused the last split, if it did.
        type: str
  hosts:
    description: The hosts of the fleet with what a probe found on them just now, as for O(steady.rollout.rollout#module:hosts).
    type: list
    elements: dict
    suboptions:
      name:
        description: The host's name.
        type: str
        required: true
      zone:
        description: Where it stands.
        type: str
      member:
        description: Its name in the balancers' pools, if not O(hosts[].name).
        type: str
      in_scope:
        description: Whether this run may touch it.
        type: bool
        default: true
      healthy:
        description: What the probe said; leave it out when there was none.
        type: bool
      version:
        description: The version it serves.
        type: str
      revision:
        description: The revision that it reports itself.
        type: str
      outdated:
        description: Whether it was found to need the change, where somebody has looked.
        type: bool
      may_be_added:
        description: Whether the host is added to a pool that does not have it. A traffic shift adds none.
        type: bool
        default: false
  played:
    description: The act that was carried out on hosts since the last call, so that what it did not achieve is not asked for again.
    type: str
    choices: [prepare, promote, demote, revert]
  checked:
    description:
      - The split, in percent by group, that every node was asked about since the last call, as the answer V(check) requires.
        Nodes that refuse it have the reason in O(nodes[].why).
    type: dict
  verdict:
    description: The verdict on the step that has baked.
    type: str
    choices: [pass, fail, inconclusive, no_data, not_judged]
  reason:
    description: Why, in a sentence.
    type: str
  evidence:
    description: What was measured.
    type: dict
  timeout:
    description: For V(baked), seconds to wait at most.
    type: str
seealso:
  - module: steady.rollout.rollout
  - module: steady.rollout.lb_weight
"""

EXAMPLES = r"""
- name: Take the lease
  steady.rollout.rollout: {state: opened, service: shop, version: "2.0.0", ledger: /tmp/steady-example}
  register: opened

- name: Plan a switch from blue to green
  steady.rollout.rollout:
    state: planned
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
    shift:
      strategy: blue_green
      groups: {blue: [app1], green: [app2]}
      live: blue
      steps: [{share: 100, bake: 5m}]
    hosts:
      - {name: app1, healthy: true, version: "1.0.0"}
      - {name: app2, healthy: true, version: "1.0.0"}

- name: Ask what comes first
  steady.rollout.rollout_shift:
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
  register: next

- name: Say it
  ansible.builtin.debug:
    msg: "{{ next.act }} {{ next.split }}"
"""

RETURN = r"""
msg:
  description: What comes next, in one line.
  type: str
  returned: always
act:
  description:
    - V(check) on every node whether it can have RV(split), then ask again with O(checked). Only then it is decided.
    - V(set) RV(split) on every node, then read the nodes and ask again.
    - V(prepare), V(promote), V(demote), V(revert) bring RV(hosts), which have no traffic, to what admission says.
    - V(bake) for RV(seconds) and judge the step.
    - V(over) when there is nothing more to do.
  type: str
  returned: success
split:
  description: Percent of the traffic by group.
  type: dict
  returned: O(state=next)
urgent:
  description: Whether users meet errors until it is done.
  type: bool
  returned: O(state=next)
hosts:
  description: The hosts to bring to their targets.
  type: list
  elements: str
  returned: O(state=next)
seconds:
  description: How long the step bakes from now on.
  type: float
  returned: O(state=next)
number:
  description: How often the traffic was moved so far.
  type: int
  returned: O(state=next)
baked:
  description: Whether the step's time is over and it is to be judged.
  type: bool
  returned: O(state=baked)
step:
  description: The number of the step at hand, from 0 on.
  type: int
  returned: success
share:
  description: The candidate's share of it, in percent; 0 during a rollback.
  type: float
  returned: success
phase:
  description: Where the shift is.
  type: str
  returned: success
status:
  description: The rollout's status.
  type: str
  returned: success
reason:
  description: More about the act.
  type: str
  returned: O(state=next)
messages:
  description: What has happened since the last call, in lines to print.
  type: list
  elements: str
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_shift as core

BALANCERS: dict[str, t.Any] = {
    "host": {"type": "str", "required": True},
    "members": {"type": "dict"},
    "unreachable": {"type": "str"},
}
HOSTS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "zone": {"type": "str"},
    "member": {"type": "str"},
    "in_scope": {"type": "bool", "default": True},
    "healthy": {"type": "bool"},
    "version": {"type": "str"},
    "revision": {"type": "str"},
    "outdated": {"type": "bool"},
    "may_be_added": {"type": "bool", "default": False},
}
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["next", "baked"], "default": "next"},
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "balancers": {"type": "list", "elements": "dict", "options": BALANCERS},
        "nodes": {
            "type": "list",
            "elements": "dict",
            "options": {**BALANCERS, "groups": {"type": "dict"}, "why": {"type": "str"}},
        },
        "hosts": {"type": "list", "elements": "dict", "options": HOSTS},
        "played": {"type": "str", "choices": ["prepare", "promote", "demote", "revert"]},
        "checked": {"type": "dict"},
        "verdict": {"type": "str", "choices": ["pass", "fail", "inconclusive", "no_data", "not_judged"]},
        "reason": {"type": "str"},
        "evidence": {"type": "dict"},
        "timeout": {"type": "str"},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
