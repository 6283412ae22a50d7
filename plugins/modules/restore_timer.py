#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_timer
short_description: Restore what a rollout has drained, if its controller disappears
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - A dead man's switch. Runs on a load balancer's host, where it arms a timer for the run that has claimed the service.
  - Members that the run then drains with O(steady.rollout.lb_member#module:restore_timer) are put back in service on that
    host if no heartbeat of the run has arrived for O(after), and their hosts were not being changed.
  - Members whose hosts were being changed stay out of service. The journal of the host and the next run say so.
  - Nothing is restored once another run has claimed the service. Each decision is made under the claim's lock.
  - The timer is a systemd unit in C(/etc/systemd/system), or an entry in C(/etc/cron.d) where there is no systemd, so it
    outlasts a reboot. It is removed when it is disarmed.
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.claim
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description:
      - V(armed) has the host look at the timer about twenty times in O(after), at least every minute, with cron every minute.
      - V(renewed) is the heartbeat of the run. It does nothing where the run has armed no timer.
      - V(changing) marks O(members) as being changed, before the first step that could change their hosts. It fails
        where the timer has put one of them back.
      - V(disarmed) removes the timer.
    type: str
    choices: [armed, renewed, changing, disarmed]
    required: true
  claim:
    required: true
  after:
    description: For V(armed), the time without a heartbeat, at least 30 seconds.
    type: str
    default: 10m
  claim_before:
    description:
      - For V(armed), the claim that this run has replaced, as RV(steady.rollout.rollout_claim#module:claim_before). What that
        run has drained on this host and left is then this run's to restore.
    type: dict
  members:
    description: For V(changing), the members, as the load balancer names them.
    type: list
    elements: str
  refused:
    description:
      - For V(disarmed), whether the run was refused before it began. Then the timer stays for what a run before it has drained.
    type: bool
    default: false
  digest:
    description: The SHA-256 of the program that the timer runs.
    type: str
  program:
    description: The program in base64. It is needed where RV(needs_program) was returned.
    type: str
seealso:
  - module: steady.rollout.lb_member
  - module: steady.rollout.rollout_claim
"""

EXAMPLES = r"""
- name: Say that this run is still there
  steady.rollout.restore_timer:
    state: renewed
    claim: {service: shop, ledger: 3f1c, token: 7, directory: /tmp/steady-example/claims}

- name: Leave app1 out of service from here on, whatever happens to this controller
  steady.rollout.restore_timer:
    state: changing
    members: [app1]
    claim: {service: shop, ledger: 3f1c, token: 7, directory: /tmp/steady-example/claims}
"""

RETURN = r"""
armed:
  description: Whether a timer of this run is armed on the host.
  type: bool
  returned: always
why_not:
  description: Why none could be armed.
  type: str
  returned: always
needs_program:
  description: Whether the host has not kept the program of that O(digest).
  type: bool
  returned: always
reports:
  description:
    - For V(armed) and V(disarmed), what the timer has done since the service's claim was taken before, each with C(at), C(where),
      C(member), C(outcome) (V(restored), V(left_changing), V(left_alone)) and C(why).
  type: list
  elements: dict
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.core import STATES, core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": list(STATES), "required": True},
        "claim": {"type": "dict", "options": claims.ARGUMENTS, "required": True},
        "after": {"type": "str", "default": "10m"},
        "claim_before": {"type": "dict"},
        "members": {"type": "list", "elements": "str"},
        "refused": {"type": "bool", "default": False},
        "digest": {"type": "str"},
        "program": {"type": "str", "no_log": True},
    },
    "required_if": [("state", "changing", ("members",)), ("state", "armed", ("digest",))],
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
