#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_gate
short_description: Report the verdict of a stage's gate to the ledger
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - A stage whose hosts are all proven ends with a gate when O(steady.rollout.rollout#module:policy.gate) is set.
    M(steady.rollout.rollout_host) hands the gate to one of the hosts that wait, with a claim; that host runs what measures
    the stage, and reports here.
  - No host waits after the last stage; its gate is claimed with O(verdict=ask) before the rollout is concluded.
extends_documentation_fragment:
  - steady.rollout.ledger
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: none
    details:
      - A stage has one verdict; a second one is refused.
options:
  stage:
    description: The stage, counted from 1. Required except for V(ask).
    type: int
  claim:
    description: The claim that came with the gate.
    type: str
  verdict:
    description:
      - Measured good, measured bad, measured without a clear result, and not measured at all are four things.
      - What V(inconclusive) and V(no_data) mean is for the policy to say; both stop the rollout by default.
      - V(ask) reports nothing; it asks whether the last stage's gate is left to run and, if so, claims it.
    type: str
    required: true
    choices: [pass, fail, inconclusive, no_data, not_judged, ask]
  reason:
    description: Why, in a sentence.
    type: str
  evidence:
    description: What was measured.
    type: dict
seealso:
  - module: steady.rollout.rollout
"""

EXAMPLES = r"""
- name: Take the lease
  steady.rollout.rollout: {state: opened, service: shop, version: "2.0.0", ledger: /tmp/steady-example}
  register: opened

- name: Plan two stages, each with a gate
  steady.rollout.rollout:
    state: planned
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
    policy: {stages: [1, 100%], gate: true}
    hosts:
      - {name: app1, healthy: true, version: "1.0.0"}
      - {name: app2, healthy: true, version: "1.0.0"}

- name: Update the first host
  steady.rollout.rollout_host:
    state: "{{ item.state }}"
    version: "{{ item.version | default(omit) }}"
    host: app1
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
  loop:
    - {state: admitted}
    - {state: proven, version: "2.0.0"}

- name: Ask for the second host and get the gate of the first stage
  steady.rollout.rollout_host:
    state: admitted
    host: app2
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
  register: admission

- name: Report what was measured after the first stage
  steady.rollout.rollout_gate:
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
    stage: "{{ admission.gate.stage }}"
    claim: "{{ admission.gate.claim }}"
    verdict: pass
    reason: no error in 1200 requests
    evidence: {requests: 1200, errors: 0}
"""

RETURN = r"""
msg:
  description: What happened, in one line.
  type: str
  returned: always
stage:
  description: The stage.
  type: int
  returned: success
verdict:
  description: The verdict that was recorded; for O(verdict=ask), V(gate) or V(none).
  type: str
  returned: success
gate:
  description: With RV(verdict=gate), its C(stage), the C(claim) to report it with and the C(limit) in seconds.
  type: dict
  returned: O(verdict=ask)
passed:
  description: Whether the next stage may begin.
  type: bool
  returned: success
kind:
  description:
    - V(gate_claim_lost) when the claim ran out and somebody else runs, or has run, the gate; the verdict was not
      recorded and says nothing against the stage.
  type: str
  returned: when the verdict is refused for that
stop:
  description: Whether the rollout has stopped.
  type: bool
  returned: success
reason:
  description: Why it has stopped.
  type: str
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_gate as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str", "required": True},
        "token": {"type": "int", "required": True, "no_log": False},
        "stage": {"type": "int"},
        "claim": {"type": "str"},
        "verdict": {
            "type": "str",
            "required": True,
            "choices": ["pass", "fail", "inconclusive", "no_data", "not_judged", "ask"],
        },
        "reason": {"type": "str"},
        "evidence": {"type": "dict"},
    },
    "supports_check_mode": True,
    "required_if": [
        ("verdict", verdict, ("stage",)) for verdict in ("pass", "fail", "inconclusive", "no_data", "not_judged")
    ],
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
