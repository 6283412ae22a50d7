#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_info
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Read the health of every host and every balancer's view of its members
description:
  - Probes all hosts in scope and reads all load balancers, at the same time, each from where the settings of the
    role say.
  - Made for the role P(steady.rollout.rollout#role), whose settings it takes from each host's variables; it may
    change with it. It runs on the controller, as an action plugin.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call goes on where the rollout stands.
options:
  hosts:
    description: The hosts of the fleet.
    type: list
    elements: str
    required: true
  in_scope:
    description: Those of them that may be changed; only these are probed.
    type: list
    elements: str
    required: true
  balancers:
    description: The load balancers, as C(rollout_balancers).
    type: list
    elements: dict
    required: true
  traffic_balancers:
    description: The load balancers that split the traffic where these are others, as C(rollout_traffic_balancers).
    type: list
    elements: dict
    default: []
  require_admin:
    description: Whether a load balancer that may not be changed is a problem.
    type: bool
    default: false
  asked_version:
    description:
      - The version that is to be rolled out. With it, what hosts and load balancers show against the settings is a problem too,
        such as a health check that fails on every host in rotation. Some hosts are also asked for their unit and releases.
    type: str
  accept:
    description: Which of these findings are accepted, as C(rollout_accept).
    type: list
    elements: str
    default: []
  keep_sessions:
    description:
      - Whether the connections to the hosts of load balancers stay open for the tasks that follow, until the run of the playbook
        ends. A host of the fleet is not kept connected.
    type: bool
    default: false
  refuse:
    description: Whether the task fails where there are problems.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the fleet and the load balancers
  steady.rollout.fleet_info:
    hosts: "{{ groups['fleet'] }}"
    in_scope: "{{ ansible_play_hosts_all }}"
    balancers: "{{ rollout_balancers }}"
  register: survey
  run_once: true
"""

RETURN = r"""
hosts:
  description:
    - For each host its C(name), C(zone), C(member), whether it is C(in_scope) and C(healthy), its C(version)
      and, where it reports one, its C(revision).
  type: list
  elements: dict
  returned: always
balancers:
  description: For each balancer its C(host) and C(members), or why it is C(unreachable).
  type: list
  elements: dict
  returned: always
nodes:
  description: The same for the balancers that split the traffic.
  type: list
  elements: dict
  returned: always
problems:
  description: One sentence for each problem; what could not be read, or cannot work.
  type: list
  elements: str
  returned: always
pools:
  description: The C(host) and the C(pool) of each balancer.
  type: list
  elements: dict
  returned: always
out_of_rotation:
  description: A sentence that names the members out of rotation.
  type: str
  returned: always
members_file:
  description:
    - A private file on the controller with what the variables of each host say, for M(steady.rollout.watch_rollout).
      Ansible removes it at the end of the playbook.
  type: str
  returned: always
"""

SPEC = {
    "argument_spec": {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "in_scope": {"type": "list", "elements": "str", "required": True},
        "balancers": {"type": "list", "elements": "dict", "required": True},
        "traffic_balancers": {"type": "list", "elements": "dict", "default": []},
        "require_admin": {"type": "bool", "default": False},
        "asked_version": {"type": "str"},
        "accept": {"type": "list", "elements": "str", "default": []},
        "keep_sessions": {"type": "bool", "default": False},
        "refuse": {"type": "bool", "default": False},
    },
}
