#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Open, plan, roll back and conclude a rollout in the ledger
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - The ledger is an SQLite database on one host, the coordinator. It holds the lease of each service, the rollout, the
    phase of every host and an append-only history.
  - This module handles a rollout as a whole. A single host is handled by M(steady.rollout.rollout_host); operators pause,
    resume, promote or abort a rollout with M(steady.rollout.rollout_control).
  - Durations are plain seconds, or for example V(500ms), V(30s), V(5m) or V(1h30m).
extends_documentation_fragment:
  - steady.rollout.ledger
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - Says what would happen and records nothing; no lease is taken.
      - With O(state=planned) no lease is needed then; give O(version) and O(direction) as for O(state=opened).
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Every O(state=opened) takes the lease again, with a new token; that is what it is for.
options:
  state:
    description:
      - V(opened) takes the lease of the service, and continues the unfinished rollout of this version or starts one.
      - V(planned) reads the fleet, decides order and stages and records both.
      - V(reverting) decides which hosts are rolled back after a failure and records it.
      - V(restorable) says which hosts the run may put back into service before it concludes; see RV(restorable).
      - V(concluded) verifies every host in scope and releases the lease.
    type: str
    required: true
    choices: [opened, planned, reverting, restorable, concluded]
  run:
    description: The run that holds the lease, as returned by O(state=opened).
    type: str
    required: false
  token:
    description: Its fencing token, as returned by O(state=opened).
    type: int
    required: false
  version:
    description: The version asked for. Not needed with O(direction=recover), nor with O(direction=back) to leave the last one.
    type: str
  revision:
    description:
      - The revision asked for, such as that of a configuration. A host that has another one is brought to it as to another
        version; both are proven, marked bad and rolled back together.
      - Without it each host keeps the revision that it has.
    type: str
  operation:
    description:
      - What is done to hosts whose version stays. Only with O(direction=forward).
      - V(restart) and V(patch) change neither version nor revision. Nothing is marked bad or rolled back then; a host that fails
        is held out of service. V(reconfigure) brings hosts to O(revision).
      - O(version) is needed only where nothing else says which version a host runs.
    type: str
    choices: [restart, patch, reconfigure]
  name:
    description:
      - The name of a restart. A host on which a restart of this name is done is not restarted again. Without it a restart that
        was left half-way goes on, and else a new one begins.
    type: str
  direction:
    description:
      - V(forward) rolls O(version) out in stages.
      - V(back) rolls back to O(version), or from the version rolled out last to what was proven on each host before;
        without stages and bake times.
      - V(recover) only puts back in service the hosts that earlier runs left out.
    type: str
    choices: [forward, back, recover]
    default: forward
  resume:
    description: What to do with an unfinished rollout, V(continue) with it or V(revert) it.
    type: str
    choices: [continue, revert]
    default: continue
  allow_bad:
    description: Try a version again that is marked bad.
    type: bool
    default: false
  owner:
    description:
      - Who takes the lease; shown to a run that finds it held. C(user), C(controller) and C(pid) are shown in messages.
      - The action plugin of this module fills it in.
    type: dict
    default: {}
  lease_ttl:
    description: Seconds without a heartbeat after which the lease may be taken, unless a declared step is still in flight.
    type: str
    default: "60"
  take_over:
    description: Take the lease from the run that holds it. Use it only when that run is dead for good.
    type: bool
    default: false
  owner_gone:
    description: The process that held the lease as O(previous_run) was proven dead.
    type: bool
    default: false
  previous_run:
    description: The run that O(owner_gone) refers to.
    type: str
  release_run:
    description: The run of the release of several services that the rollout is part of, see M(steady.rollout.rollout_tiers).
    type: str
  policy:
    description: What the rollout is allowed to do. Amounts are counts such as V(2) or shares such as V(25%).
    type: dict
    suboptions:
      max_unavailable:
        description: Most hosts out of service at once, counting those out for any other reason. A share rounds down, at least 1.
        type: str
        default: 25%
      min_available:
        description: Fewest hosts in service at any time. A share rounds up.
        type: str
        default: 50%
      zone_min_available:
        description: The same in each named zone. A zone of one host keeps none.
        type: str
        default: "1"
      max_failures:
        description: How many hosts may fail, revert, vanish or be unreachable before the rollout stops.
        type: str
        default: "0"
      stages:
        description: How many hosts are on the version at the end of each stage. A share rounds up; the last stage takes all.
        type: list
        elements: str
        default: ["100%"]
      min_healthy_time:
        description: Seconds that a host must be healthy without a flap.
        type: str
        default: "10"
      healthy_deadline:
        description: Seconds within which a host must become healthy; longer than O(policy.min_healthy_time).
        type: str
        default: "300"
      progress_deadline:
        description: Seconds without any progress after which the rollout stops; longer than O(policy.healthy_deadline).
        type: str
        default: "600"
      bake_time:
        description: Seconds between the end of a stage and the next one; one time for all stages, or a list with one for each.
        type: raw
        default: 0
      on_failure:
        description: V(revert) rolls the whole rollout back when it stops on failures, V(hold) leaves it as it is.
        type: str
        choices: [revert, hold]
        default: revert
      gate:
        description: Whether every stage ends with a gate whose verdict is reported by M(steady.rollout.rollout_gate).
        type: bool
        default: false
      gate_limit:
        description: Seconds within which the verdict must come; after that somebody else may run the gate.
        type: str
        default: "300"
      gate_inconclusive:
        description: What an inconclusive verdict means.
        type: str
        choices: [stop, pass, fail]
        default: stop
      gate_no_data:
        description: What it means that nothing could be measured.
        type: str
        choices: [stop, pass, fail]
        default: stop
      after_proof:
        description: When a host that was proven has failed after all, as M(steady.rollout.rollout_watch) observes it.
        type: dict
        default: {failures: 3, of: 5}
        suboptions:
          failures:
            description: So many bad observations.
            type: int
            default: 3
          of:
            description: Of so many, the newest ones.
            type: int
            default: 5
      all_at_once:
        description: All hosts are stopped together behind a maintenance page, so that no limit applies.
        type: bool
        default: false
  window:
    description:
      - For V(planned), the maintenance window that the hosts have to fit into, from M(steady.rollout.maintenance_window). No
        host starts that would not be done before it closes; the rollout is then incomplete, and the same call in the next
        window goes on with it. A shift of traffic has to fit as a whole before it is planned, and what is rolled back may
        be so at any time.
    type: dict
    suboptions:
      closes:
        description:
          - When it closes for each site (O(hosts[].zone)) and, by an empty name, for all other hosts, in seconds since 1970.
            Hosts of a site that has 0 are skipped.
        type: dict
      host_seconds:
        description: How long a host takes. If it is not given, what 95 % of the hosts of the last rollouts took at most.
        type: str
      next:
        description: A sentence about the next window, for the message at the end.
        type: str
      override:
        description: Why the window does not count this time, for the history.
        type: str
  approvals:
    description:
      - For V(planned), who has to approve the plan before anything is started; see M(steady.rollout.rollout_approval). A plan
        that lacks approvals is refused and waits for them. What moves nothing, and what is rolled back, needs none. A
        rollout that was started with approvals is resumed with them.
    type: dict
    suboptions:
      required:
        description: How many have to approve, besides the one who asked for it and the one who runs it.
        type: int
        default: 0
      approvers:
        description: Who may approve; anybody if empty.
        type: list
        elements: str
        default: []
      valid_for:
        description: How long an approval is valid, such as V(8h).
        type: str
        default: 8h
      content:
        description: What the approval covers besides version, hosts, O(policy) and O(shift), such as the digest of the artifact.
        type: dict
        default: {}
  shift:
    description:
      - For V(planned), the shift of traffic from one group of hosts to another that this rollout is. The hosts are then
        changed while their group has no traffic; M(steady.rollout.rollout_shift) says what comes when.
      - The limits, stages and gates of O(policy) are not used then.
    type: dict
    suboptions:
      strategy:
        description:
          - V(blue_green) switches between two groups; the other one is left as it is.
          - V(canary) updates the other group too and restores the usual split.
        type: str
        choices: [blue_green, canary]
        required: true
      groups:
        description: The hosts of both groups by the groups' names.
        type: dict
        required: true
      candidate:
        description: The group that gets the version first. With V(blue_green) the one that has no traffic, if not given.
        type: str
      live:
        description: The group that is live, where the balancers do not agree on one.
        type: str
      steps:
        description:
          - What the candidate group gets one after the other, each with C(share) in percent and C(bake), a time such as
            V(300), V(5m) or V(1h). The last share is 100.
        type: list
        elements: dict
      rollback_window:
        description: For how long the old colour is kept ready, as a time.
        type: str
  nodes:
    description:
      - The nodes that split the traffic, where these are not O(balancers); each with C(groups), the names that it has for
        the parts of each group.
    type: list
    elements: dict
    suboptions:
      host:
        description: The node.
        type: str
        required: true
      members:
        description: Its members by name, as M(steady.rollout.lb_member_info) returns them.
        type: dict
      unreachable:
        description: Why the node could not be read, if so.
        type: str
      groups:
        description: The members of each group by the names that this node has for them.
        type: dict
      why:
        description: Why it refused the last split, if it did.
        type: str
  hosts:
    description: The hosts of the inventory with what a probe found on them just now. For V(planned), V(restorable) and V(concluded).
    type: list
    elements: dict
    suboptions:
      name:
        description: The host's name.
        type: str
        required: true
      zone:
        description: Where it stands; zones keep a floor of their own.
        type: str
      member:
        description: Its name in the balancers' pools, if not O(hosts[].name).
        type: str
      in_scope:
        description: Whether this run may touch it. Hosts out of scope count for O(policy.min_available) and O(policy.max_unavailable).
        type: bool
        default: true
      healthy:
        description: What the probe said; leave it out when there was none.
        type: bool
      version:
        description: The version it serves.
        type: str
      revision:
        description:
          - The revision that it reports itself. Leave it out where it reports none, then it is the one that was proven with its
            version.
        type: str
      outdated:
        description: Whether it was found to need the change, where somebody has looked. For O(operation).
        type: bool
      may_be_added:
        description: Whether the host is added to a pool that does not have it, before it is updated. A traffic shift adds none.
        type: bool
        default: false
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
        description: Why the node could not be read, if so. Then nothing is planned, and nothing counts as verified.
        type: str
  timer_reports:
    description: For V(planned), what restore timers have done, as RV(steady.rollout.fleet_claim#module:reports).
    type: list
    elements: dict
  taken_over:
    description:
      - For V(planned), the claims of another ledger that this run has taken over, one for each balancer node, as
        RV(steady.rollout.rollout_claim#module:claim_before) returned them.
      - What they say was drained, and still is, belongs to this ledger from then on.
    type: list
    elements: dict
    suboptions:
      host:
        description: The balancer node, as in O(balancers).
        type: str
        required: true
      ledger:
        description: The identity of the other ledger.
        type: str
      coordinator:
        description: Its coordinator.
        type: str
      drained:
        description: The members that it has drained there.
        type: list
        elements: str
  reachable_hosts:
    description:
      - For V(reverting), the hosts that this run can still reach; one that must be rolled back and is not among them is
        reported as stuck.
      - Without it every host counts as reachable.
    type: list
    elements: str
  unfinished:
    description:
      - With O(state=concluded), what failed after the hosts, such as a migration. A rollout of its own is concluded all the same. A
        release of several services stops with it, and the next run repeats the end of this service.
    type: str
  refused:
    description:
      - Why nothing was started. Then V(concluded) only releases the lease, and what an earlier run left unfinished stays.
    type: str
  pools:
    description: The pools of the balancers that the fleet stands behind. One pool belongs to one service of a ledger.
    type: list
    elements: dict
    suboptions:
      host:
        description: The balancer node.
        type: str
        required: true
      pool:
        description: The pool's name there.
        type: str
        required: true
  accept:
    description: Findings that are accepted, as C(rollout_accept); of them V(shared_pool) concerns the plan.
    type: list
    elements: str
    default: []
  forks:
    description: Ansible's forks, to warn when they are fewer than the hosts that may be out of service at once.
    type: int
seealso:
  - module: steady.rollout.rollout_control
  - module: steady.rollout.rollout_claim
  - module: steady.rollout.rollout_host
  - module: steady.rollout.rollout_gate
  - module: steady.rollout.rollout_info
"""

EXAMPLES = r"""
- name: Take the lease
  steady.rollout.rollout:
    state: opened
    service: shop
    version: "2.0.0"
    owner: {user: ops, controller: laptop}
    ledger: /tmp/steady-example
  register: opened

- name: Plan
  steady.rollout.rollout:
    state: planned
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
    policy: {max_unavailable: 25%, min_available: 50%, stages: [1, 100%]}
    hosts:
      - {name: app1, zone: a, healthy: true, version: "1.0.0"}
      - {name: app2, zone: a, healthy: true, version: "1.0.0"}
      - {name: app3, zone: b, healthy: true, version: "1.0.0"}
      - {name: app4, zone: b, healthy: true, version: "1.0.0"}
    balancers: []

- name: Conclude
  steady.rollout.rollout:
    state: concluded
    service: shop
    run: "{{ opened.run }}"
    token: "{{ opened.token }}"
    ledger: /tmp/steady-example
"""

RETURN = r"""
msg:
  description: What happened, in one line.
  type: str
  returned: always
run:
  description: The run that now holds the lease.
  type: str
  returned: O(state=opened)
token:
  description: Its fencing token; it grows with each lease of the service.
  type: int
  returned: O(state=opened)
ledger_id:
  description: The ledger's identity.
  type: str
  returned: O(state=opened)
coordinator:
  description: The name of the machine that keeps the ledger.
  type: str
  returned: O(state=opened)
rollout:
  description: The rollout's number in the ledger.
  type: int
  returned: O(state=opened), O(state=planned), O(state=reverting)
version:
  description: The version it is about.
  type: str
  returned: O(state=opened), O(state=planned)
revision:
  description: The revision it is about; empty where none was asked for.
  type: str
  returned: O(state=opened), O(state=planned)
operation:
  description: What is done to hosts whose version stays, with the name of a restart; empty for a version.
  type: str
  returned: O(state=opened), O(state=planned)
direction:
  description: V(forward), V(back) or V(recover).
  type: str
  returned: O(state=opened), O(state=planned)
status:
  description: V(open), V(paused), V(failing), V(reverting), V(done), V(failed), V(aborted) or V(superseded).
  type: str
  returned: except for O(state=restorable)
in_release:
  description: Whether the rollout is part of a release of several services, which continues after it.
  type: bool
  returned: O(state=concluded)
resumed:
  description: Whether an earlier run began it.
  type: bool
  returned: O(state=opened)
previous_owner:
  description: Who held the lease before, if it was not released.
  type: dict
  returned: O(state=opened)
in_flight:
  description: Hosts that earlier runs took out of service and that were not seen back since.
  type: list
  elements: dict
  returned: O(state=opened)
bad:
  description: The versions marked bad.
  type: list
  elements: str
  returned: O(state=opened)
holder:
  description: Who holds the lease.
  type: dict
  returned: when it is refused or lost
notes:
  description: What the operator should know of the plan, such as too few forks for the limits; one sentence each.
  type: list
  elements: str
  returned: O(state=planned)
order:
  description: The hosts to change, in the order in which they should ask for admission.
  type: list
  elements: str
  returned: O(state=planned), O(state=reverting)
plan:
  description: The same with C(host), C(zone), C(stage), C(from), C(to), C(condition) and C(why).
  type: list
  elements: dict
  returned: O(state=planned)
excluded:
  description: Hosts that are skipped, and why.
  type: list
  elements: dict
  returned: O(state=planned)
up_to_date:
  description: Hosts that are on the version already.
  type: list
  elements: str
  returned: O(state=planned)
stages:
  description: How many hosts are on the version at the end of each stage.
  type: list
  elements: int
  returned: O(state=planned)
max_unavailable:
  description: Most hosts out of service at once.
  type: int
  returned: O(state=planned)
min_available:
  description: Fewest hosts in service.
  type: int
  returned: O(state=planned)
fleet:
  description: Hosts that the limits count.
  type: int
  returned: O(state=planned)
guard:
  description: The limits in the form of the O(steady.rollout.lb_member#module:guard) option.
  type: dict
  returned: O(state=planned), O(state=reverting)
lowest_capacity:
  description: Fewest hosts in service at any moment if nothing fails.
  type: int
  returned: O(state=planned)
predicted_seconds:
  description: How long it will take, from how long earlier rollouts took; none without a history.
  type: int
  returned: O(state=planned)
shift:
  description: The shift of traffic, with C(strategy), C(live), C(candidate), C(groups), C(steps), C(usual) and C(phase).
  type: dict
  returned: O(state=planned) with O(shift)
recreate_unfinished:
  description: Whether a recreate of an earlier run is not over, so that the maintenance page may be up.
  type: bool
  returned: O(state=planned)
gate:
  description: Whether metrics or steps of yours judge each stage.
  type: bool
  returned: O(state=planned)
nothing_to_do:
  description: Whether all hosts are where they should be.
  type: bool
  returned: O(state=planned)
targets:
  description:
    - The version meant for each host of RV(order), so that it can be staged before admission. Where there is a revision it
      follows the version, as in V(2.1.0 revision 7); so it does wherever else a version is named in a plan or report.
  type: dict
  returned: O(state=planned), O(state=reverting)
reason:
  description: Why it is rolled back.
  type: str
  returned: O(state=reverting)
succeeded:
  description:
    - Whether every host in scope is on its target and in service on every node.
    - A rollback that was requested succeeds when all hosts are rolled back; one that failures caused never does.
  type: bool
  returned: O(state=concluded)
outcome:
  description: V(done), V(reverted), V(incomplete), V(failed), V(aborted) or V(refused).
  type: str
  returned: O(state=concluded)
reason_kind:
  description: Why it did not succeed, in one word, such as V(window), V(health) or V(gate); empty where nothing is known.
  type: str
  returned: O(state=concluded)
plan_hash:
  description: The hash of a plan that needs approvals; empty where none are needed.
  type: str
  returned: O(state=planned)
approved:
  description: Whether the plan has the approvals that it needs. Only in check mode a plan without is returned.
  type: bool
  returned: O(state=planned)
closes_at:
  description: When the maintenance window of the run closes, in seconds since 1970; none where it has no window.
  type: float
  returned: O(state=planned)
kind:
  description: Why it was refused, such as V(held), V(blocked) or V(not_approved).
  type: str
  returned: failure
message:
  description: What happened and what to do next, in one line.
  type: str
  returned: O(state=concluded)
report:
  description: A row per host with C(host), C(zone), C(from), C(to), C(drained_for), C(out_for) and C(outcome).
  type: list
  elements: dict
  returned: O(state=concluded)
touched:
  description: Hosts that were taken out of service.
  type: list
  elements: str
  returned: O(state=concluded)
left_out:
  description: Hosts still drained by a rollout.
  type: list
  elements: str
  returned: O(state=concluded)
restorable:
  description:
    - By balancer node, the hosts that this ledger has drained there, that are healthy, and that no step has changed since
      they were last in service.
  type: dict
  returned: O(state=restorable), O(state=concluded)
watched:
  description: Whether a watch has observed the run, see M(steady.rollout.rollout_watch).
  type: bool
  returned: O(state=concluded)
anchor:
  description:
    - The number and hash of the history's newest event. Kept outside the ledger, it shows later whether the history was
      rewritten; see O(steady.rollout.rollout_info#module:anchor).
  type: str
  returned: O(state=planned), O(state=concluded)
text:
  description: Lines to print.
  type: list
  elements: str
  returned: O(state=planned), O(state=concluded)
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch import rollout as core

POLICY: dict[str, t.Any] = {
    "max_unavailable": {"type": "str", "default": "25%"},
    "min_available": {"type": "str", "default": "50%"},
    "zone_min_available": {"type": "str", "default": "1"},
    "max_failures": {"type": "str", "default": "0"},
    "stages": {"type": "list", "elements": "str", "default": ["100%"]},
    "min_healthy_time": {"type": "str", "default": "10"},
    "healthy_deadline": {"type": "str", "default": "300"},
    "progress_deadline": {"type": "str", "default": "600"},
    "bake_time": {"type": "raw", "default": 0},
    "on_failure": {"type": "str", "choices": ["revert", "hold"], "default": "revert"},
    "gate": {"type": "bool", "default": False},
    "gate_limit": {"type": "str", "default": "300"},
    "gate_inconclusive": {"type": "str", "choices": ["stop", "pass", "fail"], "default": "stop"},
    "gate_no_data": {"type": "str", "choices": ["stop", "pass", "fail"], "default": "stop"},
    "after_proof": {
        "type": "dict",
        "default": {"failures": 3, "of": 5},
        "options": {"failures": {"type": "int", "default": 3}, "of": {"type": "int", "default": 5}},
    },
    "all_at_once": {"type": "bool", "default": False},
}
HOSTS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "zone": {"type": "str"},
    "member": {"type": "str"},
    "in_scope": {"type": "bool", "default": True},
    "healthy": {"type": "bool"},
    "version": {"type": "str"},
    "revision": {"type": "str"},
    "outdated": {"type": "bool"},
    "may_be_added": {"type": "bool", "default": False},
}
BALANCERS: dict[str, t.Any] = {
    "host": {"type": "str", "required": True},
    "members": {"type": "dict"},
    "unreachable": {"type": "str"},
}
POOLS: dict[str, t.Any] = {
    "host": {"type": "str", "required": True},
    "pool": {"type": "str", "required": True},
}
NODES: dict[str, t.Any] = {**BALANCERS, "groups": {"type": "dict"}, "why": {"type": "str"}}
TAKEN_OVER: dict[str, t.Any] = {
    "host": {"type": "str", "required": True},
    "ledger": {"type": "str"},
    "coordinator": {"type": "str"},
    "drained": {"type": "list", "elements": "str"},
}
SHIFT: dict[str, t.Any] = {
    "strategy": {"type": "str", "required": True, "choices": ["blue_green", "canary"]},
    "groups": {"type": "dict", "required": True},
    "candidate": {"type": "str"},
    "live": {"type": "str"},
    "steps": {"type": "list", "elements": "dict"},
    "rollback_window": {"type": "str"},
}
APPROVALS: dict[str, t.Any] = {
    "required": {"type": "int", "default": 0},
    "approvers": {"type": "list", "elements": "str", "default": []},
    "valid_for": {"type": "str", "default": "8h"},
    "content": {"type": "dict", "default": {}},
}
WINDOW: dict[str, t.Any] = {
    "closes": {"type": "dict"},
    "host_seconds": {"type": "str"},
    "next": {"type": "str"},
    "override": {"type": "str"},
}
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {
            "type": "str",
            "required": True,
            "choices": ["opened", "planned", "reverting", "restorable", "concluded"],
        },
        "service": {"type": "str", "required": True},
        "ledger": {"type": "path"},
        "run": {"type": "str"},
        "token": {"type": "int", "no_log": False},
        "version": {"type": "str"},
        "revision": {"type": "str"},
        "operation": {"type": "str", "choices": ["restart", "patch", "reconfigure"]},
        "name": {"type": "str"},
        "direction": {"type": "str", "choices": ["forward", "back", "recover"], "default": "forward"},
        "resume": {"type": "str", "choices": ["continue", "revert"], "default": "continue"},
        "allow_bad": {"type": "bool", "default": False},
        "owner": {"type": "dict", "default": {}},
        "lease_ttl": {"type": "str", "default": "60"},
        "take_over": {"type": "bool", "default": False},
        "owner_gone": {"type": "bool", "default": False},
        "release_run": {"type": "str"},
        "previous_run": {"type": "str"},
        "policy": {"type": "dict", "options": POLICY},
        "window": {"type": "dict", "options": WINDOW},
        "approvals": {"type": "dict", "options": APPROVALS},
        "shift": {"type": "dict", "options": SHIFT},
        "nodes": {"type": "list", "elements": "dict", "options": NODES},
        "hosts": {"type": "list", "elements": "dict", "options": HOSTS},
        "balancers": {"type": "list", "elements": "dict", "options": BALANCERS},
        "forks": {"type": "int"},
        "pools": {"type": "list", "elements": "dict", "options": POOLS},
        "accept": {"type": "list", "elements": "str", "default": []},
        "timer_reports": {"type": "list", "elements": "dict"},
        "taken_over": {"type": "list", "elements": "dict", "options": TAKEN_OVER},
        "reachable_hosts": {"type": "list", "elements": "str"},
        "unfinished": {"type": "str"},
        "refused": {"type": "str"},
    },
    "supports_check_mode": True,
    "required_if": [
        ("state", "reverting", ("run", "token")),
        ("state", "restorable", ("run", "token", "hosts", "balancers")),
        ("state", "concluded", ("run", "token")),
        ("state", "planned", ("hosts",)),
    ],
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
