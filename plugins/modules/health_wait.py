#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_wait
short_description: Wait until many targets are healthy, and stay so
version_added: 0.1.0
description:
  - Probes any number of targets at once, over HTTP, TCP or by a command, until all of them are healthy or the deadline
    has come.
  - A target is healthy after O(successes) good probes in a row that span at least O(min_healthy_time) seconds. One bad probe
    in between starts both again.
  - A target that became healthy is probed until the others are healthy too, so that in the end all were healthy at the
    same time.
  - The wait ends early when the proof can no longer be complete at the deadline.
  - Every probe uses a new connection that goes straight to the target. Proxies from the environment are not used.
  - Durations are plain seconds, or for example V(500ms), V(30s), V(5m) or V(1h30m).
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - Probes each target once and does not wait. Unhealthy targets are a warning then, not a failure.
  diff_mode:
    support: N/A
    details:
      - This module does not modify state.
  idempotent:
    support: full
    details:
      - This module does not modify state.
options:
  targets:
    description: What has to be healthy. All are probed in parallel, up to 32 at the same moment.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the target is called in results and messages, such as the name of its host.
        type: str
        required: true
      url:
        description:
          - An V(http) or V(https) URL. User and password in it are sent as basic authentication and never shown.
          - Exactly one of O(targets[].url), O(targets[].tcp) and O(targets[].command) is needed.
        type: str
      tcp:
        description: V(host:port) that has to accept a connection.
        type: str
      command:
        description:
          - A command that has to end with exit code 0, as a list of words or as one line that is split like a shell would.
            No shell is involved.
          - It runs where the module runs. What it prints may be JSON for O(targets[].expect) and O(targets[].version).
        type: raw
      method:
        description: The HTTP method.
        type: str
        default: GET
      headers:
        description:
          - HTTP headers.
          - The values of all but a few well-known harmless ones, such as C(Accept) and C(Host), are kept out of results
            and logs.
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
      expect:
        description:
          - A JMESPath expression on the JSON answer that has to give the boolean V(true).
          - Anything beyond a plain path needs the Python package C(jmespath) where the module runs.
        type: str
      version:
        description: The version that has to be found in the answer.
        type: str
      version_path:
        description: A JMESPath expression that finds the version in the JSON answer.
        type: str
        default: version
      version_placeholder:
        description:
          - A text in O(targets[].expect) that stands for whatever version the answer itself names, so that health can be
            judged while any version may be running. Where the answer names none, O(targets[].expect) is not judged.
        type: str
      revision:
        description: The revision that has to be found in the answer, besides the version; any will do where it is empty.
        type: str
      revision_path:
        description:
          - A JMESPath expression that finds the revision in the JSON answer, V(revision) where O(targets[].revision) is given.
            Where neither is given no revision is read.
        type: str
      revision_placeholder:
        description: What O(targets[].version_placeholder) is to the version, to the revision.
        type: str
      latency:
        description: The most seconds that an answer may take. Slower ones are bad probes.
        type: str
      timeout:
        description: The most seconds for one probe, from resolving the name to the last byte.
        type: str
        default: "5"
      follow_redirects:
        description: Whether redirects are followed, up to five. Credentials are not sent on to another host.
        type: bool
        default: false
      validate_certs:
        description: Whether the server's certificate has to be valid.
        type: bool
        default: true
      ca_path:
        description: A file or directory with certificates of authorities to trust as well.
        type: path
  successes:
    description: How many good probes in a row are needed.
    type: int
    default: 3
  min_healthy_time:
    description:
      - For how many seconds a target must be good without a failure. Has to be shorter than O(timeout).
    type: str
    default: "10"
  timeout:
    description:
      - The healthy deadline in seconds, for all targets together.
      - V(0) probes each target once and never waits; one good probe is enough then.
    type: str
    default: "300"
  interval:
    description: Seconds between two probes of a target. The first ones come faster, from 0.1 seconds on.
    type: str
    default: "1"
  fail:
    description: Whether a target that is not healthy fails the task. With V(false) only RV(healthy) shows it.
    type: bool
    default: true
author:
  - "The steady.rollout maintainers (@steady-rollout)"
"""

EXAMPLES = r"""
- name: Wait until the service is healthy on its new version
  steady.rollout.health_wait:
    targets:
      - name: "{{ inventory_hostname }}"
        url: "http://{{ ansible_host }}:8080/health"
        expect: "status == 'healthy'"
        version: "2.0.0"
  delegate_to: localhost

- name: Look once at the whole fleet without waiting
  steady.rollout.health_wait:
    targets:
      - name: app1
        url: http://10.0.0.1:8080/health
        latency: 0.5
      - name: database
        tcp: 10.0.0.9:5432
      - name: replication
        command: /usr/local/bin/replication-is-fine --quiet
    timeout: 0
    fail: false
  register: fleet
  run_once: true
  delegate_to: localhost

