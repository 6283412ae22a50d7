# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore timer's program runs on a balancer's host. Python 3.8 and its standard library."""

from __future__ import annotations

import sys

from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import act
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import run_command


def main() -> None:
    sys.exit(act.main(sys.argv[1], run_command))
