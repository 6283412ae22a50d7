#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_flag
short_description: Turn a feature flag on, off, or kill it, and verify that the applications have seen it
version_added: 0.1.0
author:
  - The steady.rollout maintainers (@steady-rollout)
description:
  - Sets one flag in a file of the application, a definition file of flagd, Redis, Unleash, LaunchDarkly, Split or Flagsmith. What
    was set is read back. If somebody else changes the flag at the same time, it is set again; after several attempts the module fails.
  - With O(instances) every instance of the application is asked until it answers with the new value, so that the result says
    when the flag was set and when everybody has seen it.
  - Needs no lease of a rollout, so that a feature can be killed while a rollout runs. With O(service) that rollout is paused too.
  - Rules of others for the same flag, such as a second strategy in Unleash, are shown, and refuse V(on) unless
    O(allow_rules) is set. V(off) and V(killed) are never refused for them.
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.flag_system
attributes:
  check_mode:
    support: full
    details:
      - The instances are not asked.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: The flag's name, up to 100 letters, digits, C(_), C(-) and C(.).
    type: str
    required: true
  state:
    description:
      - V(on) creates the flag if need be, and turns it on for O(percent) of the users.
      - V(killed) turns it off and keeps O(reason) where the system has a place for it. A later V(on) or V(off) takes that away.
      - V(absent) removes the flag. The application then uses its own default.
    type: str
    choices: ["on", "off", killed, absent]
    default: "on"
  percent:
    description: The share of users with O(state=on). A user who is in stays in while the share grows.
    type: int
    default: 100
  segments:
    description:
      - With O(state=on), the segments whose users all get the feature, in addition to the share in O(percent). With O(percent=0)
        no other user gets it. The system must have segments, and these must exist.
      - In Unleash, LaunchDarkly, Split and Flagsmith, they are given by name or key. In a definition file of flagd, a segment is
        an entry of C($evaluators), to which the targeting of flags can refer.
      - If not set, the flag keeps its segments; a O(percent) below 100 is then refused if it has any, unless O(allow_rules) is set.
    type: list
    elements: str
  reason:
    description: Why it is killed; needed with O(state=killed).
    type: str
  kind:
    description: For a flag that is created, what it is for. Audits can be limited to kinds.
    type: str
    default: release
  description:
    description: For a flag that is created, its description. Name the ticket there.
    type: str
  allow_rules:
    description: Whether a flag that has other targeting rules may be turned on.
    type: bool
    default: false
  instances:
    description:
      - URLs at which each instance of the application says in JSON which flags it sees, such as its health check.
      - Not asked for percentages other than 0 and 100, where the answer depends on the user.
    type: list
    elements: str
    default: []
  instances_path:
    description: JMESPath of the flag in such an answer. Without it the flag's name within C(flags).
    type: str
  seen_timeout:
    description: How long the instances may take until the module fails. The flag stays as it was set.
    type: str
    default: "30"
  validate_certs:
    description: Whether certificates of the instances are checked.
    type: bool
    default: true
  service:
    description:
      - With O(state=killed) the service whose rollout is paused with the reason, if one is under way. A coordinator that does
        not answer is a warning and delays nothing.
    type: str
  ledger:
    description: Where its ledger is on the coordinator, as for M(steady.rollout.rollout).
    type: path
notes:
  - Keys are never returned. Keep them in a vault, or give them in the environment.
  - Applications poll at intervals of their own. Unleash's SDKs do so every 15 seconds by default, so a kill is sent in
    a moment and seen up to 15 seconds later.
  - The variable C(rollout_coordinator) says where the ledger of O(service) is.
seealso:
  - module: steady.rollout.feature_flag_info
"""

EXAMPLES = r"""
# ansible localhost -m steady.rollout.feature_flag -a '{"name": "checkout_v2", "state": "killed", "reason": "orders twice",
#   "system": {"type": "redis", "address": "10.0.0.5:6379"}, "service": "shop"}'
- name: Kill a feature and see that no instance serves it any more
  steady.rollout.feature_flag:
    name: checkout_v2
    state: killed
    reason: Orders are booked twice
    system:
      type: redis
      address: 10.0.0.5:6379
      password: "{{ vault_redis_password }}"
    instances:
      - http://app1:8080/health
      - http://app2:8080/health
    service: shop
  delegate_to: localhost

- name: Turn a feature on for a tenth of the users
  steady.rollout.feature_flag:
    name: checkout_v2
    percent: 10
    description: New checkout, SHOP-1234
    system:
      type: unleash
      url: https://unleash.example.com
      token: "{{ vault_unleash_token }}"
      environment: production
  delegate_to: localhost

- name: Turn a feature on only for the users of two segments
  steady.rollout.feature_flag:
    name: checkout_v2
    percent: 0
    segments: [internal, beta]
    system:
      type: unleash
      url: https://unleash.example.com
      token: "{{ vault_unleash_token }}"
  delegate_to: localhost

- name: Turn a feature off in a file of the application
  steady.rollout.feature_flag:
    name: checkout_v2
    state: "off"
    system:
      type: file
      path: /etc/shop/features.env
      reload: systemctl reload shop
"""

RETURN = r"""
msg:
  description: What the flag is now, when that was sent, and who has seen it.
  type: str
  returned: always
  sample: "checkout_v2 is killed (orders twice): sent after 0.2 s, seen by 6 of 6 instances after 0.8 s"
name:
  description: The flag.
  type: str
  returned: always
before:
  description: The flag before the call.
  type: dict
  returned: always
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
after:
  description: The same now, read back. In check mode what it would be.
  type: dict
  returned: always
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
sent_ms:
  description: Milliseconds until the change was made and read back. V(null) where there was none.
  type: int
  returned: always
seen_ms:
  description: Milliseconds from the beginning until all instances had seen it. V(null) where not all did or none was asked.
  type: int
  returned: always
instances:
  description: How many instances were asked.
  type: int
  returned: always
not_seen:
  description: The instances that did not see it in time, and what they answered.
  type: dict
  returned: always
held:
  description: What came of pausing the rollout of O(service). Empty where that was not asked for.
  type: str
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.flags import registry
from ansible_collections.steady.rollout.plugins.module_utils.flags.change import core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "name": {"type": "str", "required": True},
        "system": registry.arguments(),
        "state": {"type": "str", "choices": ["on", "off", "killed", "absent"], "default": "on"},
        "percent": {"type": "int", "default": 100},
        "segments": {"type": "list", "elements": "str"},
        "reason": {"type": "str"},
        "kind": {"type": "str", "default": "release"},
        "description": {"type": "str"},
        "allow_rules": {"type": "bool", "default": False},
        "instances": {"type": "list", "elements": "str", "default": []},
        "instances_path": {"type": "str"},
        "seen_timeout": {"type": "str", "default": "30"},
        "validate_certs": {"type": "bool", "default": True},
        "service": {"type": "str"},
        "ledger": {"type": "path"},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
