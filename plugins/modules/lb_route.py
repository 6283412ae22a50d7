#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lb_route
short_description: Route requests with a given header or cookie to a fixed target, whatever the weights
version_added: 0.1.0
description:
  - Requests that have a header or a cookie of a given name, with exactly a given value, go to a given target. All
    other requests go by the weights, as before.
  - A route that the load balancer accepts but does not show afterwards is an error. Whether requests reach the target
    depends on the part of its configuration that looks the route up, which the examples show for each type.
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
  state:
    description: Whether the requests go to O(target), or by the weights again.
    type: str
    choices:
      - present
      - absent
    default: present
  header:
    description:
      - The header's name. Its case is ignored.
      - Exactly one of this and O(cookie) is required.
    type: str
  cookie:
    description: The cookie's name.
    type: str
  value:
    description:
      - The value of the header or cookie. nginx and AWS ignore its case.
      - Up to 64 letters, digits and C(._~:@/+=-).
    type: str
    required: true
  target:
    description:
      - Where the requests go, by the name that the load balancer has for it. One that it does not know is an error.
      - For HAProxy a backend, or a server of O(balancer.pool). For nginx an upstream, for Apache a balancer, for Envoy
        a cluster and for AWS a target group.
      - Required if O(state=present).
    type: str
notes:
  - nginx and Apache are reloaded for a change, which closes idle connections of clients and nothing else.
  - With an ALB the rule stands after all others, where O(balancer.pool) is a listener and so its default action, and
    otherwise right before that rule, in a free priority that it keeps. It has that rule's conditions, too.
  - Network Load Balancers and Route 53 see no requests and so have no routes.
  - Apache leaves requests whose path has C(%25), C(%3F) or C(%23) in it to the weights.
  - Exclusion between two calls holds on the host where they run. Give O(claim) where several coordinators are possible.
seealso:
  - module: steady.rollout.lb_weight
  - module: steady.rollout.lb_page
"""

EXAMPLES = r"""
# haproxy.cfg, once, with an empty file /etc/haproxy/routes.map. This is for routes to backends; for routes to servers
# of the pool its backend has 'use-server %[var(txn.route)] if { var(txn.route) -m found }' instead of use_backend.
#
#   frontend front
#     http-request set-var(txn.header) req.fhdr(x-canary)
#     http-request set-var(txn.cookie) req.cook(canary)
#     http-request set-var(txn.route) str(x-canary=),concat(,txn.header),map(/etc/haproxy/routes.map)
#     http-request set-var(txn.route) str(cookie:canary=),concat(,txn.cookie),map(/etc/haproxy/routes.map)
#     use_backend %[var(txn.route)] if { var(txn.route) -m found }
#     default_backend shop
- name: Send requests with 'X-Canary - green' to the backend shop-green
  steady.rollout.lb_route:
    balancer:
      socket: /run/haproxy/admin.sock
      route_file: /etc/haproxy/routes.map
      pool: shop
    header: X-Canary
    value: green
    target: shop-green
  delegate_to: lb1

# nginx.conf, once, where /etc/nginx/routes.conf holds the map of the header. For a cookie it is $cookie_canary; for both,
# a second map has $shop_route as its default.
#
#   map $http_x_canary $shop_route { default shop; }
#
#   http {
#     include /etc/nginx/upstreams.conf;
#     include /etc/nginx/routes.conf;
#     server {
#       location / { proxy_pass http://$shop_route; }
#     }
#   }
- name: The same at an nginx
  steady.rollout.lb_route:
    balancer:
      type: nginx
      upstream_file: /etc/nginx/upstreams.conf
      route_file: /etc/nginx/routes.conf
      pool: shop
    header: X-Canary
    value: green
    target: shop-green
  delegate_to: lb1

# In Apache's <VirtualHost>, once, with an empty file /etc/apache2/routes.conf; it needs mod_rewrite.
#
#   Include /etc/apache2/routes.conf
#   ProxyPass / balancer://shop/
- name: The same at an Apache, for a cookie
  steady.rollout.lb_route:
    balancer:
      type: apache
      manager_url: http://127.0.0.1/balancer-manager
      route_file: /etc/apache2/routes.conf
      pool: shop
    cookie: canary
    value: green
    target: shop-green
  delegate_to: lb1

- name: The same at an Envoy, in front of the routes of the virtual host shop
  steady.rollout.lb_route:
    balancer:
      type: envoy
      admin: 127.0.0.1:9901
      rds_file: /etc/envoy/routes.json
      pool: shop
    header: X-Canary
    value: green
    target: shop-green
  delegate_to: lb1

- name: The same at an ALB, by a rule in front of the listener's default action
  steady.rollout.lb_route:
    balancer:
      type: aws_listener
      region: eu-central-1
      pool: front:443
    header: X-Canary
    value: green
    target: shop-green
  delegate_to: localhost

- name: Remove the route
  steady.rollout.lb_route:
    balancer:
      socket: /run/haproxy/admin.sock
      route_file: /etc/haproxy/routes.map
      pool: shop
    header: X-Canary
    value: green
    state: absent
  delegate_to: lb1
"""

RETURN = r"""
pool:
  description: The pool.
  type: str
  returned: always
  sample: shop
testers:
  description: The requests that the route applies to.
  type: str
  returned: always
  sample: header x-canary=green
before:
  description: The target before the call. Empty where the requests went by the weights.
  type: str
  returned: always
  sample: ""
after:
  description: The target now, read back from the load balancer. In check mode what it would be.
  type: str
  returned: always
  sample: shop-green
actions:
  description: What was done, or would be done in check mode.
  type: list
  elements: str
  returned: always
notes:
  description: Remarks.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.pools.header_route import core

SPEC = {
    "argument_spec": {
        "balancer": registry.arguments(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "header": {"type": "str"},
        "cookie": {"type": "str"},
        "value": {"type": "str", "required": True},
        "target": {"type": "str"},
        "claim": {"type": "dict", "options": claims.ARGUMENTS},
    },
    "mutually_exclusive": [("header", "cookie")],
    "required_one_of": [("header", "cookie")],
    "required_if": [("state", "present", ("target",))],
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
