# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads of a run while it is under way."""

from __future__ import annotations

import time

from ansible.utils.display import Display


def show(line: str) -> None:
    """A line with the time before it, under any callback."""
    Display().display(f"{time.strftime('%H:%M:%S')}  {line}")
