#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: smoke_test
short_description: Use a service as its users do, request after request
version_added: 0.1.0
description:
  - Sends a list of requests over HTTP, one after the other, and checks each answer. Values of an answer can be kept for the
    requests after it, such as the token of a login.
  - The whole list is gone through on every one of O(targets), up to 16 of them at the same moment, each with kept values and
    cookies of its own.
  - Cookies that the service sets are sent back, as a browser would. They are forgotten when the run ends.
  - What is kept, cookies, credentials in headers and URLs and values with names of secrets (such as C(password) or C(token)) are
    hidden in everything that comes out. The answer of a request that keeps something of its body is never shown.
  - Connections go straight to the service. Proxies from the environment are not used.
  - Durations are plain seconds, or for example V(500ms), V(30s), V(5m) or V(1h30m).
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - The options are checked and nothing is sent, since a request may change what it tests. RV(passed) is V(false) then, and
        the task does not fail.
      - To send the requests in check mode too, set C(check_mode=false) on the task.
  diff_mode:
    support: N/A
    details:
      - This module does not modify state itself.
  idempotent:
    support: full
    details:
      - This module never reports a change. What the requests do to the service is up to them.
options:
  targets:
    description:
      - Where the requests go, as a list of base URLs such as V(http://10.0.0.3:8080), or of dictionaries with C(url) and C(name).
        What has no C(name) is called by its host and port.
      - User and password in a URL are sent as basic authentication and never shown.
      - Not needed where every request names a whole URL.
    type: list
    elements: raw
  requests:
    description:
      - The requests, in order.
      - C(${name}) in their O(requests[].url), O(requests[].headers), O(requests[].body), O(requests[].expect),
        O(requests[].contains) and O(requests[].expect_headers) stands for a value kept by an earlier request. Where C(${) itself
        is meant, write C($${).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the request is called in results and messages. Its method and path unless given.
        type: str
      method:
        description: The HTTP method.
        type: str
        default: GET
      url:
        description:
          - A path that begins with C(/) and is added to each of O(targets), or a whole V(http) or V(https) URL.
          - Kept values in it are percent-encoded. One that it begins with is used as it is, as an address; the request
            goes to the target then, whatever host the address names.
        type: str
        required: true
      headers:
        description: HTTP headers.
        type: dict
        default: {}
      body:
        description:
          - The body, as text or as a structure. In a structure, a text that is nothing but C(${name}) is replaced by the value
            with its type.
        type: raw
      body_format:
        description:
          - How the body is sent. V(json) and V(form-urlencoded) set the content type as well.
          - A structure is sent as V(json) and a text as it is, unless given.
        type: str
        choices: [raw, json, form-urlencoded]
      secret:
        description: Whether the bodies of the request and of its answer are secrets.
        type: bool
        default: false
      status:
        description: HTTP statuses that are good.
        type: list
        elements: int
        default: [200]
      expect:
        description:
          - A JMESPath expression on the JSON answer that has to give the boolean V(true).
          - A kept text belongs in single quotes there (C(id == '${id}')), a kept number in backticks.
          - Anything beyond a plain path needs the Python package C(jmespath) where the module runs.
        type: str
      contains:
        description: A text that the answer has to hold.
        type: str
      expect_headers:
        description: Headers that the answer has to have, each with a text that its value has to hold.
        type: dict
        default: {}
      keep:
        description:
          - Names and what is kept under them of a good answer.
          - C(body) and a JMESPath expression such as V(body.access_token) or V(body.orders[0].id), V(headers.location),
            V(cookies.session), or V(regex:) and a regular expression that is searched in the answer, such as
            V(regex:name="csrf" value="([^"]+\)"); what its first group matches is kept.
          - A text, number or boolean has to be there.
        type: dict
        default: {}
      latency:
        description: The most seconds that a good answer may take.
        type: str
      timeout:
        description: The most seconds for one try, from resolving the name to the last byte, redirects included.
        type: str
        default: "5"
      tries:
        description: How often the request is sent, at most, until its answer is good.
        type: int
        default: 1
      pause:
        description: Seconds between two tries.
        type: str
        default: "1"
      follow_redirects:
        description:
          - Whether redirects are followed, up to five. Credentials are not sent on to another host.
          - A redirect to the name in the C(Host) header stays on the target.
        type: bool
        default: false
  headers:
    description: HTTP headers of all requests. A request's own header of the same name comes first.
    type: dict
    default: {}
  stop_on_failure:
    description:
      - Whether the requests after one that failed are left out, on the same target. With V(false) only those are left out that
        need a value which was not kept.
    type: bool
    default: true
  validate_certs:
    description: Whether the servers' certificates have to be valid.
    type: bool
    default: true
  ca_path:
    description: A file or directory with certificates of authorities to trust as well.
    type: path
  fail:
    description: Whether a request that did not pass fails the task. With V(false) only RV(passed) shows it.
    type: bool
    default: true
author:
  - "The steady.rollout maintainers (@steady-rollout)"
"""

EXAMPLES = r"""
- name: Order something on each host, as a customer would
  steady.rollout.smoke_test:
    targets:
      - name: app1
        url: http://10.0.0.1:8080
      - name: app2
        url: http://10.0.0.2:8080
    requests:
      - name: log in
        method: POST
        url: /login
        body: {user: smoke, password: "{{ smoke_password }}"}
        keep: {token: body.access_token}
      - name: order
        method: POST
        url: /orders
        headers: {Authorization: "Bearer ${token}"}
        body: {article: 1, pieces: 2}
        status: [201]
        keep: {order: headers.location}
      - name: see the order
        url: "${order}"
        headers: {Authorization: "Bearer ${token}"}
        expect: "pieces == `2`"
        latency: 0.5
  delegate_to: localhost

- name: Look at the pages of one site
  steady.rollout.smoke_test:
    requests:
      - url: http://10.0.0.1:8080/
        contains: Welcome
        expect_headers: {Content-Type: text/html}
        tries: 3
  delegate_to: localhost
"""

RETURN = r"""
passed:
  description: Whether every request to every target got a good answer.
  returned: always
  type: bool
  sample: true
requests:
  description: What became of each request, in order, one target after the other.
  returned: always
  type: list
  elements: dict
  contains:
    target:
      description: The name of the target; none where O(targets) is not given.
      type: str
    name:
      description: The name of the request.
      type: str
    method:
      description: Its method.
      type: str
    passed:
      description: Whether its answer was good.
      type: bool
    status:
      description: The HTTP status of the last answer.
      type: int
    seconds:
      description: How long the last try took.
      type: float
    tries:
      description: How often it was sent; V(0) where an earlier failure left it out.
      type: int
    reason:
      description: What came back, and why that is not good.
      type: str
  sample:
    - target: app1
      name: log in
      method: POST
      passed: true
      status: 200
      seconds: 0.0123
      tries: 1
      reason: POST http://10.0.0.1:8080/login answered 200
    - target: app1
      name: order
      method: POST
      passed: false
      status: 500
      seconds: 0.0321
      tries: 1
      reason: "POST http://10.0.0.1:8080/orders answered 500, expected 201 (body: {\"status\": \"failed\"})"
seconds:
  description: How long the whole run took.
  returned: always
  type: float
  sample: 0.046
msg:
  description: The outcome in words.
  returned: always
  type: str
  sample: 3 requests to each of 2 targets passed in 0.1 s.
"""

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module, usable
from ansible_collections.steady.rollout.plugins.module_utils.smoke.core import core
from ansible_collections.steady.rollout.plugins.module_utils.smoke.secrets import SHORTEST, of_params, shown_options

REQUEST = {
    "name": {"type": "str"},
    "method": {"type": "str", "default": "GET"},
    "url": {"type": "str", "required": True, "no_log": True},
    "headers": {"type": "dict", "default": {}, "no_log": True},
    "body": {"type": "raw", "no_log": True},
    "body_format": {"type": "str", "choices": ["raw", "json", "form-urlencoded"]},
    "secret": {"type": "bool", "default": False, "no_log": False},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "expect": {"type": "str"},
    "contains": {"type": "str"},
    "expect_headers": {"type": "dict", "default": {}},
    "keep": {"type": "dict", "default": {}},
    "latency": {"type": "str"},
    "timeout": {"type": "str", "default": "5"},
    "tries": {"type": "int", "default": 1},
    "pause": {"type": "str", "default": "1"},
    "follow_redirects": {"type": "bool", "default": False},
}

SPEC = {
    "argument_spec": {
        "targets": {"type": "list", "elements": "raw", "no_log": True},
        "requests": {"type": "list", "elements": "dict", "required": True, "options": REQUEST},
        "headers": {"type": "dict", "default": {}, "no_log": True},
        "stop_on_failure": {"type": "bool", "default": True},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "fail": {"type": "bool", "default": True},
    },
    "supports_check_mode": True,
}


def hidden(params: dict[str, t.Any]) -> set[str]:
    """Values that no result may show.

    Ansible would hide every figure of a body wherever it occurs: {"pieces": 2} mangled the result.
    """
    return {secret for secret in of_params(params) if len(secret) >= SHORTEST}


def main() -> None:
    module = AnsibleModule(**SPEC)
    params = module.params
    # Ansible would hide every header's value and every figure of a body wherever it occurs, so that "X-Probe: 1" or
    # {"pieces": 2} mangled the result; and it would show the short ones among them in the invocation.
    secrets = of_params(params)
    module.no_log_values = hidden(params)
    module.params = shown_options(params, secrets)
    run_as_module(module, lambda call: core(dataclasses.replace(call, params=usable(params))))


if __name__ == "__main__":
    main()