- name: Expect a service with credentials to stay healthy for a minute
  steady.rollout.health_wait:
    targets:
      - name: shop
        url: https://shop.example.com/health
        headers:
          Authorization: "Bearer {{ shop_token }}"
        status: [200, 204]
    min_healthy_time: 60
    timeout: 600
    interval: 5
  delegate_to: localhost
"""

RETURN = r"""
healthy:
  description: Whether all targets are healthy.
  returned: always
  type: bool
  sample: true
targets:
  description: What was seen of each target, by its name.
  returned: always
  type: dict
  contains:
    healthy:
      description: Whether the target is healthy.
      type: bool
    version:
      description: The version found in the latest answer.
      type: str
    revision:
      description: The revision found in the latest answer, where one is read.
      type: str
    attempts:
      description: How many probes there were.
      type: int
    successes:
      description: How many of them were good.
      type: int
    flaps:
      description: How often a failure followed a success.
      type: int
    healthy_for:
      description: Seconds between the first and the latest probe of the unbroken run of good ones.
      type: float
    last:
      description: The latest probe.
      type: dict
      contains:
        ok:
          description: Whether it was good.
          type: bool
        reason:
          description: What was seen, and why that is not good.
          type: str
        status:
          description: The HTTP status or the command's exit code.
          type: int
        latency:
          description: Seconds until the answer was complete.
          type: float
        version:
          description: The version found.
          type: str
        revision:
          description: The revision found.
          type: str
        body:
          description: The first 200 characters of the answer, secrets replaced.
          type: str
    history:
      description: The latest 50 runs of probes that saw the same.
      type: list
      elements: dict
      contains:
        at:
          description: When the run's first probe ended, in seconds since the wait began.
          type: float
        until:
          description: When its latest probe ended.
          type: float
        times:
          description: How many probes it has.
          type: int
        ok:
          description: Whether they were good.
          type: bool
        reason:
          description: What they saw.
          type: str
        latency:
          description: The longest of their latencies in seconds.
          type: float
  sample:
    app1:
      healthy: true
      version: 2.0.0
      revision: null
      attempts: 15
      successes: 13
      flaps: 0
      healthy_for: 10.4
      last:
        ok: true
        reason: http://10.0.0.1:8080/health answered 200
        status: 200
        latency: 0.004
        version: 2.0.0
        revision: null
        body: '{"status": "healthy", "version": "2.0.0"}'
      history:
        - at: 0.001
          until: 0.102
          times: 2
          ok: false
          reason: http://10.0.0.1:8080/health refused the connection
          latency: 0.001
        - at: 0.252
          until: 10.652
          times: 13
          ok: true
          reason: http://10.0.0.1:8080/health answered 200
          latency: 0.006
waited:
  description: Seconds that the wait took.
  returned: always
  type: float
  sample: 10.652
msg:
  description: The outcome in words.
  returned: always
  type: str
  sample: app1 healthy after 10.7 s.
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.health.core import core
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import secrets_of

TARGET = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str"},
    "tcp": {"type": "str"},
    "command": {"type": "raw"},
    "method": {"type": "str", "default": "GET"},
    "headers": {"type": "dict", "default": {}, "no_log": True},
    "body": {"type": "raw"},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "expect": {"type": "str"},
    "version": {"type": "str"},
    "version_path": {"type": "str", "default": "version"},
    "version_placeholder": {"type": "str"},
    "revision": {"type": "str"},
    "revision_path": {"type": "str"},
    "revision_placeholder": {"type": "str"},
    "latency": {"type": "str"},
    "timeout": {"type": "str", "default": "5"},
    "follow_redirects": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
}

SPEC = {
    "argument_spec": {
        "targets": {"type": "list", "elements": "dict", "required": True, "options": TARGET},
        "successes": {"type": "int", "default": 3},
        "min_healthy_time": {"type": "str", "default": "10"},
        "timeout": {"type": "str", "default": "300"},
        "interval": {"type": "str", "default": "1"},
        "fail": {"type": "bool", "default": True},
    },
    "supports_check_mode": True,
}


def hidden(params: dict[str, t.Any]) -> set[str]:
    """Values that no result may show.

    Ansible would hide every header's value wherever it occurs, so that "X-Probe: 1" mangled all figures.
    """
    return {secret for target in params["targets"] for secret in secrets_of(target)}


def main() -> None:
    module = AnsibleModule(**SPEC)
    module.no_log_values = hidden(module.params)
    run_as_module(module, core)


if __name__ == "__main__":
    main()
