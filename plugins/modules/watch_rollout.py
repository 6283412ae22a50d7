#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: watch_rollout
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Start the process that watches a run
description:
  - Starts a process that lives as long as the run. Every few seconds it reads every load balancer and the health of
    every host that the rollout has proven, and reports that to M(steady.rollout.rollout_watch), which keeps the
    lease of the run alive.
  - It shows what is in flight every 15 seconds. It changes nothing, and it takes no place in forks. If it is killed, it is
    started again.
  - Ansible waits for ever for a worker that was killed while the strategy is C(host_pinned); the
    process detects that, prints a message, and ends the run with SIGTERM.
  - Made for the role P(steady.rollout.rollout#role), whose settings it takes from each host's variables; it may
    change with it. It runs on the controller, as an action plugin.
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.ledger
  - steady.rollout.ledger.coordinator
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call goes on where the rollout stands.
options:
  hosts:
    description: The hosts in scope.
    type: list
    elements: str
    required: true
  balancers:
    description: The load balancers, as C(rollout_balancers).
    type: list
    elements: dict
    required: true
  claim:
    description: The claim of the run, as for M(steady.rollout.lb_member). It is needed to send the restore timers their heartbeat.
    type: dict
  members_file:
    description:
      - What M(steady.rollout.fleet_info) returned as RV(steady.rollout.fleet_info#module:members_file) for the same hosts. Without it the
        variables of each host are evaluated anew, which takes some seconds for a thousand hosts.
    type: path
  restore_timers:
    description: The balancers' hosts on which M(steady.rollout.fleet_claim) has armed a timer.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Start the watch
  steady.rollout.watch_rollout:
    service: shop
    run: "{{ run.run }}"
    token: "{{ run.token }}"
    coordinator: localhost
    hosts: "{{ ansible_play_hosts_all }}"
    balancers: "{{ rollout_balancers }}"
  run_once: true
"""

RETURN = r"""
pid:
  description: The number of the process that starts the watch, and starts it again if it is killed.
  type: int
  returned: success
"""

SPEC = {
    "argument_spec": {
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "coordinator": {"type": "str", "required": True},
        "coordinator_become": {"type": "bool"},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "balancers": {"type": "list", "elements": "dict", "required": True},
        "claim": {"type": "dict"},
        "members_file": {"type": "path"},
        "restore_timers": {"type": "list", "elements": "str"},
    },
}
