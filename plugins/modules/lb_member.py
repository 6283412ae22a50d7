#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lb_member
short_description: Put members of a load balancer's pool in service or take them out, and wait for it
version_added: 0.1.0
description:
  - Takes members of a pool out of service and waits until no request is in flight to them,
    or returns them to service and waits until they take traffic.
  - All members are marked first, in one batch. They are then waited for together, under one deadline.
  - Whether enough members stay in rotation is judged on the pool's live state just before the act.
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
      - The guard is judged as well; the claim is not.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  members:
    description:
      - The members, by exactly the names that the load balancer gives them. An unknown one is an error.
      - Requires O(state). Exactly one of O(members) and O(states) is required.
    type: list
    elements: str
  state:
    description:
      - V(in_service) waits until each member takes traffic and its health check, if it has one, has passed.
      - V(drained) sends no new clients, except those that a cookie or stick table ties to the member,
        and waits until nothing is in flight or queued.
      - V(maintenance) sends no clients at all and stops the health checks, and waits in the same way.
    type: str
    choices:
      - in_service
      - drained
      - maintenance
  states:
    description:
      - The state of each member by its name, where they differ.
      - RV(restore) has this form, so that the result of one call can be the input of the next.
    type: dict
  wait:
    description: Whether to wait. The admin state is always read back.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for all members together.
    type: str
    default: "30"
  on_timeout:
    description:
      - What to do with members that have not reached the requested state after O(timeout).
      - V(fail) leaves them unchanged and fails.
      - V(force) ends what is in flight to them, and fails only if something remains. Not for O(state=in_service).
      - V(continue) succeeds, and RV(members) shows which members are not there yet.
      - V(restore) reverts everything that this call changed, and fails.
      - A member that somebody else returns to service meanwhile is a failure with all of these.
    type: str
    choices:
      - fail
      - force
      - continue
      - restore
    default: fail
  require_weight:
    description:
      - Whether a member needs a weight above 0 to count as V(in_service). If false, a member of weight 0, whose group
        has no share of the traffic at the moment, counts as in service as soon as its checks pass.
    type: bool
    default: true
  expected_states:
    description:
      - Change a member only if its admin state now is one of these.
      - A member in any other state was changed by somebody else. It is skipped with a warning and listed in
        RV(drained_externally).
    type: list
    elements: str
    choices:
      - in_service
      - drained
      - maintenance
  guard:
    description:
      - The capacity that must remain. A call that would leave less is refused and changes nothing.
      - Members that take no traffic already are not counted as taken out.
      - Without it, or without O(guard.allow_outage), the last member in rotation is never taken out.
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
        description: Whether the last member in rotation may be taken out.
        type: bool
        default: false
  guard_timeout:
    description:
      - Seconds to wait for other members to return to service while O(guard) refuses. With 0 the first refusal is final.
    type: str
    default: "0"
  claim:
    description:
      - The rollout that makes the change, as recorded in its ledger. The call is refused where the service is claimed
        by another coordinator or by a later run, and a wait ends without a further change as soon as that happens.
  restore_timer:
    description:
      - Whether the members that this call drains are put back in service if the controller disappears, by the timer that
        M(steady.rollout.restore_timer) has armed for O(claim) on this host. Without such a timer this option has no effect.
    type: bool
    default: false
notes:
  - Exclusion between two calls holds on the host where they run. Give O(claim) where several coordinators are possible.
  - HAProxy 2.4 with C(nbproc) above 1 has processes that one socket does not show. It is not supported.
  - Draining or maintaining a server does the same to servers that track it. In the same pool the guard counts them.
seealso:
  - module: steady.rollout.lb_member_info
  - module: steady.rollout.restore_timer
  - module: steady.rollout.health_wait
"""

EXAMPLES = r"""
- name: Drain app1, and end what is left after a minute
  steady.rollout.lb_member:
    balancer:
      socket: /run/haproxy/admin.sock
      master_socket: /run/haproxy-master.sock
      pool: shop
    members: app1
    state: drained
    timeout: 60
    on_timeout: force
  register: drained
  delegate_to: lb1

