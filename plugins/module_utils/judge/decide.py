# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The verdict on a step of a canary, from all that was measured in it. Pure: no I/O and no clock.

Before the last look there is an early fail or nothing yet; on the last one pass, fail, inconclusive or no data.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    Evidence,
    Metric,
    Policy,
    Progress,
    Verdict,
)


def decide(metrics: t.Sequence[Metric], evidence: Evidence, progress: Progress, policy: Policy) -> Verdict:
    """Judges every metric on all its samples and puts the answers together.

    Call it after every look with everything that the step has gathered so far; looking often does not make a false
    stop likelier.
    """
    raise NotImplementedError
