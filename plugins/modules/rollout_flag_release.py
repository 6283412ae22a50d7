#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_flag_release
short_description: Ask the ledger for the next action of a release by a feature flag
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - The share of the users that a flag is on for grows step by step. The ledger says what comes next; the caller does it, reads
    the flag and asks again with what it found.
  - The share grows only after a good verdict on the step before. After any other verdict, and where somebody else has changed
    the flag, it is turned off. What the flag is to be is on record before it is changed, so that the next run goes on where
    one was killed.
  - A release holds the same lease as a rollout of the service, and is paused, resumed, promoted and aborted in the same way, by
    M(steady.rollout.rollout_control).
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: none
    details:
      - Each call may bring the release a step further; that is what it is for.
options:
  state:
    description:
      - V(opened) takes the lease, and resumes a release that is unfinished or begins one.
      - V(next) records what came of the last act and answers with the next one. A pause is waited out.
      - V(baked) waits until the step at hand has baked, or the operator or a failure has ended it.
      - V(concluded) says what came of it, and releases the lease.
    type: str
    choices: [opened, next, baked, concluded]
    required: true
  service:
    description: The service whose feature it is.
    type: str
    required: true
  ledger:
    description: Directory of the ledger, as for O(steady.rollout.rollout#module:ledger).
    type: path
  run:
    description: The run that holds the lease, as returned by O(state=opened); needed with all other states.
    type: str
  token:
    description: Its fencing token.
    type: int
  flag:
    description: With O(state=opened), the flag.
    type: str
  place:
    description: With O(state=opened), where it is, for messages.
    type: str
    default: ""
  command:
    description: With O(state=opened), what turns it off by hand, for messages.
    type: str
    default: ""
  steps:
    description: With O(state=opened), the steps, each with C(percent) and C(bake).
    type: list
    elements: dict
  refused:
    description: With O(state=opened), why the flag system would refuse the first step, so that a release does not begin.
    type: str
    default: ""
  found:
    description: The flag as it was read just now, at each place that has it.
    type: list
    elements: dict
    suboptions:
      where:
        description: The host that it was read from.
        type: str
        required: true
      state:
        description: Its state, as M(steady.rollout.feature_flag_info) returns it.
        type: str
      percent:
        description: The share of the users that it is on for.
        type: int
      reason:
        description: Why it was killed, if it was.
        type: str
      why:
        description: Why it could not be read or changed there, if so.
        type: str
  verdict:
    description: With O(state=next), the verdict on the step that has baked.
    type: str
    choices: [pass, fail, inconclusive, no_data, not_judged]
  reason:
    description: Why, in a sentence.
    type: str
  evidence:
    description: What was measured.
    type: dict
  timeout:
    description: With O(state=baked), how long to wait at most.
    type: str
  resume:
    description: With O(state=opened), V(revert) turns off the flag of a release that is unfinished.
    type: str
    choices: [continue, revert]
    default: continue
  lease_ttl:
    description: With O(state=opened), as for O(steady.rollout.rollout#module:lease_ttl).
    type: str
  take_over:
    description: With O(state=opened), as for O(steady.rollout.rollout#module:take_over).
    type: bool
    default: false
  owner:
    description: With O(state=opened), who runs this; the action plugin fills it in.
    type: dict
  previous_run:
    description: The run that is known to be over; the action plugin fills it in.
    type: str
  owner_gone:
    description: Whether it is; the action plugin fills it in.
    type: bool
    default: false
seealso:
  - module: steady.rollout.feature_flag
  - module: steady.rollout.rollout_control
"""

EXAMPLES = r"""
- name: Take the lease
  steady.rollout.rollout_flag_release:
    state: opened
    service: shop
    ledger: /tmp/steady-example
    flag: checkout_v2
    steps: [{percent: 10, bake: 1h}, {percent: 100}]
    found: [{where: localhost, state: "off"}]
  register: opened

- name: Ask what comes first
  steady.rollout.rollout_flag_release:
    state: next
    service: shop
    ledger: /tmp/steady-example
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    found: [{where: localhost, state: "off"}]
  register: next

- name: Say it
  ansible.builtin.debug:
    msg: "{{ next.act }} {{ next.percent }}"
"""

RETURN = r"""
msg:
  description: What comes next, or what came of it, in one line.
  type: str
  returned: always
run:
  description: The run, for all other calls.
  type: str
  returned: O(state=opened)
token:
  description: Its fencing token.
  type: int
  returned: O(state=opened)
rollout:
  description: The release's number in the ledger.
  type: int
  returned: O(state=opened)
resumed:
  description: Whether an earlier run has begun it.
  type: bool
  returned: O(state=opened)
nothing_to_do:
  description: Whether the flag is on for the share of the last step already; then no lease was taken.
  type: bool
  returned: O(state=opened)
text:
  description: The plan in lines to print.
  type: list
  elements: str
  returned: O(state=opened)
act:
  description:
    - V(set) the flag on for RV(percent) of the users, then read it and ask again.
    - V(off) turns it off at once, then read it and ask again.
    - V(read) it and ask again.
    - V(bake) for RV(seconds) and judge the step.
    - V(over) when there is nothing more to do.
  type: str
  returned: O(state=next) or O(state=baked)
percent:
  description: The share of the users to turn it on for.
  type: int
  returned: O(state=next)
reason:
  description: More about the act.
  type: str
  returned: O(state=next)
seconds:
  description: How long the step bakes from now on.
  type: float
  returned: O(state=next)
baked:
  description: Whether the step's time is over and it is to be judged.
  type: bool
  returned: O(state=baked)
step:
  description: The number of the step at hand, from 0 on.
  type: int
  returned: O(state=next) or O(state=baked)
share:
  description: Its share of the users in percent.
  type: int
  returned: O(state=next) or O(state=baked)
phase:
  description: Where the release is.
  type: str
  returned: O(state=next) or O(state=baked)
status:
  description: Its status, as that of a rollout.
  type: str
  returned: unless O(state=concluded)
messages:
  description: What has happened since the last call, in lines to print.
  type: list
  elements: str
  returned: O(state=next) or O(state=baked)
outcome:
  description: V(done), V(reverted), V(incomplete), or V(failed) where the flag is not known to be off.
  type: str
  returned: O(state=concluded)
succeeded:
  description: Whether it ended as it was asked for.
  type: bool
  returned: O(state=concluded)
reason_kind:
  description: The kind of what stopped it, such as V(gate), V(killed), V(contested) or V(aborted); empty otherwise.
  type: str
  returned: O(state=concluded)
message:
  description: What came of it, in a sentence.
  type: str
  returned: O(state=concluded)
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_flag_release as core

FOUND: dict[str, t.Any] = {
    "where": {"type": "str", "required": True},
    "state": {"type": "str"},
    "percent": {"type": "int"},
    "reason": {"type": "str"},
    "why": {"type": "str"},
}
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["opened", "next", "baked", "concluded"], "required": True},
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str"},
        "token": {"type": "int", "no_log": False},
        "flag": {"type": "str"},
        "place": {"type": "str", "default": ""},
        "command": {"type": "str", "default": ""},
        "steps": {"type": "list", "elements": "dict"},
        "refused": {"type": "str", "default": ""},
        "found": {"type": "list", "elements": "dict", "options": FOUND},
        "verdict": {"type": "str", "choices": ["pass", "fail", "inconclusive", "no_data", "not_judged"]},
        "reason": {"type": "str"},
        "evidence": {"type": "dict"},
        "timeout": {"type": "str"},
        "resume": {"type": "str", "choices": ["continue", "revert"], "default": "continue"},
        "lease_ttl": {"type": "str"},
        "take_over": {"type": "bool", "default": False},
        "owner": {"type": "dict"},
        "previous_run": {"type": "str"},
        "owner_gone": {"type": "bool", "default": False},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
