#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lb_page
short_description: Show or remove a maintenance page in front of a pool
version_added: 0.1.0
description:
  - While the page is up, the load balancer itself answers all requests for the pool with status 503 and
    C(Retry-After). Requests in flight finish, uploads included; later ones are answered by the load balancer.
  - Members, weights and everything else stay as they are, so that removing the page restores everything.
  - A page that the load balancer accepts but does not show afterwards is an error. Which requests get it is decided
    by the part of its configuration that looks it up, which the examples show for each type.
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
    description: Whether the page is shown.
    type: str
    choices:
      - present
      - absent
    default: present
  body:
    description:
      - The page's text. HAProxy takes 8000 bytes, Envoy 4096 unless its routes allow for more, AWS 1024, nginx and
        Apache 65536.
    type: str
    default: |
      This service is being maintained and will be back soon.
  content_type:
    description: Its type. AWS has no parameters such as C(charset), and few types.
    type: str
    default: text/plain
  retry_after:
    description: Value of C(Retry-After), in seconds. AWS cannot send it; the result says so.
    type: int
    default: 300
notes:
  - The page covers what goes to the pool, testers' routes to elsewhere (M(steady.rollout.lb_route)) included. With HAProxy
    and nginx that is what passes the lines shown in the examples; with Apache all that is sent to the balancer, its
    own pages left alone; with Envoy a whole virtual host or the routes of a name; with an ALB a rule or the default action.
  - nginx and Apache are reloaded for it, which closes idle connections of clients and nothing else.
  - Network Load Balancers and Route 53 see no requests and so have no pages.
  - HAProxy shows a space for each run of line breaks.
  - Exclusion between two calls holds on the host where they run. Give O(claim) where several coordinators are possible.
seealso:
  - module: steady.rollout.lb_route
  - module: steady.rollout.lb_member
"""

EXAMPLES = r"""
# haproxy.cfg, once, with an empty file /etc/haproxy/pages.map.
#
#   frontend front
#     http-request set-var(txn.page) str(shop),map(/etc/haproxy/pages.map)
#     acl page var(txn.page) -m found
#     http-request return status 503 content-type text/plain hdr Retry-After %[var(txn.page),field(1,:)] lf-string %[var(txn.page),field(3,:),b64dec] if page
#     http-after-response set-header Content-Type %[var(txn.page),field(2,:),b64dec] if page
#     default_backend shop
- name: Show the maintenance page
  steady.rollout.lb_page:
    balancer:
      socket: /run/haproxy/admin.sock
      page_file: /etc/haproxy/pages.map
      pool: shop
    body: "{{ lookup('ansible.builtin.file', 'maintenance.html') }}"
    content_type: text/html; charset=utf-8
    retry_after: 600
  delegate_to: lb1

- name: Remove it
  steady.rollout.lb_page:
    balancer:
      socket: /run/haproxy/admin.sock
      page_file: /etc/haproxy/pages.map
      pool: shop
    state: absent
  delegate_to: lb1

# In nginx's server block, once, with an empty file /etc/nginx/shop-page.conf.
#
#   server {
#     include /etc/nginx/shop-page.conf;
#     location / { proxy_pass http://shop; }
#   }
- name: Show a plain one at an nginx
  steady.rollout.lb_page:
    balancer:
      type: nginx
      upstream_file: /etc/nginx/upstreams.conf
      page_file: /etc/nginx/shop-page.conf
      pool: shop
  delegate_to: lb1

# In Apache's <VirtualHost>, once, with an empty file /etc/apache2/shop-page.conf; it needs mod_rewrite and mod_headers.
#
#   Include /etc/apache2/shop-page.conf
#   ProxyPass / balancer://shop/
- name: The same at an Apache
  steady.rollout.lb_page:
    balancer:
      type: apache
      manager_url: http://127.0.0.1/balancer-manager
      page_file: /etc/apache2/shop-page.conf
      pool: shop
  delegate_to: lb1

- name: The same at an Envoy, for the whole virtual host shop
  steady.rollout.lb_page:
    balancer:
      type: envoy
      admin: 127.0.0.1:9901
      rds_file: /etc/envoy/routes.json
      pool: shop
  delegate_to: lb1

- name: The same at an ALB, for what goes to the listener's default action
  steady.rollout.lb_page:
    balancer:
      type: aws_listener
      region: eu-central-1
      pool: front:443
  delegate_to: localhost
"""

RETURN = r"""
pool:
  description: The pool.
  type: str
  returned: always
  sample: shop
before:
  description: The page shown before the call. Empty where there was none.
  type: dict
  returned: always
  contains:
    status:
      description: The status that clients get, 503.
      type: int
    body:
      description: The page's text.
      type: str
    content_type:
      description: Its type.
      type: str
    retry_after:
      description: Value of C(Retry-After), in seconds. V(null) where the load balancer cannot send it.
      type: int
after:
  description: The same now, read back from the load balancer. In check mode what it would be.
  type: dict
  returned: always
  contains:
    status:
      description: The status that clients get, 503.
      type: int
    body:
      description: The page's text.
      type: str
    content_type:
      description: Its type.
      type: str
    retry_after:
      description: Value of C(Retry-After), in seconds. V(null) where the load balancer cannot send it.
      type: int
actions:
  description: What was done, or would be done in check mode.
  type: list
  elements: str
  returned: always
notes:
  description: What to know about it.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.pools.maintenance_page import core

SPEC = {
    "argument_spec": {
        "balancer": registry.arguments(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "body": {"type": "str", "default": "This service is being maintained and will be back soon.\n"},
        "content_type": {"type": "str", "default": "text/plain"},
        "retry_after": {"type": "int", "default": 300},
        "claim": {"type": "dict", "options": claims.ARGUMENTS},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
