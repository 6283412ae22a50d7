#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_approval
short_description: Approve a plan that waits for approvals, or show such plans
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Runs on the coordinator, from any terminal or AWX job. A rollout that needs approvals (O(steady.rollout.rollout#module:approvals))
    is refused until enough others have approved its plan by the plan's hash.
  - An approval is for one plan, this version on these hosts by this policy with this content, and for one rollout. It expires. The
    approval of who asked for the plan, or of who runs it, does not count.
  - The name is that of the user who logged in or, in an AWX job, the user whom AWX names; the history then says that it is given
    by AWX. An approval counts only as long as the history is intact and has it.
  - Whoever may write the ledger's file as the coordinator's user can also rewrite its history. Against that only an anchor
    kept elsewhere helps; see O(steady.rollout.rollout_info#module:anchor).
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description: V(given) approves O(plan); V(shown) returns the plans that wait.
    type: str
    choices: [given, shown]
    default: given
  service:
    description: The service.
    type: str
    required: true
  plan:
    description: For O(state=given), the hash of the plan, or its first 12 digits, as the refused run names it.
    type: str
  ledger:
    description: Directory of the ledger, as for O(steady.rollout.rollout#module:ledger).
    type: path
  owner:
    description:
      - Who approves; the action plugin of this module fills it in.
    type: dict
    default: {}
seealso:
  - module: steady.rollout.rollout
"""

EXAMPLES = r"""
- name: Show the plans that wait for approvals
  steady.rollout.rollout_approval:
    state: shown
    service: shop
    ledger: /tmp/steady-example
  register: waiting

- name: Approve the first of them
  steady.rollout.rollout_approval:
    service: shop
    plan: "{{ waiting.requests[0].plan }}"
    ledger: /tmp/steady-example
  when: waiting.requests | length > 0
"""

RETURN = r"""
requests:
  description:
    - The plans that wait or, for O(state=given), the one that is approved. Each has C(plan), C(requester), C(required),
      C(approvers), C(at), C(approved_by), and what it does as the lines of C(summary).
  type: list
  elements: dict
  returned: success
text:
  description: The same as lines to print.
  type: list
  elements: str
  returned: success
msg:
  description: What happened, in one line.
  type: str
  returned: always
kind:
  description: V(not_approved) where the approval is refused.
  type: str
  returned: failure
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_approval as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["given", "shown"], "default": "given"},
        "service": {"type": "str", "required": True},
        "plan": {"type": "str"},
        "ledger": {"type": "path"},
        "owner": {"type": "dict", "default": {}},
    },
    "supports_check_mode": True,
    "required_if": [("state", "given", ("plan",))],
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
