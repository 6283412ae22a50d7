# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How much room there is where a path is, or is to be."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release.stage import free_bytes


def core(call: Call) -> dict[str, t.Any]:
    """disk_info."""
    path = os.path.abspath(call.params["path"])
    place = _existing(path)
    try:
        system, free = os.statvfs(place), free_bytes(place)
    except OSError as error:
        raise RolloutError(
            f"{place}: the free space of its file system cannot be read ({error.strerror or error})."
        ) from None
    return {
        "changed": False,
        "path": path,
        "place": place,
        "free": free,
        "size": system.f_frsize * system.f_blocks,
        # File systems that make inodes as they are needed say that they have none.
        "free_inodes": system.f_favail if system.f_files else None,
        "writable": os.access(place, os.W_OK),
        "msg": f"{free / 1e6:.0f} MB are free at {place}",
    }


def _existing(path: str) -> str:
    """The path or the nearest folder above it that exists."""
    while not os.path.lexists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path
