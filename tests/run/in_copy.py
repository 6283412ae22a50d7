# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a tool in a copy of the collection's sources, for tools that would copy or search all of build/ too.

Usage: python -m run.in_copy COMMAND ...
"""

from __future__ import annotations

import subprocess
import sys

from . import house, tools


def main(command: list[str]) -> int:
    place = house.BUILD / "copy"
    env = house.environment(ANSIBLE_COLLECTIONS_PATH=str(place))
    with tools.locked("copy"):
        copy = house.copy_sources(place)
        return subprocess.run(command, cwd=copy, env=env, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
