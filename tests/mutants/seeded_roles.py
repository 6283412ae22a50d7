# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in the roles' YAML. What could catch them are rollouts, and some tests that read the files."""

from __future__ import annotations

from seeded import Mutant, of

TASKS = "roles/rollout/tasks/"
GATE = ("tests/integration/metrics/test_stage_gate.py",)
ROLLING, CANARY, COLOURS = ("rollout:rolling",), ("rollout:canary",), ("rollout:blue_green",)
"""Scenarios of tests/compat/rollouts.py."""

MUTANTS: tuple[Mutant, ...] = (
    *of(
        TASKS + "gate.yml",
        (
            "5 a gate's own steps overrule a failed metric",
            "__rollout_judged.verdict | default('pass') in ['pass', 'not_judged'] and rollout_gate_tasks",
            "rollout_gate_tasks",
        ),
        (
            "11 metrics that could not be read pass",
            '{verdict: no_data, reason: "{{ ansible',
            '{verdict: pass, reason: "{{ ansible',
        ),
        ("5 no metric is looked at", "  when: rollout_metrics | length > 0\n", "  when: false\n"),
        tests=GATE,
    ),
    *of(
        TASKS + "shift/bake.yml",
        ("10 a measured step is only waited for", "  when: __rollout_is_measured | bool\n", "  when: false\n"),
        tests=CANARY,
    ),
    *of(
        TASKS + "shift/act.yml",
        ("10 the split is never set", "  when: __rollout_asked.act == 'set'\n", "  when: false\n"),
        (
            "10 nobody asks what comes after a split",
            "  when: __rollout_asked.act in ['set', 'bake']\n",
            "  when: __rollout_asked.act == 'bake'\n",
        ),
        tests=COLOURS,
    ),
    *of(
        "roles/rollout/vars/main.yml",
        (
            "10 a step is measured against itself",
            'baseline: "{{ [] if',
            'baseline: "{{ __rollout_members[__rollout_plan.shift.candidate] if not',
        ),
        ("blue-green is no shift", "strategy: \"{{ __rollout_strategy | default('') }}\"", 'strategy: ""'),
        tests=CANARY,
    ),
)
