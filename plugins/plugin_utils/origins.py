# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the user's files a text of a task was written, on every ansible-core."""

from __future__ import annotations

import typing as t

try:
    from ansible._internal._datatag._tags import Origin  # since ansible-core 2.19
except ImportError:
    Origin = None


def place_of(text: t.Any) -> str:
    """FILE:LINE; empty where Ansible does not remember it."""
    path, line = _tagged(text) if Origin else _positioned(text)
    return f"{path}:{line}" if path and line else ""


def _tagged(text: t.Any) -> tuple[t.Any, t.Any]:
    origin = Origin.get_tag(text)
    return (origin.path, origin.line_num) if origin else (None, None)


def _positioned(text: t.Any) -> tuple[t.Any, t.Any]:
    """As up to ansible-core 2.18: (file, line, column)."""
    position = getattr(text, "ansible_pos", None)
    return (position[0], position[1]) if isinstance(position, tuple) and len(position) == 3 else (None, None)
