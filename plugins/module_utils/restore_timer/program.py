# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The program that a restore timer runs: a Python archive of the collection's own code, kept on the balancer's host.

The controller sends it where the host has not kept it. It is source code, so that another Python after an upgrade of the
host runs it, too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

from ansible_collections.steady.rollout.plugins.module_utils import claims, files
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

LARGEST = 16 * 1024 * 1024


def stored(service: str, digest: str, content: str | None) -> str | None:
    """The path of the program with that SHA-256, None where it has to be sent; *content* is it in base64."""
    path = _path(service)
    if content is None:
        return path if digest and _digest_of(path) == digest else None
    try:
        sent = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        sent = b""
    if hashlib.sha256(sent).hexdigest() != digest:
        raise InputError("program: damaged in transfer; its SHA-256 does not match digest.")
    files.private_directory(os.path.dirname(path))
    files.replace_bytes(path, sent, files.Access(0o600))
    return path


def _path(service: str) -> str:
    """One for each service: another rollout on the same host may be of another version of the collection."""
    name = hashlib.sha256(service.encode()).hexdigest()[:16]
    return os.path.join(claims.state_directory(), "restore-timer", f"{name}.pyz")


def _digest_of(path: str) -> str:
    try:
        return hashlib.sha256(files.read(path, LARGEST, follow=False)).hexdigest()
    except OSError:
        return ""
