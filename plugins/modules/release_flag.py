#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: release_flag
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Release a feature to growing shares of the users by its flag
description:
  - Asks the ledger for the next action of a release by a feature flag, carries it out at each place that has the flag, and
    reports the result, until the user's own steps have to judge or the release is over.
  - Made for the role P(steady.rollout.rollout#role); it may change with it. It runs on the controller, as an action
    plugin. The flag's settings are read from the role's variables, so that its keys appear in no task.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: partial
    details:
      - Only with O(state=planned), which changes nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call continues the release from its current step.
options:
  state:
    description:
      - V(planned) validates the settings and reads the flag.
      - V(driven) carries out the release.
    type: str
    choices: [planned, driven]
    required: true
  hosts:
    description: The hosts of the fleet.
    type: list
    elements: str
    required: true
  service:
    description: With O(state=driven), the service.
    type: str
  ledger:
    description: Where the ledger is on the coordinator, as for M(steady.rollout.rollout).
    type: path
  run:
    description: The run, as M(steady.rollout.rollout_flag_release) returned it.
    type: str
  token:
    description: Its token.
    type: int
  coordinator:
    description: The host that has the ledger.
    type: str
    default: localhost
  coordinator_become:
    description: Whether to use privilege escalation there.
    type: bool
  judged:
    description: The result of the user's own steps, with RV(hook), RV(asked) and C(failure), to continue after them.
    type: dict
"""

EXAMPLES = r"""
- name: Release the feature until your own steps have to judge
  steady.rollout.release_flag:
    state: driven
    hosts: "{{ groups['fleet'] }}"
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
  register: step
"""

RETURN = r"""
flag:
  description: The flag.
  type: str
  returned: O(state=planned)
place:
  description: Where it is.
  type: str
  returned: O(state=planned)
command:
  description: The command that turns it off by hand; keys have to be added.
  type: str
  returned: O(state=planned)
steps:
  description: The steps, each with C(percent) or C(segment), and C(bake) in seconds.
  type: list
  elements: dict
  returned: O(state=planned)
refused:
  description: Why the flag system would refuse one of the steps; empty otherwise.
  type: str
  returned: O(state=planned)
found:
  description: The flag as each place shows it.
  type: list
  elements: dict
  returned: O(state=planned)
act:
  description: The next action, V(bake) if the user's own steps have to judge, or V(over).
  type: str
  returned: O(state=driven)
hook:
  description: The user's task file that has to judge, with C(step), C(path) and the C(verdict) so far; empty otherwise.
  type: dict
  returned: O(state=driven)
asked:
  description: The ledger's last answer.
  type: dict
  returned: O(state=driven)
stage:
  description: The number of the step.
  type: int
  returned: O(state=driven)
share:
  description: Its share of the users in percent.
  type: int
  returned: O(state=driven)
segments:
  description: The segments whose users all have the feature, in addition to RV(share).
  type: list
  elements: str
  returned: O(state=driven)
"""

SPEC = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["planned", "driven"], "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "service": {"type": "str"},
        "ledger": {"type": "path"},
        "run": {"type": "str"},
        "token": {"type": "int", "no_log": False},
        "coordinator": {"type": "str", "default": "localhost"},
        "coordinator_become": {"type": "bool"},
        "judged": {"type": "dict"},
    },
}
