#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lb_pool
short_description: Add a member to a load balancer's pool or remove it
version_added: 0.1.0
description:
  - A new member is added in the drained state. It takes traffic once M(steady.rollout.lb_member) puts it in service.
  - Before a member is removed it is drained, as by M(steady.rollout.lb_member). It is removed once nothing is in flight to it;
    if that takes longer than O(timeout), O(on_timeout) applies.
  - In HAProxy, only the running process is changed. Its next reload undoes the change unless the configuration is changed too;
    RV(to_configure) says how. For nginx and Envoy, the file that they read is changed; AWS keeps the change.
  - Refused for Apache, Envoy's routes, AWS listeners and rules, and Route 53, whose members cannot be changed this way.
author:
  - The steady.rollout maintainers (@steady-rollout)
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.balancer
  - steady.rollout.claim
attributes:
  check_mode:
    support: full
    details:
      - The guard is judged as well; the claim is not.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  member:
    description: Name of the member in the pool.
    type: str
    required: true
  state:
    description: Whether the member is to be in the pool.
    type: str
    choices:
      - present
      - absent
    default: present
  address:
    description:
      - Address and port of the member, such as V(192.0.2.17:8080) or V([2001:db8::17]:8080). Required with O(state=present).
      - HAProxy and Envoy need an IP address. For AWS it is the target, as V(id:port), and O(member) is the same unless
        O(balancer.targets) names it.
      - It is an error if the member exists with another address.
    type: str
  timeout:
    description: With O(state=absent), seconds to wait until nothing is in flight, and as long again until idle connections are
      closed and the member is removed.
    type: str
    default: "30"
  on_timeout:
    description:
      - With O(state=absent), what to do if something is in flight after O(timeout).
      - V(fail) fails and leaves the member drained. V(force) ends what is in flight. V(restore) puts it back in service and
        fails.
    type: str
    choices:
      - fail
      - force
      - restore
    default: fail
  guard:
    description:
      - With O(state=absent), the capacity that must remain. A call that would leave less is refused and changes nothing.
      - Without it, or without O(guard.allow_outage), the last member in rotation is never removed.
    type: dict
    suboptions:
      min_in_service:
        description: Members that must stay in rotation.
        type: int
      max_out_of_service:
        description: Members that may be out of service for any reason. Members that are down count.
        type: int
      zones:
        description: Minimums for parts of the pool.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: The zone's name, for messages.
            type: str
            required: true
          members:
            description: The members in the zone.
            type: list
            elements: str
            required: true
          min_in_service:
            description: Members of the zone that must stay in rotation.
            type: int
            required: true
      allow_outage:
        description: Whether the last member in rotation may be removed.
        type: bool
        default: false
  guard_timeout:
    description:
      - Seconds to wait for other members to return to service while O(guard) refuses. With 0 the first refusal is final.
    type: str
    default: "0"
notes:
  - HAProxy adds and removes servers at run time from version 2.6 on, in backends with a dynamic algorithm (C(roundrobin),
    C(leastconn) and others; not C(static-rr) nor C(source) with C(hash-type map-based)), and without C(cookie), C(resolvers) and
    other parameters that work only in the configuration.
  - HAProxy removes a server only once it has no connections, idle ones included. Idle connections are closed within seconds
    (C(pool-purge-delay)); this module waits for that.
  - Envoy continues to list a removed member, without traffic, as long as its health check passes.
seealso:
  - module: steady.rollout.lb_member
  - module: steady.rollout.lb_member_info
"""

EXAMPLES = r"""
- name: Add app7 to the pool, without traffic yet
  steady.rollout.lb_pool:
    balancer:
      socket: /run/haproxy/admin.sock
      member_parameters: check inter 1s rise 2 fall 2
      pool: shop
    member: app7
    address: 192.0.2.17:8080
  register: added
  delegate_to: lb1

- name: Show what to change in the configuration as well
  ansible.builtin.debug:
    msg: "{{ added.to_configure }}"
  when: added.to_configure | length > 0

- name: Drain app7 and remove it, as long as four members stay in rotation
  steady.rollout.lb_pool:
    balancer:
      type: nginx
      upstream_file: /etc/nginx/conf.d/upstreams.conf
      pool: shop
    member: app7
    state: absent
    timeout: 60
    guard:
      min_in_service: 4
  delegate_to: lb2
"""

RETURN = r"""
pool:
  description: The pool.
  type: str
  returned: always
  sample: shop
member:
  description: The member.
  type: str
  returned: always
  sample: app7
to_configure:
  description: What to change in the load balancer's configuration so that its next reload does not undo the change. Empty if
    nothing was changed, or if a reload keeps the change.
  type: str
  returned: always
  sample: >-
    HAProxy loses 'app7' at its next reload unless its configuration is changed too: add 'server app7 192.0.2.17:8080 check'
    to backend shop.
msg:
  description: What was done, and RV(to_configure), in one line.
  type: str
  returned: always
actions:
  description: What was done, or would be done in check mode.
  type: list
  elements: str
  returned: always
notes:
  description: Remarks on the load balancer's figures.
  type: list
  elements: str
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.plan import GUARD_ARGUMENTS
from ansible_collections.steady.rollout.plugins.module_utils.pools.membership import PRESENT, STATES, core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "balancer": registry.arguments(),
        "member": {"type": "str", "required": True},
        "state": {"type": "str", "choices": list(STATES), "default": PRESENT},
        "address": {"type": "str"},
        "timeout": {"type": "str", "default": "30"},
        "on_timeout": {"type": "str", "choices": ["fail", "force", "restore"], "default": "fail"},
        "guard": {"type": "dict", "options": GUARD_ARGUMENTS},
        "guard_timeout": {"type": "str", "default": "0"},
        "claim": {"type": "dict", "options": claims.ARGUMENTS},
    },
    "required_if": [("state", "present", ("address",))],
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
