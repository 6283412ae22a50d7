# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Reads release archives with suspicion: everything is checked before the first byte is written.

Written out rather than left to tarfile, whose extraction filters are missing from the older Pythons that
modules meet, and which takes a cut archive without its end marker for a whole one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import os
import posixpath
import shutil
import struct
import tarfile
import typing as t
import zlib

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

CHUNK = 1024 * 1024
END_OF_ARCHIVE: type[Exception] = tarfile.EOFHeaderError  # type: ignore[attr-defined]
BAD_HEADER = tarfile.HeaderError
UNREADABLE = (
    tarfile.TarError,
    EOFError,
    zlib.error,
    gzip.BadGzipFile,
    struct.error,
    ValueError,
    IndexError,
    OverflowError,
    RecursionError,
)
LARGEST_HEADER = 1024 * 1024
"""Bytes of a long name or of extended attributes, which tarfile reads into memory."""
LONGEST_PATH, LONGEST_NAME, DEEPEST = 3000, 255, 100
MOST_ENTRIES = 500000
HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
MOST_ENDS = 100
"""tarfile goes on skipping at the end of a stream until it has skipped what a header claims."""
LARGEST = 10**10
"""Bytes that an archive may come to, packed or unpacked, unless the caller says otherwise."""


class ArtifactError(RolloutError):
    """The artifact itself is at fault: corrupt, cut short or unsafe."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What an archive holds: *content* is the checksum of the tar inside, *size* the bytes of its files."""

    content: str
    size: int
    files: int


@dataclasses.dataclass(frozen=True)
class Entry:
    """One member under the name that it gets in the release."""

    name: str
    member: tarfile.TarInfo
    link: str = ""


class _Stream:
    """The tar inside an archive, with its checksum; ValueError once more than *largest* bytes were read."""

    def __init__(self, source: t.IO[bytes], largest: int) -> None:
        self._source = source
        self.left = largest
        self._ends = 0
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.left -= len(data)
        self._ends += not data
        if self.left < 0:
            raise ValueError("unpacked it is larger than max_size allows")
        if self._ends > MOST_ENDS:
            raise EOFError("it breaks off")
        self._hash.update(data)
        return data

    def finish(self) -> str:
        """Reads to the end, which is where compression proves that nothing is broken; returns the checksum."""
        while self.read(CHUNK):
            pass
        return f"sha256:{self._hash.hexdigest()}"


