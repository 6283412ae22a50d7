# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file that a setting names is found: one search for the checks before a rollout and for the rollout itself."""

from __future__ import annotations

import os
import typing as t

BESIDE = ("", "files", "tasks")


def located(path: str, search: t.Sequence[str]) -> str:
    """The file that a relative path means: the first that exists under the search paths or their files/ and tasks/."""
    if not path or "://" in path or os.path.isabs(path):
        return path
    candidates = [os.path.join(base, part, path) for base in search for part in BESIDE]
    return next((os.path.abspath(found) for found in candidates if os.path.exists(found)), path)
