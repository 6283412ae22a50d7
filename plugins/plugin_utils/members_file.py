# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the hosts say, kept for a later worker of the run: evaluating them takes milliseconds a host.

The settings of a health check may hold a password. So they are in a private file, and not in a result that -v prints.
"""

from __future__ import annotations

import json
import tempfile
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import slots
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import plain
from ansible_collections.steady.rollout.plugins.plugin_utils.survey import Member


def write(members: t.Sequence[Member]) -> str:
    """The path of a file that only this user can read; it is removed at the end of the run."""
    rows = [member._asdict() for member in members]
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=slots.run_directory(), prefix="members.", delete=False
    ) as stream:
        stream.write(json.dumps(plain(rows)))  # dump() is slower by far
    return stream.name


def read(path: str, names: t.Collection[str]) -> list[Member]:
    """Those of *names*."""
    with open(path, encoding="utf-8") as stream:
        rows = json.load(stream)
    return [Member(**{**row, "urls": tuple(row["urls"])}) for row in rows if row["name"] in names]
