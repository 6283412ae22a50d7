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
  - Turns a flag on for a growing share of the users, step by step. The ledger returns the next action; the caller carries it
    out, reads the flag and calls again with what it found.
  - The share grows only after a verdict of C(pass) or C(not_judged) on the step before. After any other verdict, and if
    somebody else has changed the flag, it is turned off. Each change is recorded before it is made, so that the next run
    continues where an interrupted one stopped.
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
      - Each call may advance the release.
options:
  state:
    description:
      - V(opened) takes the lease, and resumes an unfinished release or begins a new one.
      - V(next) records the result of the last action and returns the next one. It waits while the release is paused.
      - V(baked) waits until the current step has baked, or until the operator or a failure has ended it.
      - V(concluded) returns the outcome and releases the lease.
    type: str
    choices: [opened, next, baked, concluded]
    required: true
  service:
    description: The service that has the feature.
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
    description: With O(state=opened), where the flag is, for messages.
    type: str
    default: ""
  command:
    description: With O(state=opened), the command that turns it off by hand, for messages.
    type: str
    default: ""
  steps:
    description: With O(state=opened), the steps, each with C(percent) or C(segment), and C(bake).
    type: list
    elements: dict
  refused:
    description: With O(state=opened), why the flag system would refuse the first step; if set, no release begins.
    type: str
    default: ""
  found:
    description: The flag as just read, at each place that has it.
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
      segments:
        description: The segments whose users all have the feature, in addition to the share.
        type: list
        elements: str
      reason:
        description: Why it was killed, if it was.
        type: str
      why:
        description: Why it could not be read or changed there.
        type: str
  verdict:
    description: With O(state=next), the verdict on the step that has baked.
    type: str
    choices: [pass, fail, inconclusive, no_data, not_judged]
  reason:
    description: The reason for the verdict, in a sentence.
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
    description: Whether that run's process is gone; the action plugin fills it in.
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
  description: The next action, or the outcome, in one line.
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
  description: Whether the flag is already on for the share of the last step; no lease was taken then.
  type: bool
  returned: O(state=opened)
text:
  description: The plan in lines to print.
  type: list
  elements: str
  returned: O(state=opened)
act:
  description:
    - V(set) means turn the flag on for RV(percent) of the users, then read it and call again.
    - V(off) means turn it off at once, then read it and call again.
    - V(read) means read it and call again.
    - V(bake) means bake for RV(seconds) and judge the step.
    - V(over) means that there is nothing more to do.
  type: str
  returned: O(state=next) or O(state=baked)
percent:
  description: The share of the users to turn it on for.
  type: int
  returned: O(state=next)
segments:
  description: The segments to turn it on for, in addition to RV(percent).
  type: list
  elements: str
  returned: O(state=next)
reason:
  description: Details of the action.
  type: str
  returned: O(state=next)
seconds:
  description: How long the step still has to bake.
  type: float
  returned: O(state=next)
baked:
  description: Whether the step has baked and is to be judged.
  type: bool
  returned: O(state=baked)
step:
  description: The number of the current step, starting at 0.
  type: int
  returned: O(state=next) or O(state=baked)
share:
  description: Its share of the users in percent.
  type: int
  returned: O(state=next) or O(state=baked)
share_segments:
  description: The segments that have the feature in this step, in addition to RV(share).
  type: list
  elements: str
  returned: O(state=next) or O(state=baked)
phase:
  description: The phase of the release.
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
  description: V(done), V(reverted), V(incomplete), or V(failed) if the flag may still be on.
  type: str
  returned: O(state=concluded)
succeeded:
  description: Whether it ended as requested.
  type: bool
  returned: O(state=concluded)
reason_kind:
  description: What kind of event stopped it, such as V(gate), V(killed), V(contested) or V(aborted); empty otherwise.
  type: str
  returned: O(state=concluded)
message:
  description: The outcome, in a sentence.
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
    "segments": {"type": "list", "elements": "str"},
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
