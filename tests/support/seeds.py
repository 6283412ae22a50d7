# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the state machines search, and from which seed.

The sample of `make test` is the same on every machine: what turns red there is somebody's doing. The long series has a new
seed each time, which `make test-long` and pytest print; STEADY_SEED=n repeats it.
"""

from __future__ import annotations

import os
import secrets

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "")
EXAMPLES = {"ci": 2000, "long": 10000}
# Hypothesis's own derandomize would draw other examples after each edit of a machine, and differently on another patch of Python.
SEED = int(os.environ.get("STEADY_SEED") or (1 if PROFILE == "ci" else secrets.randbelow(2**32)))
# A seeded bug need only be found, not be explained.
PHASES = [Phase.generate] if PROFILE == "mutants" else [Phase.generate, Phase.shrink]


def searched(machine: type[RuleBasedStateMachine], steps: int, usually: int) -> type:
    """The test case of a state machine; *usually* is how many examples it tries where no profile is set."""
    seed(SEED)(machine)
    machine.TestCase.settings = settings(
        max_examples=EXAMPLES.get(PROFILE, usually),
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=PHASES,
        database=None,
    )
    return machine.TestCase
