#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_host
short_description: Request admission for a host and report its outcome
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Runs on the coordinator, for one host of a planned rollout. Only O(state=quiesced) runs on the host itself.
extends_documentation_fragment:
  - steady.rollout.ledger
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - Says what would happen and records nothing. Nothing is waited for.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(due) waits until the host is about to be admitted, with at most twice O(steady.rollout.rollout#module:policy)'s
        C(max_unavailable) hosts to go before it. Stage its release then.
      - V(admitted) waits until the host may be taken out of service or the rollout has stopped. Before the answer is V(go),
        the ledger has recorded that this host is about to be out of service.
      - V(deferred) reports an objection to taking the host out of service now. It is only for a host that has been admitted and
        that no step has changed. The host gives its slot to others; call V(admitted) for it again later.
      - V(changing) reports that a step begins and how long it may take. Without a watch the lease is held for that long, see
        M(steady.rollout.rollout_watch).
      - V(proven) reports that the host is verified in service on its target.
      - V(failed) reports that it failed; the answer says whether it is rolled back at once and to which version. A host that
        was not admitted yet, because its release could not be staged, stays in service.
      - V(reverted) reports that it is verified in service on the version it was rolled back to.
      - V(stuck) reports that the rollback of the host failed too.
      - V(quiesced) waits until no process of an interrupted run is running on the host where the module runs. These are
        modules that have the environment variable E(STEADY_ROLLOUT_RUN). A service that a step has started has it too and
        is not waited for.
    type: str
    required: true
    choices: [due, admitted, deferred, changing, proven, failed, reverted, stuck, quiesced]
  run:
    description: The run that holds the lease. Not for V(quiesced).
    type: str
    required: false
  token:
    description: Its fencing token. Not for V(quiesced).
    type: int
    required: false
  host:
    description: The host, by its name in the plan. Not needed for V(quiesced).
    type: str
  limit:
    description:
      - Seconds that the host may take, for V(admitted) from admission on, for V(changing) for the step, for V(failed) for
        the rollback.
      - A host that does not report for longer is lost and counts as failed. One hour where V(admitted) has none; as
        long as before where V(changing) has none.
    type: str
  timeout:
    description:
      - Seconds to wait; then V(due) and V(admitted) answer wait and V(quiesced) fails.
      - Without it V(due) and V(admitted) wait until there is an answer, and V(quiesced) for 60 seconds.
    type: str
  quorums:
    description:
      - For V(admitted), groups of hosts of which only some may be out of service at a time. Groups that the host does not
        belong to are ignored.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the group in messages.
        type: str
        required: true
      hosts:
        description: Its hosts, by their names in the plan.
        type: list
        elements: str
        required: true
      max_out:
        description: How many of them may be out of service, or about to be, at a time.
        type: int
        default: 1
  wait:
    description: For V(deferred), how long objections may last without a break before the answer is V(stop).
    type: str
    default: "0"
  poll:
    description: For V(deferred), how long until the host may be admitted again.
    type: str
    default: "1"
  counts:
    description:
      - For V(deferred), whether this objection counts towards O(wait). One that only says that other hosts come first does not.
    type: bool
    default: true
  last_word:
    description: For V(deferred), whether O(wait) has expired by the caller's own clock.
    type: bool
    default: false
  step:
    description: The step that begins, in a few words. For V(changing).
    type: str
  modifies:
    description:
      - For V(changing), whether the step changes the host itself. A rollback restores nothing on a host where no such step
        has begun.
    type: bool
    default: true
  out_for:
    description:
      - Seconds since the host was drained, as the caller measured them; for V(proven) and V(reverted) until it was seen in
        rotation again. For V(changing), V(proven) and V(reverted).
      - Without it the time out of service counts from admission.
    type: float
  version:
    description: The version the host was verified on. For V(proven) and V(reverted).
    type: str
  revision:
    description: The revision it was verified on with it, where RV(target) has one. For V(proven) and V(reverted).
    type: str
  drained_for:
    description: Seconds that its drain took. For V(proven) and V(reverted).
    type: float
  details:
    description: Anything else worth keeping in the history. For V(proven).
    type: dict
  kind:
    description:
      - What failed. For V(failed) and V(stuck).
      - V(drained_externally) says that somebody else drained the host since the plan; it is skipped and not counted as a failure.
    type: str
    choices: [drain, balancer, release, start, health, smoke, restore, unreachable, step, guard, coordinator, drained_externally]
  error:
    description: How it failed, in a sentence, for V(failed) and V(stuck). The objection, for V(deferred).
    type: str
  interrupted_run:
    description: The interrupted run, as returned by V(admitted). For V(quiesced).
    type: str
  terminate:
    description:
      - With V(quiesced), whether to end the run's modules on this host, and what they have started, instead of only waiting
        for them.
    type: bool
    default: false
seealso:
  - module: steady.rollout.rollout
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

- name: Wait until app1 may be taken out of service
  steady.rollout.rollout_host:
    state: admitted
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
    host: app1
    limit: 1800
  register: admission

- name: Report that it is in service on the new version
  steady.rollout.rollout_host:
    state: proven
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
    host: app1
    version: "{{ admission.target.version }}"
    revision: "{{ admission.target.revision }}"
  when: admission.verdict == 'go'
"""

RETURN = r"""
msg:
  description: What happened, in one line.
  type: str
  returned: always
host:
  description: The host.
  type: str
  returned: always
phase:
  description: Its phase now.
  type: str
  returned: except for O(state=quiesced)
verdict:
  description:
    - V(go) and the host may be taken out of service now.
    - V(stop) and it must not be changed in this run.
    - V(gate) and the gate of a stage is to be run and reported with M(steady.rollout.rollout_gate) first, then asked again.
    - V(wait) only when O(timeout) is over.
    - For V(deferred) it is V(wait), or V(stop) if the objection has lasted longer than O(wait).
  type: str
  returned: O(state=admitted), O(state=deferred)
reason:
  description: Why, in words. Elsewhere why the rollout has stopped.
  type: str
  returned: except for O(state=quiesced)
waiting_for:
  description:
    - What the host waits for, V(max_unavailable), V(min_available), V(zone), V(quorum), V(veto), V(weakest), V(stage), V(bake),
      V(gate), V(order), V(paused) or V(shift).
  type: str
  returned: O(state=admitted), O(state=deferred)
target:
  description: The C(version) that is meant for the host now, and the C(revision), which is empty where there is none.
  type: dict
  returned: except for O(state=quiesced)
previous:
  description: The C(version) and C(revision) proven there before; none when there is none.
  type: dict
  returned: O(state=admitted)
direction:
  description: V(forward), V(back) or V(recover).
  type: str
  returned: O(state=admitted)
drained_by_us:
  description: Whether an earlier run left the host out of service.
  type: bool
  returned: O(state=admitted)
interrupted_run:
  description: The interrupted run that had the host in flight.
  type: str
  returned: O(state=admitted)
stage:
  description: The stage that the host belongs to, or whose gate is to be run.
  type: int
  returned: O(state=admitted)
slot:
  description: The number of its slot in the rollout.
  type: int
  returned: O(state=admitted)
gate:
  description: With RV(verdict=gate), its C(stage), the C(claim) to report it with and the C(limit) in seconds.
  type: dict
  returned: O(state=admitted)
guard:
  description: With RV(verdict=go), the limits in the form of the O(steady.rollout.lb_member#module:guard) option.
  type: dict
  returned: O(state=admitted)
waited:
  description: Seconds waited.
  type: float
  returned: O(state=admitted), O(state=quiesced)
waits:
  description: The same by what was waited for, with C(waiting_for), C(reason) and C(seconds).
  type: list
  elements: dict
  returned: O(state=admitted)
remaining:
  description: With O(quorums), the other hosts of the groups that this rollout has yet to change or is changing.
  type: list
  elements: str
  returned: O(state=admitted)
go_back:
  description: Whether the host is rolled back to RV(target) now.
  type: bool
  returned: O(state=changing), O(state=proven), O(state=failed), O(state=reverted), O(state=stuck)
was_changed:
  description: Whether the rollback has to restore the files too, because their change had begun.
  type: bool
  returned: O(state=changing), O(state=proven), O(state=failed), O(state=reverted), O(state=stuck)
stop:
  description: Whether the rollout has stopped.
  type: bool
  returned: O(state=changing), O(state=proven), O(state=failed), O(state=reverted), O(state=stuck)
done:
  description: Hosts that are where they should be.
  type: int
  returned: O(state=changing), O(state=proven), O(state=failed), O(state=reverted), O(state=stuck)
total:
  description: Hosts in scope.
  type: int
  returned: O(state=changing), O(state=proven), O(state=failed), O(state=reverted), O(state=stuck)
is_quiesced:
  description: Whether nothing of the interrupted run is running.
  type: bool
  returned: O(state=quiesced)
processes:
  description: What is, with C(pid) and C(command).
  type: list
  elements: dict
  returned: O(state=quiesced)
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout_host as core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {
            "type": "str",
            "required": True,
            "choices": ["due", "admitted", "deferred", "changing", "proven", "failed", "reverted", "stuck", "quiesced"],
        },
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str"},
        "token": {"type": "int", "no_log": False},
        "host": {"type": "str"},
        "limit": {"type": "str"},
        "timeout": {"type": "str"},
        "quorums": {
            "type": "list",
            "elements": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "hosts": {"type": "list", "elements": "str", "required": True},
                "max_out": {"type": "int", "default": 1},
            },
        },
        "wait": {"type": "str", "default": "0"},
        "poll": {"type": "str", "default": "1"},
        "counts": {"type": "bool", "default": True},
        "last_word": {"type": "bool", "default": False},
        "step": {"type": "str"},
        "modifies": {"type": "bool", "default": True},
        "out_for": {"type": "float"},
        "version": {"type": "str"},
        "revision": {"type": "str"},
        "drained_for": {"type": "float"},
        "details": {"type": "dict"},
        "kind": {
            "type": "str",
            "choices": [
                "drain",
                "balancer",
                "release",
                "start",
                "health",
                "smoke",
                "restore",
                "unreachable",
                "step",
                "guard",
                "coordinator",
                "drained_externally",
            ],
        },
        "error": {"type": "str"},
        "interrupted_run": {"type": "str"},
        "terminate": {"type": "bool", "default": False},
    },
    "supports_check_mode": True,
    "required_if": [
        ("state", "due", ("run", "token", "host")),
        ("state", "admitted", ("run", "token", "host")),
        ("state", "deferred", ("run", "token", "host", "error")),
        ("state", "changing", ("run", "token", "host", "step")),
        ("state", "proven", ("run", "token", "host", "version")),
        ("state", "failed", ("run", "token", "host", "kind")),
        ("state", "reverted", ("run", "token", "host", "version")),
        ("state", "stuck", ("run", "token", "host")),
        ("state", "quiesced", ("interrupted_run",)),
    ],
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
