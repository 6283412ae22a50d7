#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lb_member_info
short_description: Read the members of a load balancer's pool
version_added: 0.1.0
description:
  - Reads admin state, operational state, weight, sessions and queue of the members of a pool.
author:
  - The steady.rollout maintainers (@steady-rollout)
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.attributes.info_module
  - steady.rollout.balancer
options:
  members:
    description: The members to read, by exactly the names that the load balancer gives them. All if not given.
    type: list
    elements: str
    default: []
  require_admin:
    description: Whether to fail if the socket does not allow changes. Nothing is changed to find out.
    type: bool
    default: false
  counters:
    description:
      - Whether to read the node's counters for each member as well.
      - Supported by HAProxy and Envoy. With the others the module fails.
    type: bool
    default: false
seealso:
  - module: steady.rollout.lb_member
"""

EXAMPLES = r"""
- name: Read a pool, and make sure that it may be changed
  steady.rollout.lb_member_info:
    balancer:
      socket: /run/haproxy/admin.sock
      pool: shop
    require_admin: true
  register: shop
  delegate_to: lb1

- name: Show which members take traffic
  ansible.builtin.debug:
    msg: "{{ shop.members | dict2items | selectattr('value.in_rotation') | map(attribute='key') }}"

- name: Read how many requests each member has answered, and how
  steady.rollout.lb_member_info:
    balancer:
      socket: /run/haproxy/admin.sock
      pool: shop
    counters: true
  register: counted
  delegate_to: lb1
"""

RETURN = r"""
pool:
  description: The pool.
  type: str
  returned: success
  sample: shop
host:
  description: The node's name as given.
  type: str
  returned: success
version:
  description: The version of the load balancer.
  type: str
  returned: success
  sample: 2.6.12
members:
  description: The members by name.
  type: dict
  returned: success
  contains:
    admin:
      description: Admin state in force, V(in_service), V(drained) or V(maintenance).
      type: str
    own:
      description: Admin state set on this very member.
      type: str
    operational:
      description:
        - V(up), V(no_check), V(down), V(starting) for a slow start, V(stopping) if its check says so,
          V(paused) in maintenance, where it is not checked.
        - V(initial) and V(unused) for AWS targets whose checks have not begun or not come to an end, and for those that
          AWS does not use, for the reason in RV(members.check).
        - V(going_down) if it takes traffic but its last check failed, or none has passed since maintenance.
      type: str
    weight:
      description: Its weight.
      type: int
    sessions:
      description: Requests or, in TCP mode, connections in flight. Idle keep-alive connections are none.
      type: int
    queue:
      description: Requests waiting for this member.
      type: int
    old_sessions:
      description: In flight and queued in processes that a reload left behind. Null where they cannot be seen.
      type: int
    in_rotation:
      description: Whether new traffic goes to it.
      type: bool
    address:
      description: Its address and port.
      type: str
    backup:
      description: Whether it takes traffic only when no other member can.
      type: bool
    tracks:
      description: The C(pool/member) whose state it copies, if any.
      type: str
    inherited:
      description: Whether RV(members.admin) comes from a tracked member or from an address that cannot be resolved.
      type: bool
    agent:
      description: Whether an agent check may change it.
      type: bool
    check:
      description: The last health check, in words.
      type: str
    went_down:
      description:
        - How often its checks have taken it out of rotation since the load balancer's process began. Null where it does not
          count that; HAProxy does.
      type: int
    counters:
      description: The node's counters for it. They only grow while RV(series) stays the same.
      type: dict
      returned: with O(counters=true)
      contains:
        requests:
          description: Requests that ended, with an answer or without any.
          type: int
        errors:
          description: Of these, the ones answered with 5xx and the ones that the member sent an invalid response to.
          type: int
        latency:
          description: Milliseconds until the answer, as a mean over the last requests. Null where it is not reported.
          type: float
        timed:
          description: Requests that went into the mean.
          type: int
        window:
          description: How many of the last requests the mean looks back on, an older one counting ever less.
          type: int
        histogram:
          description: The latencies as lists of lower bound, width (milliseconds) and count. Only of Envoy's clusters.
          type: list
          elements: list
series:
  description: Changes when the node's counters start again from 0, as after a reload.
  type: str
  returned: with O(counters=true)
requests:
  description:
    - What single requests the node has logged, in slices of five seconds over the last two minutes, oldest first. Each has C(at),
      when it ended (seconds since 1970), and C(members), by member and kind of request a list of requests, bad ones, and pairs
      of a latency bin (0.1 ms times 1.2 to the power of its number, less one) and how many requests fell into it.
  type: list
  elements: dict
  returned: with O(counters=true) and O(balancer.request_log)
pool_queue:
  description: Requests that wait for any member of the pool.
  type: int
  returned: success
notes:
  description: What to know about the figures.
  type: list
  elements: str
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.change import info_core as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "balancer": registry.arguments(),
        "members": {"type": "list", "elements": "str", "default": []},
        "require_admin": {"type": "bool", "default": False},
        "counters": {"type": "bool", "default": False},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
