# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in how a release is measured."""

from __future__ import annotations

from seeded import Mutant

METRICS = "plugins/module_utils/metrics/"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "metrics: a reload is not noticed",
        METRICS + "counting.py",
        'if before["series"] != node.series:',
        'if before["series"] == "":',
    ),
    Mutant(
        "metrics: a counter that fell is not noticed",
        METRICS + "counting.py",
        'for counter in ("requests", "errors", "timed")',
        'for counter in ("requests",)',
    ),
    Mutant(
        "metrics: a silent balancer's interval is lost",
        METRICS + "balancers.py",
        "{} if reading.silent else reading.nodes",
        "reading.nodes",
    ),
    Mutant("metrics: a point counts at every look", METRICS + "measure.py", "sample.at > after", "sample.at >= 0"),
    Mutant(
        "11 metrics: missing errors are none",
        METRICS + "numbers.py",
        "if bad is None and not absent_is_zero:",
        "if bad is None and group == '':",
    ),
    Mutant(
        "11 metrics: half an answer is one",
        METRICS + "prometheus.py",
        'if answer.get("warnings"):',
        'if answer.get("warning"):',
    ),
    Mutant(
        "11 metrics: NaN is a number",
        METRICS + "numbers.py",
        "return found if math.isfinite(found) else None",
        "return found if math.isfinite(found) else 0.0",
    ),
    Mutant(
        "metrics: the window's end is missed",
        METRICS + "gate.py",
        "until = end if polled_at < end < due else due",
        "until = due",
    ),
    Mutant(
        "metrics: a verdict is not kept",
        METRICS + "gate.py",
        "if watch.verdict is not None:",
        "if watch.verdict == 'none':",
    ),
    Mutant(
        "metrics: looking on never ends",
        METRICS + "policies.py",
        "standing.elapsed < standing.window + policies.limit",
        "standing.elapsed < standing.window + policies.limit + 9999",
    ),
    Mutant(
        "metrics: nobody is asked",
        METRICS + "policies.py",
        "if policy == ASK and standing.can_ask:",
        "if policy == GO_ON and standing.can_ask:",
    ),
    Mutant(
        "metrics: the newest points of CloudWatch count", METRICS + "cloudwatch.py", "if at < end]", "if at <= end]"
    ),
)
