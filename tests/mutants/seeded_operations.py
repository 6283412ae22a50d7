# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in the ledger's operations and rules that a review of the tests has named, and others beside them."""

from __future__ import annotations

from seeded import Mutant, of

RULES = "plugins/module_utils/ledger/rules/"
OPERATIONS = "plugins/module_utils/ledger/operations/"

MUTANTS: tuple[Mutant, ...] = (
    *of(
        "plugins/module_utils/ledger/operations/plan_traffic.py",
        (
            "18 a switch that is over is made again",
            "return is_over and shift.shown_split == shift.settled_split",
            "return False",
        ),
        (
            "18 a node that shows something else is left alone",
            "if all(node.shows(shift.settled_split) for node in nodes):",
            "if nodes:",
        ),
        (
            "18 a rerun that changed nothing is reverted",
            "if shift.only_confirms and shift.strategy == BLUE_GREEN:",
            "if False:",
        ),
    ),
    *of(
        RULES + "policy.py",
        (
            "6 the failure budget is that of the fleet",
            "max_failures=policy.max_failures.rounded_down(in_scope)",
            "max_failures=policy.max_failures.rounded_down(fleet)",
        ),
        (
            "5 merged stages bake for the last one's time",
            "found[-1] = (found[-1][0], max(found[-1][1], bake))",
            "found[-1] = (found[-1][0], bake)",
        ),
        (
            "3 the window rounds up",
            "window = policy.max_unavailable.rounded_down(fleet)",
            "window = policy.max_unavailable.rounded_up(fleet)",
        ),
        ("a zone of one host keeps one", "0 if size == 1 else floor.rounded_up(size)", "floor.rounded_up(size)"),
    ),
    *of(
        RULES + "admission.py",
        (
            "a bake counts as a lack of progress",
            "since = max(inputs.rollout.progress_at or 0.0, _judged_until(inputs))",
            "since = inputs.rollout.progress_at or 0.0",
        ),
        (
            "a gate that is being run is handed out again",
            "    if gate.is_claimed(inputs.now):\n",
            "    if False:\n",
        ),
    ),
    *of(
        RULES + "lease.py",
        ("moments are local time", "time.gmtime(seconds)", "time.localtime(seconds)"),
        (
            "8 any run that is gone opens the lease",
            "(gone_run is not None and gone_run == lease.run)",
            "gone_run is not None",
        ),
    ),
    *of(
        RULES + "planning.py",
        (
            "1 a floor that lets no host go is accepted",
            "if serving - 1 >= limits.min_available:",
            "if serving >= limits.min_available:",
        ),
        (
            "4 hosts in service go before those that are out",
            "groups.setdefault((host.is_serving,",
            "groups.setdefault((not host.is_serving,",
        ),
        ("zones are not mixed", "((number + 0.5) / len(members), zone, host)", "((number + 0.5) * 0, zone, host)"),
    ),
    *of(
        RULES + "fleet.py",
        (
            "12 maintenance on one node is ours by the drain on another",
            "key=lambda found: found[1] == DRAINED",
            "key=lambda found: found[1] != DRAINED",
        ),
        (
            "a version that health does not report is not current",
            "version = seen.version or proven",
            "version = seen.version",
        ),
    ),
    *of(
        RULES + "failure.py",
        (
            "14 a host fails on its way back and returns again",
            "        direction == model.FORWARD\n        and",
            "        ",
        ),
        (
            "a host that returned on other nodes is changed",
            "    if kind == BALANCER and (host.phase == model.CHANGING or is_late):\n        return False\n",
            "",
        ),
    ),
    *of(
        OPERATIONS + "revert.py",
        (
            "14 a stopped rollback rolls itself back",
            "if session.rollout.direction != model.FORWARD or session.rollout.reason_kind in holding:",
            "if session.rollout.reason_kind in holding:",
        ),
        (
            "11 what could not be measured rolls back",
            "(upkeep.UNCLEAR, *failure.STOPS_AT_ONCE)",
            "failure.STOPS_AT_ONCE",
        ),
        (
            "10 the group with the traffic is rolled back",
            "return shift is None or shift.group_of(host.name) == shift.in_work",
            "return True",
        ),
        ("9 a host is rolled back to nowhere", "        if target is None:\n", "        if target == '':\n"),
    ),
    *of(
        OPERATIONS + "conclude.py",
        (
            "12 hosts are noted back while a balancer is silent",
            "    if view.unreachable:\n        return\n",
            "",
        ),
        (
            "12 a half-updated host counts as back",
            "unchanged = host is not None and not host.modified",
            "unchanged = host is not None",
        ),
        ("9 what is on a bad version is restored", " and seen.version not in bad\n", "\n"),
        (
            "15 a fleet in service is no success",
            'succeeded": outcome == DONE or',
            'succeeded": outcome != DONE or',
        ),
    ),
    *of(
        OPERATIONS + "report.py",
        ("16 a host is proven on another version", "    if version != host.target_version:\n", "    if False:\n"),
        (
            "8 a host of another run is changed",
            "if host.phase not in phases or host.run != session.run:",
            "if host.phase not in phases:",
        ),
        (
            "12 a change is forgotten by the next step",
            "modified=int(modifies or bool(before.modified)),",
            "modified=int(modifies),",
        ),
        (
            "12 what an earlier run left counts as unchanged",
            "was_changed = bool(before.modified) or bool(before.drained_by_us)",
            "was_changed = bool(before.modified)",
        ),
        (
            "6 a stuck host is no failure",
            "before, phase=model.STUCK, counted=1,",
            "before, phase=model.STUCK, counted=0,",
        ),
        (
            "12 a host that was skipped stays on record as drained by us",
            '    session.records.note_back(session.service, host.name)\n    session.event("skipped"',
            '    session.event("skipped"',
        ),
        (
            "17 observations from before the proof stay",
            "    session.records.forget_observed(session.rollout.id, host.name)\n",
            "",
        ),
    ),
    *of(
        OPERATIONS + "upkeep.py",
        (
            "5 a gate that judged fewer hosts stays passed",
            "or stages[gate.stage - 1] != gate.slots or proven < gate.slots:",
            "or proven < gate.slots:",
        ),
        ("16 a version that was rolled out becomes bad", "if is_known or version in", "if version in"),
        (
            "12 one host's recovery stops the others'",
            "    if session.rollout.direction == model.RECOVER and kind not in failure.STOPS_AT_ONCE:\n",
            "    if False:\n",
        ),
        (
            "6 a host lost on its way back counts as failed forward",
            "phase=model.STUCK if went_back else model.FAILED",
            "phase=model.FAILED",
        ),
    ),
    *of(
        OPERATIONS + "open.py",
        ("16 a bad version is opened again", "    if request.allow_bad:\n", "    if True:\n"),
        (
            "9 the operator's rollback goes on forward",
            "        status=model.REVERTING,\n        revert_requested=1,",
            "        status=model.OPEN,\n        revert_requested=1,",
        ),
        ("a rollback leaves the oldest version", "return rolled[0].version", "return rolled[-1].version"),
    ),
    *of(
        OPERATIONS + "host_plan.py",
        (
            "15 a proof counts for another version",
            "        and seen.version in (None, old.target_version)\n",
            "",
        ),
        ("9 a host is recovered on a bad version", "    elif seen.version in bad:\n", "    elif False:\n"),
        (
            "12 what was drained externally is planned",
            "if seen.lb_state == model.DRAINED_EXTERNALLY and not _was_proven(old, seen):",
            "if False:",
        ),
        (
            "9 a rollback to a version never proven there",
            "return next((proven for proven in reversed(proofs) if versions.covers(rollout.version, proven)), None)",
            "return rollout.version",
        ),
    ),
    *of(
        OPERATIONS + "adopt.py",
        (
            "12 who has returned already is adopted",
            '            if state.get("admin") == fleet.DRAINED:\n',
            "            if state:\n",
        ),
    ),
    *of(
        OPERATIONS + "gate.py",
        ("5 a gate is judged twice", 'if gate.status in ("passed", "closed"):', 'if gate.status == "closed":'),
        (
            "5 a claim that ran out judges the gate",
            "    if claim is not None and gate.claim != claim:\n        message",
            "    if False:\n        message",
        ),
    ),
    *of(
        OPERATIONS + "control.py",
        (
            "10 an aborted shift stays where it is",
            "if _moves_users(session):",
            "if False:",
        ),
        ("what is over is paused", "rollout is None or rollout.status not in RUNNING:", "rollout is None:"),
    ),
    *of(
        OPERATIONS + "quiesce.py",
        (
            "a service that a step has started is ended",
            "            if _is_module(words):\n",
            "            if words:\n",
        ),
        (
            "what ignores SIGTERM lives on",
            "signal.SIGTERM if waited < KILL_AFTER else signal.SIGKILL",
            "signal.SIGTERM",
        ),
        (
            "what a shell has started is left behind",
            "for pid in _with_descendants([pid for pid, dummy in found], proc):",
            "for pid in [pid for pid, dummy in found]:",
        ),
        (
            "the sessions of the run that asks are ended",
            "modules = [one for one in found if OF_A_SESSION.decode() not in one[1]]",
            "modules = found",
        ),
        (
            "a module that waits for its program keeps the next run waiting",
            "return processes.is_stopped(pid, proc) or (is_fed and processes.reads_its_input(pid, proc))",
            "return processes.is_stopped(pid, proc)",
        ),
    ),
)
