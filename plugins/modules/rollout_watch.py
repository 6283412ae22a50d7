#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_watch
short_description: Report what a run's watch observes to the ledger
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - A rollout's watch calls it every few seconds, as long as the run is alive. Each call renews the lease, so that no step
    has to hold it in advance.
  - A host that was proven and fails afterwards is a failure of its version. It counts, stops the rollout and marks the
    version bad like any other, before the next host is admitted.
  - A host that somebody else drains meanwhile is no failure; it counts as out of service.
  - What could not be read is left out, or C(unreachable). Nothing follows from it.
extends_documentation_fragment:
  - steady.rollout.ledger
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call is an observation of its own.
options:
  balancers:
    description: What M(steady.rollout.lb_member_info) returned for each balancer node just now.
    type: list
    elements: dict
    suboptions:
      host:
        description: The balancer node.
        type: str
        required: true
      members:
        description: Its members by name, each with C(admin), C(operational) and C(in_rotation).
        type: dict
      unreachable:
        description: Why the node could not be read, if so.
        type: str
  hosts:
    description: The health of hosts that this rollout has proven, as RV(observe) names them.
    type: list
    elements: dict
    suboptions:
      name:
        description: The host's name.
        type: str
        required: true
      healthy:
        description: What the probe said; leave it out when there was none.
        type: bool
      why:
        description: Why it is not healthy.
        type: str
  read_at:
    description:
      - When the reading of O(balancers) and O(hosts) began, by the coordinator's clock, which RV(now) shows. A host that was
        proven later is not judged by it. If not set, the reading counts as current.
    type: float
seealso:
  - module: steady.rollout.rollout
  - module: steady.rollout.rollout_host
"""

EXAMPLES = r"""
- name: Take the lease
  steady.rollout.rollout: {state: opened, service: shop, version: "2.0.0", ledger: /tmp/steady-example}
  register: opened

- name: Plan
  steady.rollout.rollout:
    state: planned
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
    hosts:
      - {name: app1, healthy: true, version: "1.0.0"}
      - {name: app2, healthy: true, version: "1.0.0"}

- name: Report an observation
  steady.rollout.rollout_watch:
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
    hosts: []
  register: observed

- name: Show what is in flight
  ansible.builtin.debug:
    var: observed.in_flight
"""

RETURN = r"""
msg:
  description: What the observation has changed, in one line.
  type: str
  returned: always
holds_lease:
  description: Whether the run still holds the lease. Once it does not, the watch ends and nothing is changed any more.
  type: bool
  returned: success
is_over:
  description: Whether the rollout has ended and the release of several services that it was part of continues.
  type: bool
  returned: success
holder:
  description: Who holds the lease instead.
  type: dict
  returned: success
now:
  description: The time of this answer by the coordinator's clock, in seconds since 1970.
  type: float
  returned: success
status:
  description: The rollout's status, as for RV(steady.rollout.rollout#module:status).
  type: str
  returned: success
stop:
  description: Whether the rollout has stopped.
  type: bool
  returned: success
reason:
  description: Why it has stopped.
  type: str
  returned: success
in_flight:
  description: The hosts in flight with C(host), C(phase), C(step), C(seconds) since the step began, its C(limit) and the C(version).
  type: list
  elements: dict
  returned: success
observe:
  description: The hosts whose health is to be observed next, and the version each is meant to serve.
  type: dict
  returned: success
waiting:
  description: How many hosts wait for admission.
  type: int
  returned: success
done:
  description: Hosts that are on their target.
  type: int
  returned: success
total:
  description: Hosts in scope.
  type: int
  returned: success
if_interrupted:
  description: The message to the operator if the run is interrupted now, which hosts are drained or half-updated and what a rerun does.
  type: list
  elements: str
  returned: success
progress:
  description: The progress of a release by a feature flag, for the progress line; empty in a rollout.
  type: str
  returned: success
messages:
  description: What the observation has changed, in lines to print.
  type: list
  elements: str
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_watch as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "balancers": {
            "type": "list",
            "elements": "dict",
            "options": {
                "host": {"type": "str", "required": True},
                "members": {"type": "dict"},
                "unreachable": {"type": "str"},
            },
        },
        "hosts": {
            "type": "list",
            "elements": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "healthy": {"type": "bool"},
                "why": {"type": "str"},
            },
        },
        "read_at": {"type": "float"},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
