# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of the controller through a session that is open anyway: no connection, no copy that stays, no other owner."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release import incoming
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import protocol
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import core_name
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.answering import result_of
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.session import Session, SessionEnded

PIECE = 1024 * 1024
"""Bytes in one request."""


@contextlib.contextmanager
def sent(session: Session, path: str, name: str, host: str) -> t.Iterator[str]:
    """The place by which cores in this session read the file, as long as the context lasts.

    *name* is what the file is called in messages. RolloutError where the host does not take it, SessionEnded where the
    session ends.
    """
    identity = secrets.token_hex(8)
    about = {"id": identity, "name": name, "size": os.path.getsize(path)}
    try:
        yield _delivered(session, path, about, host)
    finally:
        with contextlib.suppress(SessionEnded):
            _call(session, incoming.discard, {"id": identity})


def _delivered(session: Session, path: str, about: dict[str, t.Any], host: str) -> str:
    place = ""
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(PIECE), b""):
            data = base64.b64encode(piece).decode("ascii")
            reply = _call(session, incoming.receive, {**about, "data": data})
            result = result_of(reply, f"{about['name']} to {host}")
            if result.get("failed"):
                raise RolloutError(str(result["msg"]))
            place = str(result["path"])
    return place


def _call(session: Session, core: t.Callable[..., t.Any], params: dict[str, t.Any]) -> dict[str, t.Any]:
    return session.call(protocol.request(core_name(core), params, [], False, False), None)
