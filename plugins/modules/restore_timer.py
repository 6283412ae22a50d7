#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_timer
short_description: Put drained members back in service if the controller of a rollout disappears
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - A dead man's switch. Runs on a load balancer's host, where it arms a timer for the run that has claimed the service.
  - Members that the run then drains with O(steady.rollout.lb_member#module:restore_timer) are put back in service on that
    host if no heartbeat from the run arrives for O(after), unless their hosts are being changed.
  - Members whose hosts are being changed stay out of service. The journal of the host and the next run report them.
  - Nothing is restored once another run has claimed the service. Each decision is made under the claim's lock.
  - The timer is a systemd unit in C(/etc/systemd/system), or an entry in C(/etc/cron.d) where there is no systemd, so it
    survives a reboot. Disarming removes it.
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
      - V(armed) makes the host check the timer about twenty times in O(after), at least every minute; with cron every minute.
      - V(renewed) is the heartbeat of the run. It does nothing if the run has armed no timer.
      - V(changing) marks O(members) as being changed, before the first step that could change their hosts. It fails
        if the timer has already put one of them back in service.
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
      - For V(armed), the claim that this run has replaced, as RV(steady.rollout.rollout_claim#module:claim_before). The new
        timer then also restores what that run has left drained on this host.
    type: dict
  members:
    description: For V(changing), the members, as the load balancer names them.
    type: list
    elements: str
  refused:
    description:
      - For V(disarmed), whether the run was refused before it began. The timer then stays for what an earlier run has drained.
    type: bool
    default: false
  digest:
    description: The SHA-256 of the program that the timer runs.
    type: str
  program:
    description: The program in base64, needed after a call has returned RV(needs_program).
    type: str
seealso:
  - module: steady.rollout.lb_member
  - module: steady.rollout.rollout_claim
"""

EXAMPLES = r"""
- name: Send the heartbeat of this run
  steady.rollout.restore_timer:
    state: renewed
    claim: {service: shop, ledger: 3f1c, token: 7, directory: /tmp/steady-example/claims}

- name: Keep app1 out of service from now on, even if this controller disappears
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
  description: Why no timer could be armed; empty otherwise.
  type: str
  returned: always
needs_program:
  description: Whether the host lacks the program with that O(digest), so that the call must be repeated with O(program).
  type: bool
  returned: always
reports:
  description:
    - For V(armed) and V(disarmed), what the timer has done since the previous claim of the service, each with C(at), C(where),
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
