# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in the roles and in what runs the hosts' and the traffic's steps on the controller."""

from __future__ import annotations

from seeded import Mutant, of

ROLL = "plugins/plugin_utils/roll/"
TRAFFIC = "plugins/plugin_utils/traffic/"
TASKS = "roles/rollout/tasks/"
BEGIN = ("tests/unit/roles/test_begin.py",)
CONDITIONS = ("tests/unit/roles/test_conditions.py",)

MUTANTS: tuple[Mutant, ...] = (
    *of(
        ROLL + "steps/admission.py",
        (
            "5 a gate's own steps overrule a failed metric",
            'if verdict["verdict"] in LETS_PASS and self.now["rollout_gate_tasks"]:',
            'if self.now["rollout_gate_tasks"]:',
        ),
        ("5 no metric is looked at", '        if self.now["rollout_metrics"]:\n', "        if False:\n"),
    ),
    *of(
        ROLL + "steps/calls.py",
        ("12 a hook that hung is run again", "if path and name not in self._skipped_hooks:", "if path:"),
    ),
    *of(
        ROLL + "steps/proof.py",
        (
            "9 a half-updated host counts as unchanged",
            "(is_known or failed.step == ",
            "(not is_known or failed.step == ",
        ),
        ("smoke tests are left out", 'if not self.now["rollout_smoke_tests"]:', "if True:"),
    ),
    *of(
        ROLL + "steps/update.py",
        (
            "8 a switch without the claim",
            '            "claim": self.claim,\n            **self._restart(),',
            "            **self._restart(),",
        ),
        ("a host is staged twice", "            if self._staged != self._version:\n", "            if True:\n"),
        (
            "the interrupted run is not waited for",
            '        run = self.admission.get("interrupted_run")\n        if run:',
            "        run = ''\n        if run:",
        ),
    ),
    *of(
        ROLL + "steps/reports.py",
        (
            "12 a host that may have been changed returns as it was",
            "Verdict(may_return and untouched and bool(previous), False, previous)",
            "Verdict(may_return and bool(previous), False, previous)",
        ),
        (
            "12 what hangs on the host is not ended",
            'if failed and failed.failure and failed.failure.get("timed_out"):',
            "if False:",
        ),
        (
            "12 a host that was drained externally is put back",
            'failure.kind == "drained_externally":',
            'failure.kind == "nothing":',
        ),
    ),
    *of(
        ROLL + "steps/traffic.py",
        (
            "12 an operator's drain is taken for ours by the drain",
            'expected = ["in_service", "drained"] if is_ours else ["in_service"]',
            'expected = ["in_service", "drained"]',
        ),
        (
            "a host that is back on one node is changed",
            'if self.now["rollout_balancers"] and self.journal.find("restore"):',
            "if False:",
        ),
    ),
    *of(
        ROLL + "gate.py",
        (
            "11 metrics that could not be read pass",
            '{"verdict": "no_data", "reason": error.error}',
            '{"verdict": "pass", "reason": ""}',
        ),
    ),
    *of(
        ROLL + "nodes.py",
        ("10 nodes are drained one after the other", "        if others:\n", "        if False:\n"),
        (
            "12 what somebody else drained stays marked by us",
            '            self._change(list(marked.values()), state="in_service")\n',
            "",
        ),
        ("1 a drain without the guard", "if guard else {}", "if not guard else {}"),
    ),
    *of(
        ROLL + "host.py",
        (
            "12 the intent is recorded after the change",
            "        host.record_intent()\n        bring_to_target(host)\n",
            "        bring_to_target(host)\n        host.record_intent()\n",
        ),
        (
            "10 a host returns before it is healthy",
            "        bring_to_target(host)\n        restore(host)\n",
            "        restore(host)\n        bring_to_target(host)\n",
        ),
        (
            "12 a failed host is not reported",
            "    verdict = host.report_failed(failure)\n    if not",
            "    verdict = host.report_failed(failure)\n    if",
        ),
    ),
    *of(
        ROLL + "journal.py",
        (
            "a step is done again after a hook",
            "        if self._is_recorded(step):\n            return self._replay().outcome()",
            "        if False:\n            return self._replay().outcome()",
        ),
        ("8 a run that is over goes on", "        self.before_step(step)\n        started", "        started"),
    ),
    *of(
        TRAFFIC + "drive.py",
        (
            "10 a measured step is only waited for",
            'if not self.settings["rollout_metric_gate"] or not bake or not asked["share"]:',
            "if True:",
        ),
        (
            "10 the split is never set",
            '        done = self._weigh(asked["split"], check_mode=False)\n',
            '        done = self._weigh(asked["split"], check_mode=True)\n',
        ),
        (
            "10 a step is measured against itself",
            'baseline = [] if is_alone else self._groups[self.shift["live"]]',
            'baseline = self._groups[self.shift["candidate"]]',
        ),
        ("13 what a node said against the split is lost", '"why": why.get(node["host"], "")', '"why": ""'),
    ),
    *of(
        TASKS + "begin.yml",
        (
            "only some tasks may run",
            "when: ansible_run_tags | list != ['all'] or ansible_skip_tags | list != []",
            "when: ansible_run_tags | list != ['all'] and ansible_skip_tags | list != []",
        ),
        tests=BEGIN,
    ),
    *of(
        TASKS + "begin_optional.yml",
        (
            "a rollback is refused for smoke tests that it does not use",
            "    - rollout_smoke_tests | length > 0\n    - __rollout_direction | default('forward') == 'forward'\n",
            "    - rollout_smoke_tests | length > 0\n",
        ),
        (
            "wrong smoke tests are found on the first host",
            "    - rollout_smoke_tests | length > 0\n",
            "    - rollout_smoke_tests | length > 1\n",
        ),
        tests=BEGIN,
    ),
    *of(
        "plugins/action/check_settings.py",
        ("the gate's steps are not looked at", ' for hook in HOOKS), "rollout_gate_tasks")', " for hook in HOOKS),)"),
        (
            "settings that cannot work are let pass",
            '            "failed": bool(errors),\n',
            '            "failed": len(errors) > 9,\n',
        ),
        ("wrong steps are let pass", "map(Finding, [*wrong, *_unread", "map(Finding, [*_unread"),
        tests=BEGIN,
    ),
    *of(
        "roles/canary/tasks/begin.yml",
        ("a canary by number needs a group", "length == 0 and 'hosts' not in", "length == 0 or 'hosts' not in"),
        tests=BEGIN,
    ),
    *of(
        "roles/blue_green/tasks/begin.yml",
        (
            "blue-green has any number of colours",
            "when: rollout_colours | length != 2",
            "when: rollout_colours | length < 2",
        ),
        tests=BEGIN,
    ),
    *of(
        TASKS + "last_gate.yml",
        ("the last stage is judged twice", "  when: inventory_hostname == ansible_play_hosts | first\n", ""),
        tests=CONDITIONS,
    ),
    *of(
        TASKS + "drive.yml",
        ("10 a shift that is over goes on", " and __rollout_drive.act | default('') != 'over'", ""),
        ("10 every host moves the traffic", "inventory_hostname == ansible_play_hosts | first and ", ""),
        (
            "5 your steps do not judge a step of traffic",
            "when: __rollout_drive.hook | default({}) | length > 0",
            "when: __rollout_drive.hook | default({}) | length > 1",
        ),
        tests=CONDITIONS,
    ),
    *of(
        TASKS + "host.yml",
        (
            "your steps are left out",
            "when: not __rollout_host.get('hook')",
            "when: not __rollout_host.get('hooks')",
        ),
        tests=CONDITIONS,
    ),
    *of(
        TASKS + "hook.yml",
        (
            "8 a step of a run that is over changes a host",
            "lookup('steady.rollout.lease', __rollout_run.run)",
            "__rollout_run.run",
        ),
        ("12 a lost host goes on with the next step", "ignore_unreachable: false", "ignore_unreachable: true"),
        (
            "12 a step that failed counts as done",
            '          failure: "{{ ansible_failed_task | default({}) | steady.rollout.failure(ansible_failed_result | default(__rollout_not_loaded)) }}"\n',
            "",
        ),
        (
            "a step of yours may hang",
            '              timeout: "{{ rollout_step_timeout | steady.rollout.seconds | int }}"\n',
            "",
        ),
        tests=CONDITIONS,
    ),
    *of(
        TASKS + "judge.yml",
        (
            "8 a gate of a run that is over runs",
            "{{ lookup('steady.rollout.lease', __rollout_run.run) }}",
            "{{ __rollout_run.run }}",
        ),
        (
            "5 your steps that failed have judged well",
            '          failure: "{{ ansible_failed_task | default({}) | steady.rollout.failure(ansible_failed_result | default(__rollout_not_loaded)) }}"\n',
            "",
        ),
        tests=CONDITIONS,
    ),
    *of(
        TASKS + "plan.yml",
        (
            "13 one balancer may be silent",
            "__rollout_refuse_unreadable: true",
            "__rollout_refuse_unreadable: false",
        ),
        (
            "13 rights to change balancers are not asked for",
            "__rollout_require_admin: true",
            "__rollout_require_admin: false",
        ),
        (
            "17 check mode starts a watch",
            '.members_file }}"\n  run_once: true\n  when: not ansible_check_mode\n',
            '.members_file }}"\n  run_once: true\n',
        ),
        (
            "8 a refused plan keeps its claims",
            "    - name: Release the claims\n      ansible.builtin.include_tasks: release_claims.yml\n"
            "      run_once: true\n      when: not ansible_check_mode\n      vars:\n        __rollout_refused: true\n\n",
            "",
        ),
        tests=CONDITIONS,
    ),
    *of(
        TASKS + "conclude_optional.yml",
        ("12 nobody is put back at the end", "  when: __rollout_survey.out_of_rotation | length > 0", "  when: false"),
        tests=CONDITIONS,
    ),
    *of(
        TASKS + "conclude.yml",
        (
            "15 a rollout that failed ends well",
            "not __rollout_conclusion.succeeded or",
            "__rollout_conclusion.failed | default(false) or",
        ),
        tests=CONDITIONS,
    ),
    *of(
        TASKS + "restore_left_out.yml",
        ("12 maintenance is ended at the end of a run", "    expected_states: [in_service, drained]\n", ""),
        ("8 members are restored without the claim", '    claim: "{{ __rollout_claim }}"\n', ""),
        tests=CONDITIONS,
    ),
    *of(
        TASKS + "release_claims.yml",
        ("one silent balancer fails the run's end", "  failed_when: false\n", ""),
        tests=CONDITIONS,
    ),
    *of(
        "playbooks/rolling.yml",
        (
            "8 nothing on the hosts names its run",
            "  vars:\n    # A host that is rolled back",
            "  environment: {}\n  vars:\n    # A host that is rolled back",
        ),
        (
            "check mode concludes",
            "        tasks_from: conclude\n        rolespec_validate: false\n      when: not (ansible_check_mode or (__rollout_window",
            "        tasks_from: conclude\n        rolespec_validate: false\n      when: not ((__rollout_window",
        ),
        tests=CONDITIONS,
    ),
    *of(
        "playbooks/rollback.yml",
        ("colours are rolled back host by host", "default({}, true) | length == 0", "default({}, true) | length != 1"),
        tests=CONDITIONS,
    ),
    *of(
        "playbooks/canary.yml",
        (
            "10 a canary by number shifts traffic",
            "'hosts' not in (rollout_canary_steps | default([{}], true))[0]",
            "'hosts' in (rollout_canary_steps | default([{}, {}], true))[0]",
        ),
        tests=CONDITIONS,
    ),
    *of(
        "playbooks/shift_pass.yml",
        ("6 one lost host ends a pass", "  ignore_unreachable: true\n", "  ignore_unreachable: false\n"),
        tests=CONDITIONS,
    ),
    *of(
        "roles/rollout/vars/main.yml",
        (
            "8 nodes that split the traffic get no claim",
            "(rollout_balancers + rollout_traffic_balancers + (",
            "(rollout_balancers + (",
        ),
        (
            "5 metrics alone are no gate",
            "rollout_gate_tasks | length > 0 or rollout_metrics",
            "rollout_gate_tasks | length > 0 and rollout_metrics",
        ),
        ("a shift is none", "strategy: \"{{ __rollout_strategy | default('') }}\"", 'strategy: ""'),
        (
            "1 one limit is given for the other",
            'zone_min_available: "{{ rollout_zone_min_available }}"',
            'zone_min_available: "{{ rollout_min_available }}"',
        ),
        tests=CONDITIONS,
    ),
)
