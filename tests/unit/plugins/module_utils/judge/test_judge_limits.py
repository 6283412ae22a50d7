# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary held to a limit, by what decide.py never asks of it."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.judge import limits, spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.compare import Case
from ansible_collections.steady.rollout.plugins.module_utils.judge.history import History
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import BASELINE, CANARY, Progress


def test_nothing_measured_is_not_within_a_limit() -> None:
    (metric,) = spec.parse_metrics([{"name": "m", "limit": "< 500ms"}])
    case = Case(metric, [], History(), {CANARY: 1, BASELINE: 1}, 0.0, 0.01, Progress(0.0, 60.0, 60.0, True, 0.0))
    assert metric.limit is not None
    assert limits.limited(case, metric.limit).verdict == "fail"