class _Member(tarfile.TarInfo):
    """A member whose header has to be whole: tarfile takes a broken one for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> _Member:
        try:
            member = super().fromtarfile(tarfile)
        except END_OF_ARCHIVE:
            raise
        except BAD_HEADER as error:
            raise ValueError(f"it is truncated or damaged after {tarfile.offset} bytes ({error})") from None
        left = t.cast("t.Any", tarfile.fileobj).fileobj.left
        if not 0 <= member.size <= left:
            raise ValueError(f"'{member.name}' claims {member.size} bytes, more than max_size allows")
        return member

    def _proc_member(self, tarfile: tarfile.TarFile) -> t.Any:
        """Called by tarfile for each header, before it reads or skips as many bytes as the header claims."""
        if self.size < 0 or (self.type in HEADERS and self.size > LARGEST_HEADER):
            raise ValueError(f"a header claims {self.size} bytes")
        return super()._proc_member(tarfile)  # type: ignore[misc]


class _Names:
    """Refuses members that could end up outside of the release, whatever the order they come in."""

    def __init__(self, strip: int) -> None:
        self._strip = strip
        self._kinds: dict[str, str] = {}

    def entry(self, member: tarfile.TarInfo) -> Entry | None:
        """The entry for a member, None where *strip* leaves nothing of it; ValueError says what is wrong with it."""
        name = self._stripped(member.name)
        if not name:
            return None
        _refuse_unusable(name)
        if member.isdir():
            self._note(name, "directory")
            return Entry(name, member)
        if member.isreg():
            self._note(name, "file")
            return Entry(name, member)
        if member.issym():
            self._note(name, "link")
            return Entry(name, member, _inner_target(name, member.linkname))
        if member.islnk():
            link = self._stripped(member.linkname)
            if self._kinds.get(link) != "file" or link == name:
                raise ValueError(f"'{member.name}' is a hard link to '{member.linkname}', which is no file before it")
            self._note(name, "file")
            return Entry(name, member, link)
        raise ValueError(f"'{member.name}' is neither a file, a directory nor a link")

    def _stripped(self, name: str) -> str:
        if name.startswith("/"):
            raise ValueError(f"'{name}' is an absolute path")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise ValueError(f"'{name}' leads out of the release")
        return "/".join(parts[self._strip :])

    def _note(self, name: str, kind: str) -> None:
        above = posixpath.dirname(name)
        while above:
            if self._kinds.setdefault(above, "directory") != "directory":
                raise ValueError(f"'{name}' is below '{above}', which is a {self._kinds[above]}")
            above = posixpath.dirname(above)
        if self._kinds.setdefault(name, kind) != kind:
            raise ValueError(f"'{name}' appears twice, as a {self._kinds[name]} and as a {kind}")


def _refuse_unusable(name: str) -> None:
    parts = name.split("/")
    longest = max(len(os.fsencode(part)) for part in parts)
    if "\0" in name or longest > LONGEST_NAME or len(parts) > DEEPEST or len(os.fsencode(name)) > LONGEST_PATH:
        raise ValueError(
            f"'{name[:60]}...' is not a usable path: at most {LONGEST_PATH} bytes, {DEEPEST} levels and {LONGEST_NAME} bytes a name"
        )


def _inner_target(name: str, target: str) -> str:
    if "\0" in target or not 0 < len(os.fsencode(target)) <= LONGEST_PATH:
        raise ValueError(f"'{name}' is a link to a path that is empty or too long")
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if target.startswith("/") or resolved == ".." or resolved.startswith("../"):
        raise ValueError(f"'{name}' is a link to '{target}', which is outside of the release")
    return target


def inspect(path: str, strip: int, name: str | None = None, largest: int = LARGEST) -> Manifest:
    """Reads an archive from end to end and changes nothing; ArtifactError where it could not be unpacked safely.

    *largest* is how many bytes its tar may have, so that a few bytes that unpack to many end early.
    """
    size = files = 0
    with _reading(path, name or path, largest) as stream:
        for entry, dummy in _entries(stream, strip):
            size += entry.member.size if entry.member.isreg() else 0
            files += 1
            if files > MOST_ENTRIES or size > largest:
                raise ValueError(f"it holds more than {MOST_ENTRIES} entries or {largest} bytes")
        content = stream.finish()
    if not files:
        raise ArtifactError(
            f"{name or path}: nothing is in it{' after strip' if strip else ''}, so it is not a release."
        )
    return Manifest(content, size, files)


def unpack(path: str, strip: int, tree: str, name: str | None = None) -> None:
    """Unpacks an archive into the existing, empty directory *tree*; ArtifactError as for inspect, OSError for the disk.

    Links are made last, so that nothing can be written through one.
    """
    links: dict[str, str] = {}
    modes: dict[str, int] = {}
    with _reading(path, name or path) as stream:
        for entry, content in _entries(stream, strip):
            place = os.path.join(tree, entry.name)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            if entry.member.isdir():
                os.makedirs(place, exist_ok=True)
                modes[place] = _safe(entry.member.mode | 0o700)
            elif entry.member.issym():
                links[place] = entry.link
            elif entry.member.islnk():
                _copy(os.path.join(tree, entry.link), place)
            else:
                _write(place, entry.member, content)
        stream.finish()
        for place, target in links.items():
            os.symlink(target, place)
        _refuse_escapes(tree, links)
    for directory, dummy, dummy_files in os.walk(tree):
        if directory != tree:
            os.chmod(directory, modes.get(directory, 0o755))


@contextlib.contextmanager
def _reading(path: str, name: str, largest: int = 2**63) -> t.Iterator[_Stream]:
    """Opens an archive; whatever is wrong with it becomes an ArtifactError that names it."""
    try:
        with open(path, "rb") as raw:
            magic = raw.read(2)
            raw.seek(0)
            if not magic:
                raise EOFError("it is empty")
            if magic == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield _Stream(t.cast("t.IO[bytes]", unpacked), largest)
            else:
                yield _Stream(raw, largest)
    except UNREADABLE as error:
        raise ArtifactError(
            f"{name} is not a valid tar.gz: {str(error).rstrip('.') or type(error).__name__}. "
            "Build or copy it again; nothing was changed."
        ) from None


def _entries(stream: _Stream, strip: int) -> t.Iterator[tuple[Entry, t.IO[bytes] | None]]:
    names = _Names(strip)
    with tarfile.open(fileobj=t.cast("t.IO[bytes]", stream), mode="r|", tarinfo=_Member) as archive:
        for member in archive:
            entry = names.entry(member)
            if entry is not None:
                yield entry, archive.extractfile(member) if member.isreg() else None


def _write(place: str, member: tarfile.TarInfo, content: t.IO[bytes] | None) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)  # a member that comes twice: the later one counts
    with open(place, "xb") as target:
        if content is not None:
            shutil.copyfileobj(content, target, CHUNK)
        os.fchmod(target.fileno(), _safe(member.mode | 0o600))
    if member.mtime > 0:
        with contextlib.suppress(OverflowError):
            os.utime(place, (member.mtime, member.mtime))


def _copy(original: str, place: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)
    os.link(original, place)


def _safe(mode: int) -> int:
    """Without set-user-id and the like, and never writable by others."""
    return mode & 0o755


def _refuse_escapes(tree: str, links: t.Iterable[str]) -> None:
    """Links that lead out only by way of other links."""
    top = os.path.realpath(tree)
    for place in links:
        found = os.path.realpath(place)
        if found != top and not found.startswith(top + os.sep):
            raise ValueError(f"'{os.path.relpath(place, tree)}' is a link that leads out of the release")
