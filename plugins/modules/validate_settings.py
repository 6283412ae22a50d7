#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_settings
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
short_description: Validate the settings of all hosts against an argument spec
description:
  - Does in one worker what Ansible does on each host where a role has an argument spec. Hosts whose settings are
    written alike are validated once.
  - It runs on the controller, as an action plugin.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
options:
  hosts:
    description: The hosts.
    type: list
    elements: str
    required: true
  argument_specs:
    description: The path of a role's C(meta/argument_specs.yml), on the controller.
    type: path
    required: true
  entry_point:
    description: Which entry point of the role the settings are for.
    type: str
    default: main
"""

EXAMPLES = r"""
- name: Refuse settings of the wrong type
  steady.rollout.validate_settings:
    hosts: "{{ ansible_play_hosts_all }}"
    argument_specs: "{{ role_path }}/meta/argument_specs.yml"
    entry_point: begin
  run_once: true
"""

RETURN = r"""
msg:
  description: A sentence for each error, with the first host that has it.
  type: str
  returned: failure
"""

SPEC = {
    "argument_spec": {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "argument_specs": {"type": "path", "required": True},
        "entry_point": {"type": "str", "default": "main"},
    },
}
