# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in the roles and in what runs the hosts' and the traffic's steps on the controller."""

from __future__ import annotations

from seeded import Mutant, of

ROLL = "plugins/plugin_utils/roll/"
TRAFFIC = "plugins/plugin_utils/traffic/"
CANARY = ("rollout:canary",)
"""Scenario of tests/compat/rollouts.py."""

MUTANTS: tuple[Mutant, ...] = (
    *of(
        ROLL + "steps.py",
        (
            "5 a gate's own steps overrule a failed metric",
            'if verdict["verdict"] in LETS_PASS and self.now["rollout_gate_tasks"]:',
            'if self.now["rollout_gate_tasks"]:',
        ),
        ("5 no metric is looked at", '        if self.now["rollout_metrics"]:\n', "        if False:\n"),
        ("12 a hook that hung is run again", "if path and name not in self._skipped_hooks:", "if path:"),
        (
            "9 a half-updated host counts as unchanged",
            "(seen is None and failed.step == ",
            "(seen is not None or failed.step == ",
        ),
        (
            "8 a switch without the claim",
            '            "claim": self.claim,\n            **self._restart(),',
            "            **self._restart(),",
        ),
        (
            "12 a host that was drained externally is put back",
            'failure.kind == "drained_externally":',
            'failure.kind == "nothing":',
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
            "        host.record_intent()\n        update(host)\n        host.wait_until_healthy()\n        host.smoke_test()",
            "        update(host)\n        host.record_intent()\n        host.wait_until_healthy()\n        host.smoke_test()",
        ),
        (
            "10 a host returns before it is healthy",
            "        host.wait_until_healthy()\n        host.smoke_test()\n        restore(host)",
            "        restore(host)\n        host.wait_until_healthy()\n        host.smoke_test()",
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
        "roles/rollout/vars/main.yml",
        ("blue-green is no shift", "strategy: \"{{ __rollout_strategy | default('') }}\"", 'strategy: ""'),
        tests=CANARY,
    ),
)
