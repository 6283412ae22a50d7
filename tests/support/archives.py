# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds release archives for tests, sound ones and others."""

from __future__ import annotations

import gzip
import io
import pathlib
import tarfile
import typing as t

Member = t.Union[str, bytes, t.Callable[[tarfile.TarInfo], None], None]


def archive(path: pathlib.Path, members: dict[str, Member] | list[tuple[str, Member]]) -> pathlib.Path:
    """A tar.gz with files (text or bytes), directories (None) and whatever a function makes of its member."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items() if isinstance(members, dict) else members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
            elif callable(content):
                content(member)
                tar.addfile(member)
            else:
                data = content.encode() if isinstance(content, str) else content
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return path


def symlink(target: str) -> t.Callable[[tarfile.TarInfo], None]:
    def make(member: tarfile.TarInfo) -> None:
        member.type, member.linkname = tarfile.SYMTYPE, target

    return make


def hard_link(target: str) -> t.Callable[[tarfile.TarInfo], None]:
    def make(member: tarfile.TarInfo) -> None:
        member.type, member.linkname = tarfile.LNKTYPE, target

    return make


def device(member: tarfile.TarInfo) -> None:
    member.type, member.devmajor, member.devminor = tarfile.CHRTYPE, 1, 3


def fifo(member: tarfile.TarInfo) -> None:
    member.type = tarfile.FIFOTYPE


def recompressed(path: pathlib.Path, to: pathlib.Path, level: int = 1) -> pathlib.Path:
    """Another file with the same tar inside."""
    to.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), level, mtime=7))
    return to
