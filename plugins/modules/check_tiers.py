#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: check_tiers
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Find mistakes in the services of a release
description:
  - Reads C(rollout_tiers), the services that C(tiers.yml) releases together, and determines their order. Fails with one sentence
    for each mistake, which says what to do, before a lease is taken or a host is contacted.
  - It finds circular and missing dependencies, groups without hosts, versions that do not work together, two services with one
    lease, settings of another strategy than a rolling deployment, and unknown settings.
  - Made for the playbook C(tiers.yml), whose settings it takes from the variables of the hosts; it may change with it. It runs on
    the controller, as an action plugin.
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
  hosts:
    description: The hosts that the run may touch.
    type: list
    elements: str
    required: true
  drill:
    description:
      - Whether the playbook C(drill_tiers.yml) asks. The versions of the services are then those that run, and one host of each
        service is rolled.
    type: bool
    default: false
  fails:
    description: With O(drill), the service that fails on purpose; the last one if it is empty.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Refuse a release that cannot work
  steady.rollout.check_tiers:
    hosts: "{{ groups['all'] }}"
  run_once: true
  vars:
    rollout_tiers:
      api: {fleet: api, version: "2.0.0"}
      web: {fleet: web, version: "2.0.0", requires: {api: ">=2.0"}}
  when: groups['web'] is defined
"""

RETURN = r"""
errors:
  description: One sentence for each mistake.
  type: list
  elements: str
  returned: always
tiers:
  description:
    - The services in the order in which they are rolled out, each with C(name), C(service) (the name of its lease), C(fleet), C(version),
      C(revision), C(needs), C(hosts), those that are rolled, and C(first), the host whose settings are read.
  type: list
  elements: dict
  returned: always
msg:
  description: All mistakes in one text.
  type: str
  returned: always
"""

SPEC = {
    "argument_spec": {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "drill": {"type": "bool", "default": False},
        "fails": {"type": "str", "default": ""},
    },
}
