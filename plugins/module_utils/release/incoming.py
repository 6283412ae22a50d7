# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""An artifact on its way from the controller, piece by piece through a session, into a file without a name.

Only the process that received it can open it, by its descriptor, and nothing of it stays on the host when that process
ends, however it ends.
"""

from __future__ import annotations

import base64
import errno
import os
import tempfile
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

FULL = (errno.ENOSPC, errno.EDQUOT)

_FILES: dict[str, t.Any] = {}


def receive(call: Call) -> dict[str, t.Any]:
    """Appends *data* to the file *id*; returns the path by which a core in this process reads it.

    *name* and *size* (bytes) say what it will be, for the message where there is no room for it.
    """
    data = base64.b64decode(call.params["data"], validate=True)
    place = _directory()
    try:
        stream = _FILES.get(call.params["id"]) or _opened(call.params["id"], place)
        stream.write(data)
    except OSError as error:
        discard(call)
        raise RolloutError(_refusal(call.params, place, error)) from None
    return {"changed": False, "path": f"/proc/self/fd/{stream.fileno()}"}


def discard(call: Call) -> dict[str, t.Any]:
    """Forgets the file *id*; one that is not there is gone already."""
    stream = _FILES.pop(call.params["id"], None)
    if stream:
        stream.close()
    return {"changed": False}


def _opened(identity: str, place: str) -> t.Any:
    # Unbuffered: what was answered is in the file.
    _FILES[identity] = tempfile.TemporaryFile(dir=place, buffering=0)  # noqa: SIM115  open until it is discarded
    return _FILES[identity]


def _directory() -> str:
    """On a disk, as /tmp need not be."""
    state = claims.state_directory()
    return state if os.path.isdir(state) and os.access(state, os.W_OK) else tempfile.gettempdir()


def _refusal(params: t.Mapping[str, t.Any], place: str, error: OSError) -> str:
    if error.errno not in FULL:
        return f"{params['name']} could not be copied to {place} on the host: {error.strerror}. Nothing was changed."
    there = os.statvfs(place)
    return (
        f"{params['name']} could not be copied to {place} on the host: no space left, it has {params['size'] / 1e6:.1f} MB "
        f"and {there.f_bavail * there.f_frsize / 1e6:.1f} MB are free there. Nothing was changed. Free some and run again."
    )