- name: Restore its previous state
  steady.rollout.lb_member:
    balancer:
      socket: /run/haproxy/admin.sock
      pool: shop
    states: "{{ drained.restore.states }}"
  delegate_to: lb1

- name: Drain a batch, as long as four members stay in rotation and one in each zone
  steady.rollout.lb_member:
    balancer:
      host: lb2
      socket: tcp://192.0.2.12:9999
      pool: shop
    members:
      - app1
      - app2
    state: drained
    expected_states: in_service
    guard:
      min_in_service: 4
      zones:
        - name: a
          members: [app1, app3, app5]
          min_in_service: 1
        - name: b
          members: [app2, app4, app6]
          min_in_service: 1

- name: Take an instance out of an ALB's target group, until it has had no connection for five seconds
  steady.rollout.lb_member:
    balancer:
      type: aws_target_group
      region: eu-central-1
      pool: shop-blue
      targets:
        app1: i-0123456789abcdef0:8080
        app2: i-0fedcba9876543210:8080
      connections_command: [ssh, "{name}", "ss -Htn state established '( sport = :{port} )' | wc -l"]
    members: app1
    state: drained
    timeout: 330
  delegate_to: localhost
"""

RETURN = r"""
pool:
  description: The pool.
  type: str
  returned: always
  sample: shop
members:
  description: What was seen of each member asked for, by name.
  type: dict
  returned: always
  contains:
    before:
      description: Admin state set on it before the call, V(in_service), V(drained) or V(maintenance).
      type: str
    after:
      description: Admin state set on it when it was seen last.
      type: str
    admin:
      description: Admin state in force, RV(members.after) unless that is inherited.
      type: str
    outcome:
      description:
        - V(reached) if it was changed and reached the requested state.
        - V(unchanged) if it was there already.
        - V(not_reached) if it did not get there in time, or somebody else changed it meanwhile.
        - V(forced) if its sessions were ended, V(restored) if its change was reverted, V(drained_externally) if it was skipped.
      type: str
    waited:
      description: Seconds until it was reached or abandoned.
      type: float
    sessions_at_start:
      description: Sessions in flight and queued when the wait began.
      type: int
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
      description: How often its checks have taken it out of rotation. Null where the load balancer does not count that.
      type: int
drained_externally:
  description: Members that somebody else changed. They are skipped.
  type: list
  elements: str
  returned: always
refused:
  description: Whether O(guard) refused the change.
  type: bool
  returned: always
restore:
  description: Options that revert what this call changed.
  type: dict
  returned: always
  contains:
    states:
      description: For O(states), the admin state before the call by member. Empty if nothing was changed.
      type: dict
waited:
  description: Seconds waited in all.
  type: float
  returned: always
actions:
  description: What was done, or would be done in check mode.
  type: list
  elements: str
  returned: always
notes:
  description: Remarks on the figures.
  type: list
  elements: str
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract, registry
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.change import core
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.plan import GUARD_ARGUMENTS
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.request import ON_TIMEOUT

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "balancer": registry.arguments(),
        "members": {"type": "list", "elements": "str"},
        "state": {"type": "str", "choices": list(contract.ADMIN_STATES)},
        "states": {"type": "dict"},
        "wait": {"type": "bool", "default": True},
        "timeout": {"type": "str", "default": "30"},
        "on_timeout": {"type": "str", "choices": list(ON_TIMEOUT), "default": "fail"},
        "require_weight": {"type": "bool", "default": True},
        "expected_states": {"type": "list", "elements": "str", "choices": list(contract.ADMIN_STATES)},
        "guard": {"type": "dict", "options": GUARD_ARGUMENTS},
        "guard_timeout": {"type": "str", "default": "0"},
        "claim": {"type": "dict", "options": claims.ARGUMENTS},
        "restore_timer": {"type": "bool", "default": False},
    },
    "required_one_of": [("members", "states")],
    "mutually_exclusive": [("members", "states"), ("state", "states")],
    "required_together": [("members", "state")],
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
