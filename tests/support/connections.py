# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the established connections to a local port, as a host would for balancer.connections_command.

    connections.py 8080

One that the host has half closed, or that waits in the backlog, counts too; idle ones count like busy ones.
"""

from __future__ import annotations

import pathlib
import sys

ESTABLISHED, CLOSE_WAIT = "01", "08"


def count(port: int) -> int:
    """IPv4 and IPv6 together."""
    found = 0
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            found += int(words[1].rpartition(":")[2], 16) == port and words[3] in (ESTABLISHED, CLOSE_WAIT)
    return found


if __name__ == "__main__":
    print(count(int(sys.argv[1])))
