# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in the ledger: its rules, operations and storage."""

from __future__ import annotations

from seeded import Mutant

LEDGER = "plugins/module_utils/ledger/"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "10 a failed promotion sends the traffic to the half-updated group",
        LEDGER + "rules/traffic_rules.py",
        "traffic_model.DEMOTING if inputs.shift.promotes else traffic_model.DRAINING",
        "traffic_model.DRAINING",
    ),
    Mutant(
        "10 the group that is rolled back is not verified",
        LEDGER + "rules/traffic_rules.py",
        "return bring(inputs, inputs.shift.live, DEMOTE) or to(traffic_model.DRAINING, promotes=0)",
        "return to(traffic_model.DRAINING, promotes=0)",
    ),
    Mutant(
        "10 the candidate is not verified before its first share",
        LEDGER + "rules/traffic_rules.py",
        "return bring(inputs, inputs.shift.candidate, PREPARE) or to(",
        "return to(",
    ),
    Mutant(
        "10 a host is changed while its group has traffic",
        LEDGER + "rules/traffic_rules.py",
        "    if group == shift.in_work:",
        "    if group:",
    ),
    Mutant(
        "13 a split is believed where one node shows it",
        LEDGER + "rules/traffic_acts.py",
        "if inputs.nodes is not None and all(node.shows(wanted) for node in inputs.nodes):",
        "if inputs.nodes is not None and any(node.shows(wanted) for node in inputs.nodes):",
    ),
    Mutant(
        "12 a split is decided although a node has refused it",
        LEDGER + "rules/traffic_acts.py",
        "if any(node.why for node in inputs.nodes or ()):",
        "if False:",
    ),
    Mutant(
        "11 no data on a share is good news",
        LEDGER + "rules/traffic_acts.py",
        'NOT_GOOD = ("fail", "inconclusive", "no_data")',
        'NOT_GOOD = ("fail", "inconclusive")',
    ),
    Mutant(
        "1 the zone floor is dropped",
        LEDGER + "rules/admission.py",
        "        _zone_floor,\n",
        "",
    ),
    Mutant(
        "1 one host below the floor",
        LEDGER + "rules/admission.py",
        'if serving - 1 < floor:\n        return Decision(WAIT, f"{serving} in service, minimum',
        'if serving < floor:\n        return Decision(WAIT, f"{serving} in service, minimum',
    ),
    Mutant("1 the floor rounds down", LEDGER + "rules/policy.py", "math.ceil(self.number", "math.floor(self.number"),
    Mutant(
        "2 the last one may go",
        LEDGER + "operations/plan.py",
        "max(limits.min_available, 1) if behind_balancer",
        "max(limits.min_available, 0) if behind_balancer",
    ),
    Mutant("3 one more than the window", LEDGER + "rules/admission.py", "tally.out + 1 > window", "tally.out > window"),
    Mutant(
        "3 an operator's drain is not counted",
        LEDGER + "rules/model.py",
        "return self.count(lambda group: group.lb_state != IN_SERVICE)",
        "return self.count(lambda group: group.lb_state not in (IN_SERVICE, DRAINED_EXTERNALLY))",
    ),
    Mutant(
        "3 an admitted host still counts as in service",
        LEDGER + "operations/admit.py",
        "lb_state=model.DRAINED_BY_US,",
        "lb_state=host.lb_state,",
    ),
    Mutant(
        "4 the weakest wait with the others",
        LEDGER + "rules/admission.py",
        "if weak and not inputs.asker.is_weak:",
        "if weak > 99 and not inputs.asker.is_weak:",
    ),
    Mutant(
        "5 the next stage does not wait",
        LEDGER + "rules/admission.py",
        "for stage in range(1, inputs.limits.stage_of(inputs.next_slot)):",
        "for stage in range(2, inputs.limits.stage_of(inputs.next_slot)):",
    ),
    Mutant(
        "5 no bake time",
        LEDGER + "rules/admission.py",
        "if inputs.now < baked_at:",
        "if inputs.now < gate.complete_at:",
    ),
    Mutant(
        "5 a failed gate opens the next stage",
        LEDGER + "operations/gate.py",
        '"passed" if meaning == "pass" else "closed"',
        '"passed"',
    ),
    Mutant(
        "6 one failure more than allowed",
        LEDGER + "rules/failure.py",
        "if failures <= limits.max_failures:",
        "if failures <= limits.max_failures + 1:",
    ),
    Mutant(
        "6 a pause stops nobody",
        LEDGER + "rules/admission.py",
        "if rollout.paused_at is not None:",
        "if rollout.paused_at == inputs.now + 1:",
    ),
    Mutant(
        "6 a vanished host is not counted",
        LEDGER + "operations/upkeep.py",
        "counted=1, kind=kind",
        "counted=0, kind=kind",
    ),
    Mutant(
        "8 the token does not grow", LEDGER + "rules/lease.py", "token=lease.token + 1", "token=max(lease.token, 1)"
    ),
    Mutant(
        "8 a stale run is not stopped",
        LEDGER + "rules/lease.py",
        "lease.run is not None and lease.run == run and lease.token == token",
        "lease.run is not None",
    ),
    Mutant(
        "8 a declared step does not hold the lease",
        LEDGER + "rules/lease.py",
        "max(lease.heartbeat_at + lease.ttl, lease.held_until)",
        "lease.heartbeat_at + lease.ttl",
    ),
    Mutant(
        "8 two may open at once", LEDGER + "storage/store.py", '"BEGIN IMMEDIATE", "COMMIT" if', '"BEGIN", "COMMIT" if'
    ),
    Mutant(
        "17 a proven host may fail for ever",
        LEDGER + "rules/observation.py",
        "if bad < limits.after_proof_failures:",
        "if bad < limits.after_proof_failures + 99:",
    ),
    Mutant(
        "17 down on a balancer is no failure",
        LEDGER + "rules/observation.py",
        "if seen.down_on:",
        "if False:",
    ),
    Mutant(
        "17 a failure after proof stops nothing",
        LEDGER + "operations/observe.py",
        "upkeep.count_failure(session, failed, kind, found.failure)",
        "pass",
    ),
    Mutant(
        "17 what was read before the proof counts",
        LEDGER + "rules/observation.py",
        "observed_at >= host.in_service_at",
        "observed_at >= 0",
    ),
    Mutant(
        "11 what could not be measured forgets what was",
        LEDGER + "rules/observation.py",
        "if seen.is_good is None:\n        return record",
        "if seen.is_good is None:\n        return Record()",
    ),
    Mutant(
        "12 an operator's drain is a failure of the version",
        LEDGER + "rules/observation.py",
        "if seen.lb_state == model.DRAINED_EXTERNALLY:",
        "if seen.lb_state == 'nothing':",
    ),
    Mutant(
        "3 an operator's drain meanwhile is not counted",
        LEDGER + "operations/observe.py",
        "        lb_state=model.DRAINED_EXTERNALLY,\n        phase=",
        "        lb_state=host.lb_state,\n        phase=",
    ),
    Mutant(
        "8 a watch that is gone still stands for every step",
        LEDGER + "rules/lease.py",
        "lease.watch_at is not None and now <= lease.watch_at + WATCH_REPORTS_WITHIN",
        "lease.watch_at is not None",
    ),
    Mutant(
        "8 with a watch steps hold the lease in advance",
        LEDGER + "session.py",
        "held_until = 0.0 if is_watched(self.lease, self.now) else",
        "held_until =",
    ),
    Mutant(
        "4 a host that goes down while it waits is waited for",
        LEDGER + "rules/model.py",
        "by_state = phase != WAITING",
        "by_state = True",
    ),
    Mutant(
        "12 a host that was changed is restored",
        LEDGER + "operations/conclude.py",
        "if seen is None or seen.healthy is not True or seen.is_unclear or host is None or host.modified:",
        "if seen is None or seen.healthy is not True or host is None:",
    ),
    Mutant(
        "12 what no claim names is adopted",
        LEDGER + "operations/adopt.py",
        'for member in claim.get("drained") or []:',
        'for member in nodes.get(claim["host"], {}):',
    ),
    Mutant(
        "19 a reported version is believed",
        LEDGER + "rules/fleet.py",
        'version=versions.single(host.get("version")),',
        'version=host.get("version"),',
    ),
    Mutant(
        "19 an emptied ledger is a new one",
        LEDGER + "storage/location.py",
        "if not expected or expected == found:",
        "if not expected or expected == found or not found:",
    ),
    Mutant(
        "19 others may write the ledger",
        LEDGER + "storage/location.py",
        "if found.st_mode & OTHERS:",
        "if found.st_mode & 0:",
    ),
    Mutant(
        "3 the counters miss a change",
        LEDGER + "storage/store.py",
        "AFTER UPDATE OF zone, lb_state, phase, condition, in_scope ON host",
        "AFTER UPDATE OF zone, phase, condition, in_scope ON host",
    ),
    Mutant(
        "9 back to a bad version",
        LEDGER + "rules/failure.py",
        "if not versions.covers(source_version, version) and version not in bad and versions.known(version):",
        "if not versions.covers(source_version, version) and versions.known(version):",
    ),
    Mutant("9 back in circles", LEDGER + "rules/failure.py", "stack[: stack.index(version)]", "stack[:]"),
    Mutant(
        "11 no data counts as good",
        LEDGER + "operations/gate.py",
        "return session.limits.gate_no_data",
        'return "pass"',
    ),
    Mutant(
        "12 no record before the change",
        LEDGER + "operations/admit.py",
        "session.records.note_left_out(session.service, admitted, session.run, session.now)",
        "pass",
    ),
    Mutant(
        "12 an operator's drain is taken for ours",
        LEDGER + "rules/fleet.py",
        "is_by_us = is_left_out and admin == DRAINED",
        "is_by_us = admin == DRAINED",
    ),
    Mutant(
        "12 history can be rewritten",
        LEDGER + "storage/chain.py",
        "event.prev != prev or event.hash != digest(event)",
        "event.prev != prev",
    ),
    Mutant(
        "13 one node is enough",
        LEDGER + "rules/fleet.py",
        "for node, state in states:\n        if not state:",
        "for node, state in states[:1]:\n        if not state:",
    ),
    Mutant(
        "14 proven hosts stay on a bad version",
        LEDGER + "rules/failure.py",
        "if host.phase in (model.PROVEN, model.BACK_WAITING):",
        "if host.phase in (model.BACK_WAITING,):",
    ),
    Mutant(
        "14 what an earlier run left out is forgotten",
        LEDGER + "rules/failure.py",
        "return host.phase == model.WAITING and bool(host.drained_by_us)",
        "return False",
    ),
    Mutant(
        "15 success without a look",
        LEDGER + "operations/endings.py",
        "return self.host.phase in model.ON_TARGET and not self.fault",
        "return self.host.phase in model.ON_TARGET",
    ),
    Mutant(
        "16 another version inherits the proof",
        LEDGER + "operations/open.py",
        "return unfinished.keeps_release or unfinished.version == request.version",
        "return True",
    ),
    Mutant(
        "14 a host whose rollback has not begun is booked as rolled back",
        LEDGER + "operations/conclude.py",
        "return there is None or host.from_version in (None, there)",
        "return True",
    ),
    Mutant(
        "8 a process stopped in a change keeps the run that takes over out",
        LEDGER + "operations/stopped_writer.py",
        "if ledger.check_mode or writer is None",
        "if True or writer is None",
    ),
    Mutant(
        "8 a process stopped in a change of another service's run is ended",
        LEDGER + "rules/lease.py",
        "take_over and lease.service == service, gone_run)",
        "take_over, gone_run)",
    ),
    Mutant(
        "18 a rerun that fails moves the traffic away from what is live",
        LEDGER + "rules/traffic_rules.py",
        "if inputs.shift.only_confirms and",
        "if False and",
    ),
)
