#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_compare
short_description: Compare how fast two groups of hosts answer
version_added: 0.1.0
description:
  - Sends the same requests to a candidate and to a baseline at the same time, evenly and in turns, and says whether the candidate
    fails more or is slower than is allowed. So the idle colour of a service is measured before it gets traffic.
  - Connections are kept open, as users' browsers do. A request that has to wait for one counts from the moment it was due.
  - Latencies are those of good answers only. Each verdict rests on bounds of the given O(confidence), not on the bare figures;
    where they lie on both sides of what is allowed, it is V(inconclusive).
  - After 50 failures in a row of one group nothing more is sent.
  - Without O(baseline) it is a load on the candidate that is judged by O(max_failures) and O(max_latency).
  - Connections go straight to the hosts. Proxies from the environment are not used, redirects are not followed.
  - Durations are plain seconds, or for example V(500ms), V(30s), V(5m) or V(1h30m).
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - The options are checked and nothing is sent. RV(verdict) is V(no_data) then, and the task does not fail.
      - To send the requests in check mode too, set C(check_mode=false) on the task.
  diff_mode:
    support: N/A
    details:
      - This module does not modify state itself.
  idempotent:
    support: full
    details:
      - This module never reports a change. What the requests do to the hosts is up to them.
options:
  candidate:
    description: The group to be judged.
    type: dict
    required: true
    suboptions: &group
      name:
        description: What the group is called in results and messages. V(candidate) or V(baseline) unless given.
        type: str
      urls:
        description: The base URLs of its hosts, such as V(http://10.0.0.3:8080). They are asked in turn.
        type: list
        elements: str
        required: true
      headers:
        description:
          - HTTP headers that only this group gets, such as the one by which a balancer recognizes testers.
          - The values of all but a few well-known harmless ones are kept out of results and logs.
        type: dict
        default: {}
  baseline:
    description: The group that it is compared with.
    type: dict
    suboptions: *group
  requests:
    description: What is asked, each in turn. Choose requests that change nothing.
    type: list
    elements: dict
    default: [{path: /}]
    suboptions:
      path:
        description: A path that begins with C(/), perhaps with a query.
        type: str
        required: true
      method:
        description: The HTTP method.
        type: str
        default: GET
      headers:
        description: HTTP headers.
        type: dict
        default: {}
      body:
        description: The body of the request, as text or as a structure that is sent as JSON.
        type: raw
      status:
        description: HTTP statuses that are good.
        type: list
        elements: int
        default: [200]
  rate:
    description: Requests a second to each group, at most 500.
    type: float
    default: 50
  seconds:
    description: For how many seconds they are sent before the verdict.
    type: str
    default: "30"
  max_seconds:
    description:
      - While the verdict is V(inconclusive), it goes on for another O(seconds), up to so many in all. Services whose latencies vary
        much need that.
      - Every bound is taken further so that all analyses together are as sure as O(confidence) says.
    type: str
    default: "90"
  warm_up:
    description: Seconds before that whose answers do not count, to open connections and fill caches.
    type: str
    default: "5"
  connections:
    description: How many connections each group has at most, and so how many requests are under way at a time.
    type: int
    default: 8
  timeout:
    description: The most seconds for one request. A slower one is a failure.
    type: str
    default: "5"
  percentile:
    description: Which percentile of the latencies is judged.
    type: float
    default: 95
  max_slowdown:
    description: How many percent longer than the baseline's the candidate's O(percentile) may be.
    type: float
    default: 20
  negligible:
    description: Seconds by which the candidate may always be slower, however fast the baseline is.
    type: str
    default: "0.002"
  max_latency:
    description: The most seconds that the candidate's O(percentile) may be.
    type: str
  max_failures:
    description: By how many percentage points the candidate's share of failed requests may exceed the baseline's.
    type: float
    default: 1
  min_samples:
    description: How many good answers of each group a verdict on latencies needs.
    type: int
    default: 100
  confidence:
    description: How sure, in percent, each bound is that the verdict rests on, whenever it falls.
    type: float
    default: 95
  validate_certs:
    description: Whether the servers' certificates have to be valid.
    type: bool
    default: true
  ca_path:
    description: A file or directory with certificates of authorities to trust as well.
    type: path
  fail_on:
    description: The verdicts that fail the task. With an empty list only RV(verdict) shows it.
    type: list
    elements: str
    choices: [fail, no_data, inconclusive]
    default: [fail, no_data, inconclusive]
author:
  - "The steady.rollout maintainers (@steady-rollout)"
"""

EXAMPLES = r"""
- name: Green must not be more than a fifth slower than blue
  steady.rollout.http_compare:
    baseline:
      name: blue
      urls: ["http://10.0.0.1:8080", "http://10.0.0.2:8080"]
    candidate:
      name: green
      urls: ["http://10.0.0.3:8080", "http://10.0.0.4:8080"]
    requests:
      - path: /
      - path: /health
    rate: 100
    seconds: 10
    warm_up: 2
  delegate_to: localhost

- name: Put a load on green before it gets traffic
  steady.rollout.http_compare:
    candidate:
      name: green
      urls: ["http://10.0.0.3:8080", "http://10.0.0.4:8080"]
    rate: 200
    seconds: 5
    max_latency: 0.5
  delegate_to: localhost
"""

RETURN = r"""
verdict:
  description:
    - V(pass) or V(fail), V(inconclusive) where the answers do not decide, V(no_data) where there were none.
  returned: always
  type: str
  sample: pass
candidate:
  description: What was seen of the candidate, warm-up aside.
  returned: always
  type: dict
  contains: &figures
    name:
      description: The name of the group.
      type: str
    requests:
      description: How many requests were sent.
      type: int
    failures:
      description: How many of them got no good answer in time.
      type: int
    problems:
      description: Why, and how often each; the five most frequent.
      type: dict
    p50:
      description: Half of the good answers came within so many seconds.
      type: float
    p95:
      description: 95 percent of the good answers came within so many seconds.
      type: float
    p99:
      description: 99 percent of the good answers came within so many seconds.
      type: float
  sample:
    name: green
    requests: 1000
    failures: 0
    problems: {}
    p50: 0.0112
    p95: 0.0234
    p99: 0.0311
baseline:
  description: What was seen of the baseline; none where none was given.
  returned: always
  type: dict
  contains: *figures
  sample:
    name: blue
    requests: 1000
    failures: 0
    problems: {}
    p50: 0.011
    p95: 0.0228
    p99: 0.0325
slowdown:
  description: By how many percent O(percentile) of the candidate is longer than the baseline's; none where that is not known.
  returned: always
  type: dict
  contains:
    percent:
      description: As measured; negative where it is shorter.
      type: float
    low:
      description: It is not less than this, with the confidence asked for.
      type: float
    high:
      description: It is not more than this, with the confidence asked for.
      type: float
  sample:
    percent: 2.6
    low: -5.1
    high: 11.3
seconds:
  description: How long it took.
  returned: always
  type: float
  sample: 35.02
msg:
  description: The verdict in words.
  returned: always
  type: str
  sample: >-
    pass: 0 of 1000 requests to green failed, 0 of 1000 to blue (1 % more allowed); p95 of green 23.4 ms, of blue 22.8 ms: 3 % slower
    (-5 to +11 %), 20 % slower allowed.
"""

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module, usable
from ansible_collections.steady.rollout.plugins.module_utils.load.core import core, secrets_of
from ansible_collections.steady.rollout.plugins.module_utils.smoke.secrets import SHORTEST, shown_options

GROUP = {
    "name": {"type": "str"},
    "urls": {"type": "list", "elements": "str", "required": True, "no_log": True},
    "headers": {"type": "dict", "default": {}, "no_log": True},
}

REQUEST = {
    "path": {"type": "str", "required": True, "no_log": True},
    "method": {"type": "str", "default": "GET"},
    "headers": {"type": "dict", "default": {}, "no_log": True},
    "body": {"type": "raw", "no_log": True},
    "status": {"type": "list", "elements": "int", "default": [200]},
}

SPEC = {
    "argument_spec": {
        "candidate": {"type": "dict", "required": True, "options": GROUP},
        "baseline": {"type": "dict", "options": GROUP},
        "requests": {"type": "list", "elements": "dict", "default": [{"path": "/"}], "options": REQUEST},
        "rate": {"type": "float", "default": 50.0},
        "seconds": {"type": "str", "default": "30"},
        "max_seconds": {"type": "str", "default": "90"},
        "warm_up": {"type": "str", "default": "5"},
        "connections": {"type": "int", "default": 8},
        "timeout": {"type": "str", "default": "5"},
        "percentile": {"type": "float", "default": 95.0},
        "max_slowdown": {"type": "float", "default": 20.0},
        "negligible": {"type": "str", "default": "0.002"},
        "max_latency": {"type": "str"},
        "max_failures": {"type": "float", "default": 1.0},
        "min_samples": {"type": "int", "default": 100},
        "confidence": {"type": "float", "default": 95.0},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "fail_on": {
            "type": "list",
            "elements": "str",
            "choices": ["fail", "no_data", "inconclusive"],
            "default": ["fail", "no_data", "inconclusive"],
        },
    },
    "supports_check_mode": True,
}


def hidden(params: dict[str, t.Any]) -> set[str]:
    """Values that no result may show.

    Ansible would hide harmless values, too.
    """
    return {secret for secret in secrets_of(params) if len(secret) >= SHORTEST}


def main() -> None:
    module = AnsibleModule(**SPEC)
    params = module.params
    # As in smoke_test: Ansible would hide harmless values and show short secrets.
    secrets = secrets_of(params)
    module.no_log_values = hidden(params)
    module.params = shown_options(params, secrets)
    run_as_module(module, lambda call: core(dataclasses.replace(call, params=usable(params))))


if __name__ == "__main__":
    main()
