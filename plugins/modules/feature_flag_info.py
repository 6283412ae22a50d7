#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_flag_info
short_description: Read feature flags, and find those that nobody needs any more
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
description:
  - Reads flags as their system shows them. With O(audit) also says which ones should be cleaned up, as a table, in Markdown for
    an issue, and by failing, for cron.
  - An audit needs a system that records when a flag was created. A plain file does not.
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.attributes.info_module
  - steady.rollout.flag_system
options:
  names:
    description: The flags to read. Without it all there are.
    type: list
    elements: str
    default: []
  audit:
    description:
      - What to look for. Flags that somebody has marked as stale are always found. Flags that no application has ever asked for
        are found where the system records it, as Unleash does, once they are a day old.
    type: dict
    suboptions:
      older_than:
        description: The age from which on a flag is too old.
        type: str
        default: 90d
      full_for:
        description: How long a flag may be on for everybody before it is of no use any more.
        type: str
        default: 14d
      kinds:
        description: Only flags of these kinds. Empty for all.
        type: list
        elements: str
        default: []
      ticket:
        description: A regular expression that each flag's description has to hold. An empty one requires nothing.
        type: str
        default: "[A-Z][A-Z0-9]+-[0-9]+"
  fail_on:
    description: Whether the module fails where the audit has findings.
    type: str
    choices: [findings, never]
    default: never
seealso:
  - module: steady.rollout.feature_flag
"""

EXAMPLES = r"""
- name: Read one flag
  steady.rollout.feature_flag_info:
    names: [checkout_v2]
    system:
      type: flagd
      path: /etc/flagd/flags.json
  register: flags

# From cron: ansible-playbook ends with 2 where there is something to clean up.
- name: Find flags to clean up
  steady.rollout.feature_flag_info:
    system:
      type: unleash
      url: https://unleash.example.com
      token: "{{ vault_unleash_token }}"
    audit:
      older_than: 90d
      kinds: [release, experiment]
    fail_on: findings
  delegate_to: localhost
"""

RETURN = r"""
msg:
  description: How many flags there are, and which ones should be cleaned up.
  type: str
  returned: always
flags:
  description: The flags by name.
  type: dict
  returned: success
  contains:
    state:
      description: V(on), V(off), V(killed) or V(absent).
      type: str
    exists:
      description: Whether there is such a flag.
      type: bool
    "on":
      description: Whether it is on for anybody.
      type: bool
    percent:
      description: The share of users that it is on for while it is on.
      type: int
    segments:
      description: The segments whose users all have the feature while the flag is on, in addition to C(percent).
      type: list
      elements: str
    excluded:
      description: The segments whose users do not have the feature, even if all other users have it.
      type: list
      elements: str
    killed:
      description: Whether it was killed, where the system distinguishes that from off.
      type: bool
    reason:
      description: Why it was killed.
      type: str
    killed_at:
      description: When, in seconds since the epoch.
      type: float
    rules:
      description: What else decides for whom it is on, in words.
      type: list
      elements: str
    kind:
      description: What it is for, such as V(release).
      type: str
    description:
      description: Its description.
      type: str
    created:
      description: When it was created, in seconds since the epoch. V(null) where that is not known.
      type: float
    changed:
      description: When state or percentage last changed. V(null) where that is not known.
      type: float
    last_seen:
      description: When an application last asked for it. V(null) where that is not known.
      type: float
    stale:
      description: Whether somebody has marked it as no longer needed.
      type: bool
    name:
      description: Its name.
      type: str
findings:
  description: What the audit found.
  type: list
  elements: dict
  returned: success
  contains:
    flag:
      description: The flag.
      type: str
    check:
      description: V(stale), V(old), V(full), V(never_seen) or V(no_ticket).
      type: str
    why:
      description: The same in words.
      type: str
text:
  description: All flags as a table, one line each.
  type: list
  elements: str
  returned: success
markdown:
  description: The flags with findings as a table in Markdown. Empty where there are none.
  type: str
  returned: success
listeners:
  description: The processes that get their flags from the system, where it lists them; for Unleash with O(system.application).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The instance's name.
      type: str
    last_seen:
      description: When it last reported, in seconds since the epoch.
      type: float
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.flags import registry
from ansible_collections.steady.rollout.plugins.module_utils.flags.info import core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "system": registry.arguments(),
        "names": {"type": "list", "elements": "str", "default": []},
        "audit": {
            "type": "dict",
            "options": {
                "older_than": {"type": "str", "default": "90d"},
                "full_for": {"type": "str", "default": "14d"},
                "kinds": {"type": "list", "elements": "str", "default": []},
                "ticket": {"type": "str", "default": "[A-Z][A-Z0-9]+-[0-9]+"},
            },
        },
        "fail_on": {"type": "str", "choices": ["findings", "never"], "default": "never"},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
