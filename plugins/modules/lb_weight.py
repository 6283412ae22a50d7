#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lb_weight
short_description: Split a load balancer's traffic among groups by shares
version_added: 0.1.0
description:
  - Gives each group of members its percentage of the traffic, by the integer weights that come nearest to it.
  - Every member of a group gets the same weight. A group's share is the sum over its members that take traffic.
  - A group without a healthy member gets no traffic.
  - A change that the load balancer accepts but does not show afterwards is an error.
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
      - The claim is not judged.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  shares:
    description:
      - The percentage of the traffic for each group. Together they are 100.
      - A group with V(0) gets nothing. A share so small that nothing at all would be nearer to it than what weights
        can give is an error, never a silent 0 or 100.
      - RV(before) has this form, so that the result of one call can be the input of the next.
    type: dict
    required: true
  groups:
    description:
      - The members of each group, by exactly the names that the load balancer gives them. An unknown one is an error.
      - Every group has a share, and every member of the pool that takes traffic is in a group.
      - Without it each name in O(shares) is that of a member itself, as where the members are clusters, target groups
        or records.
    type: dict
  wait:
    description:
      - Whether to wait until clients see the new weights where they do so later than the load balancer shows them. With
        Route 53 this is when all name servers have them and the old time to live has passed since.
    type: bool
    default: true
  timeout:
    description: Seconds to wait at most.
    type: str
    default: "600"
notes:
  - The split holds where the load balancer gives out requests by weight, as C(roundrobin) does. C(leastconn) only
    leans towards it, sessions kept by a cookie or stick table stay where they are, and a hash splits clients, not
    requests.
  - Exclusion between two calls holds on the host where they run. Give O(claim) where several coordinators are possible.
seealso:
  - module: steady.rollout.lb_member
  - module: steady.rollout.lb_member_info
"""

EXAMPLES = r"""
- name: Send a twentieth of the requests to the new version
  steady.rollout.lb_weight:
    balancer:
      socket: /run/haproxy/admin.sock
      pool: shop
    shares:
      blue: 95
      green: 5
    groups:
      blue: [app1, app2, app3]
      green: [app4, app5]
  register: split
  delegate_to: lb1

- name: Show the result
  ansible.builtin.debug:
    msg: "asked for {{ split.requested }}, achieved {{ split.achieved }}"

- name: Restore the previous split
  steady.rollout.lb_weight:
    balancer:
      socket: /run/haproxy/admin.sock
      pool: shop
    shares: "{{ split.before }}"
    groups:
      blue: [app1, app2, app3]
      green: [app4, app5]
  delegate_to: lb1

- name: Send a twentieth of an ALB's requests to target group shop-green
  steady.rollout.lb_weight:
    balancer:
      type: aws_listener
      region: eu-central-1
      pool: front:443
      target_groups: [shop-green]
    shares:
      shop-blue: 95
      shop-green: 5
  delegate_to: localhost

- name: Send half of the clients of a name to the other site, and wait until resolvers have the change
  steady.rollout.lb_weight:
    balancer:
      type: route53
      zone: example.com
      pool: shop.example.com
    shares:
      west: 50
      east: 50
  delegate_to: localhost

- name: Send everything to the cluster shop-green, in all routes of an Envoy's virtual host
  steady.rollout.lb_weight:
    balancer:
      type: envoy
      admin: 127.0.0.1:9901
      rds_file: /etc/envoy/routes.json
      pool: shop
    shares:
      shop-blue: 0
      shop-green: 100
  delegate_to: lb1
"""

RETURN = r"""
pool:
  description: The pool.
  type: str
  returned: always
  sample: shop
requested:
  description: Percent of the traffic asked for, by group.
  type: dict
  returned: always
  sample: {blue: 95.0, green: 5.0}
achieved:
  description:
    - Percent of the traffic that each group gets by the weights in force, read back from the load balancer. In check
      mode what it would get.
    - All 0 where no member that takes traffic has a weight.
  type: dict
  returned: always
  sample: {blue: 95.0, green: 5.0}
before:
  description: The same before the call.
  type: dict
  returned: always
  sample: {blue: 100.0, green: 0.0}
groups:
  description: The groups by name.
  type: dict
  returned: always
  contains:
    members:
      description: The members' names.
      type: list
      elements: str
    counted:
      description: How many of them take traffic as soon as they have a weight. Only these make the share.
      type: int
    healthy:
      description: How many of those are fully up.
      type: int
members:
  description: The members by name.
  type: dict
  returned: always
  contains:
    group:
      description: Its group.
      type: str
    before:
      description: Its weight before the call.
      type: int
    after:
      description: Its weight when it was seen last.
      type: int
    counted:
      description: Whether it takes traffic as soon as it has a weight.
      type: bool
    admin:
      description: Admin state, V(in_service), V(drained) or V(maintenance).
      type: str
    operational:
      description: What its checks say.
      type: str
    check:
      description: The last health check, in words.
      type: str
    went_down:
      description: How often its checks have taken it out of rotation. Null where the load balancer does not count that.
      type: int
at_once:
  description:
    - Whether this load balancer changes all weights in the same instant.
    - Otherwise they change one after another within milliseconds, those that rise first.
  type: bool
  returned: always
refused:
  description: Whether the change was refused because a group has no healthy member.
  type: bool
  returned: always
waited:
  description: Seconds waited until clients see the weights.
  type: float
  returned: always
actions:
  description: What was done, or would be done in check mode.
  type: list
  elements: str
  returned: always
notes:
  description: What to know about the figures.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.change import core

SPEC = {
    "argument_spec": {
        "balancer": registry.arguments(),
        "shares": {"type": "dict", "required": True},
        "groups": {"type": "dict"},
        "wait": {"type": "bool", "default": True},
        "timeout": {"type": "str", "default": "600"},
        "claim": {"type": "dict", "options": claims.ARGUMENTS},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
