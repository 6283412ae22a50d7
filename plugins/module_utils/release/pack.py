# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Packs a directory into an archive that depends on nothing but the files' names, modes and contents."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import typing as t


class _Hashing:
    """A file to write to, with the checksum of what was written."""

    def __init__(self, target: t.IO[bytes]) -> None:
        self._target = target
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return self._target.write(data)

    @property
    def checksum(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def pack(directory: str, archive: str) -> str:
    """Packs *directory* into the tar.gz *archive* and returns the checksum of the tar inside. OSError as it comes.

    The archive's own checksum may differ between libraries for compression; that of the tar does not.
    """
    with open(archive, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
        hashing = _Hashing(t.cast("t.IO[bytes]", packed))
        with tarfile.open(fileobj=t.cast("t.IO[bytes]", hashing), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for name in _names(directory):
                tar.add(os.path.join(directory, name), name, recursive=False, filter=_impersonal)
    return hashing.checksum


def _names(directory: str) -> list[str]:
    found: list[str] = []
    for place, directories, files in os.walk(directory):
        relative = os.path.relpath(place, directory)
        found.extend(os.path.normpath(os.path.join(relative, name)) for name in directories + files)
    return sorted(found)


def _impersonal(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member
