# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell command that starts the other end of a session; no I/O."""

from __future__ import annotations

import shlex
import typing as t

MARK = "steady-rollout-session"
"""The last word of the process's command line: what an interrupted run has left is found by it."""
TOO_OLD = "steady-rollout: too old a Python:"
NO_PYTHON = "steady-rollout: no Python 3.8 or newer"
OLDEST = "(3,8)"
STARTER = (
    "import sys;sys.path=[p for p in sys.path if p];"
    f"sys.version_info<{OLDEST} and sys.exit('{TOO_OLD} '+sys.version.split()[0]);"
    "exec(sys.stdin.buffer.read({size}))"
)
"""The working directory may be another user's: nothing is imported from it."""


def command(interpreters: t.Sequence[str], size: int, env_prefix: str = "", tried: bool = False) -> str:
    """A line of sh. Of several interpreters the first that is there, or with *tried* the first that is new enough."""
    starter = f"-c {shlex.quote(STARTER.format(size=size))} {MARK}"
    run = f"exec env {env_prefix} " if env_prefix else "exec "
    if len(interpreters) == 1:
        return f"{run}{interpreters[0]} {starter}"
    test = 'command -v "$p" >/dev/null 2>&1'
    if tried:
        test = f'"$p" -c "import sys;sys.exit(sys.version_info<{OLDEST})" 2>/dev/null'
    candidates = " ".join(map(shlex.quote, interpreters))
    return f'for p in {candidates}; do {test} && {run}"$p" {starter}; done; echo "{NO_PYTHON}" >&2; exit 127'


def in_shell(text: str) -> str:
    """For a login shell of any kind."""
    return f"/bin/sh -c {shlex.quote(text)}"
