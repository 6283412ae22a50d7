#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: gate_info
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Measure the hosts before a release, and say what its gates will detect
description:
  - Reads what the load balancers count, twice or more often, and says for each gate of a plan that is judged by metrics
    after what time it detects a regression at this traffic. A gate that would detect nothing is a warning, with the
    share or the time that would do.
  - In a rollout it also has the ledger keep how each host was before the release, for as long as
    C(rollout_metric_before) says, so that the gates compare every host with its own past.
  - Made for the role P(steady.rollout.rollout#role), whose settings it takes; it may change with it. It runs on the
    controller, as an action plugin.
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.ledger.coordinator
attributes:
  check_mode:
    support: full
    details:
      - Reads the load balancers twice, five seconds apart, and keeps nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call measures again.
options:
  plan:
    description: What M(steady.rollout.rollout) with C(state=planned) returned.
    type: dict
    required: true
  hosts:
    description: The hosts, as M(steady.rollout.fleet_info) returned them.
    type: list
    elements: dict
    required: true
  service:
    description: The service.
    type: str
    required: true
  ledger:
    description: Where the ledger is on the coordinator, as for M(steady.rollout.rollout).
    type: path
  run:
    description: The run, as M(steady.rollout.rollout) returned it. There is none in check mode.
    type: str
  token:
    description: Its token.
    type: int
"""

EXAMPLES = r"""
- name: Say what the gates will detect
  steady.rollout.gate_info:
    plan: "{{ plan }}"
    hosts: "{{ survey.hosts }}"
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
    coordinator: localhost
  register: gates
  run_once: true
"""

RETURN = r"""
text:
  description: A line for each gate, and C(WARNING) before those that detect nothing.
  type: list
  elements: str
  returned: always
  sample: ["step 2 (25 %): At 100 requests/s and a share of 25 %, twice the errors are detected in about 5 minutes."]
blind:
  description: The lines of the gates that detect nothing.
  type: list
  elements: str
  returned: always
"""

SPEC = {
    "argument_spec": {
        "plan": {"type": "dict", "required": True},
        "hosts": {"type": "list", "elements": "dict", "required": True},
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str"},
        "token": {"type": "int", "no_log": False},
        "coordinator": {"type": "str", "required": True},
        "coordinator_become": {"type": "bool"},
    },
}
