#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_report
short_description: Put the results of the checks before a rollout into one report
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - One row for each check of the playbook C(preflight), settings, ledger, block, lease, history, window or freeze, health, load
    balancers, disk, alerts, migrations, plan and approvals.
  - Made for the role P(steady.rollout.rollout#role), whose results it takes; it may change with it. It runs on the
    controller, as an action plugin.
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.attributes.info_module
options:
  results:
    description: What the task of each check registered, by the names that the role uses.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Put the results into one report
  steady.rollout.preflight_report:
    results: "{{ results }}"
  register: report
"""

RETURN = r"""
passed:
  description: Whether no check failed.
  type: bool
  returned: always
rows:
  description: For each check C(check), C(verdict) (V(ok), V(FAILED) or V(not checked)) and what it C(says).
  type: list
  elements: dict
  returned: always
text:
  description: The same as lines to print.
  type: list
  elements: str
  returned: always
msg:
  description: How many failed, and which.
  type: str
  returned: always
"""

SPEC = {"argument_spec": {"results": {"type": "dict", "required": True}}}
