# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Checksums in the form that options and results have."""

from __future__ import annotations

import hashlib

CHUNK = 1024 * 1024


def checksum_of(path: str) -> str:
    """``sha256:`` and the digest of a file's content; OSError where it cannot be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"
