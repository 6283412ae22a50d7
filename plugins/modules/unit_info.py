#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_info
short_description: Read the state of a systemd unit and the end of its journal
version_added: 0.1.0
description:
  - Reads the state of a unit from systemd. It shows a service that crashes in a loop within a second, long before
    health probes reach their deadline.
author:
  - The steady.rollout maintainers (@steady-rollout)
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
  unit:
    description: The unit's name, such as V(shop.service).
    type: str
    required: true
  lines:
    description: How many of the last lines of its journal are returned, at most 1000. V(0) does not read the journal.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: Read the state of the service
  steady.rollout.unit_info:
    unit: shop.service
  register: unit

- name: Fail where it crashes in a loop
  ansible.builtin.fail:
    msg: "{{ unit.msg }}: {{ unit.journal | join(' | ') }}"
  when: unit.crash_loops or unit.has_failed
"""

RETURN = r"""
unit:
  description: The unit's name.
  type: str
  returned: success
load_state:
  description: Whether the unit is known, such as V(loaded) or V(not-found).
  type: str
  returned: success
active_state:
  description: Its state, such as V(active), V(activating) or V(failed).
  type: str
  returned: success
sub_state:
  description: Its state in detail, such as V(running) or V(auto-restart).
  type: str
  returned: success
result:
  description: How it last ended, such as V(success), V(exit-code), V(signal), V(oom-kill) or V(start-limit-hit).
  type: str
  returned: success
restarts:
  description: How often systemd has restarted it by itself.
  type: int
  returned: success
main_pid:
  description: The number of its main process, V(0) where there is none.
  type: int
  returned: success
stop_timeout:
  description: Seconds that it may take to stop, its C(TimeoutStopSec); none where that is infinite or unknown.
  type: float
  returned: success
invocation_id:
  description: The number of this start of it, another one after each; empty where it never ran.
  type: str
  returned: success
crash_loops:
  description: Whether systemd waits for the next try to start it, or has given up trying.
  type: bool
  returned: success
has_failed:
  description: Whether it is not started again by itself.
  type: bool
  returned: success
journal:
  description: The last lines that it logged; empty where this user may not read the journal.
  type: list
  elements: str
  returned: success
msg:
  description: Its state in one sentence.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.units import core

SPEC = {
    "argument_spec": {
        "unit": {"type": "str", "required": True},
        "lines": {"type": "int", "default": 20},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
