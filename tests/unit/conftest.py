# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import settings
from support import seeds

# An example that takes long on a busy machine is no failure.
settings.register_profile("untimed", settings(deadline=None))
settings.load_profile("untimed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if seeds.PROFILE == "long":
        terminalreporter.write_line(f"The state machines searched from seed {seeds.SEED}; STEADY_SEED repeats it.")
