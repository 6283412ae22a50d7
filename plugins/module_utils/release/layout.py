# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The files of a deployed service on a host, and the few ways in which they change.

<path>/current               -> releases/<version>, switched by renaming a new link over it
<path>/releases/<version>/   complete as soon as it has this name; unfinished ones start with a dot
<path>/shared/               what outlives releases; releases link into it
<path>/.rollout/<version>.json   where the files came from and whether the version is bad
<path>/.rollout/activated        what was switched to, a JSON list
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durable, files
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release import folders
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import (
    VERSION,
    Artifact,
    Release,
    Snapshot,
    activations,
)

LOCK_TIMEOUT = 1800.0
"""As long as a download by another call may take."""
LEFT_OVER = re.compile(r"\..+\.(partial|delivery|replaced|removed)-[0-9a-f]+")


class Layout:
    """One service's files below *path*; directories made here get *mode* and the owner and group, if given."""

    def __init__(self, path: str, mode: int = 0o755, owner: int = -1, group: int = -1) -> None:
        self.path = path
        self.releases = os.path.join(path, "releases")
        self.shared = os.path.join(path, "shared")
        self.current = os.path.join(path, "current")
        self._records = os.path.join(path, ".rollout")
        self._mode = mode
        self.owner = owner
        self.group = group
        self._is_owned = (owner, group) != (-1, -1)
        self._is_root = os.geteuid() == 0

    def release(self, version: str) -> str:
        return os.path.join(self.releases, version)

    def unfinished(self, version: str, purpose: str) -> str:
        """A name for files that are not a release (yet); swept away by the next call if this one is killed."""
        return os.path.join(self.releases, f".{version}.{purpose}-{secrets.token_hex(8)}")

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[None]:
        """One call at a time; waits for another one, such as one that outlived the run that started it."""
        self._make_directories()
        with files.locked(os.path.join(self._records, "lock"), f"the releases of {self.path}", LOCK_TIMEOUT):
            self._sweep()
            yield

    def _make_directories(self) -> None:
        """Run by root, all but shared stays root's: who could rename or link in them could make root write elsewhere."""
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        if self._is_root:
            folders.refuse_untrusted(self.path)
        for directory in (self.path, self.releases, self._records):
            self._make_own(directory)
            if self._is_root:
                folders.secure(directory, self.owner)
        with folders.entered(self.path, ["shared"], self.dress):
            pass

    def _make_own(self, directory: str) -> None:
        if os.path.isdir(directory):
            return
        os.mkdir(directory, 0o700)
        os.chmod(directory, 0o755 if directory == self._records else self._mode & (0o755 if self._is_root else 0o777))
        if not self._is_root:
            self.own(directory)

    def dress(self, handle: int) -> None:
        """Gives a new directory, by its descriptor, its mode and owner."""
        os.fchmod(handle, self._mode)
        if self._is_owned:
            os.fchown(handle, self.owner, self.group)

    def own(self, path: str, within: int | None = None) -> None:
        if self._is_owned:
            os.chown(path, self.owner, self.group, dir_fd=within, follow_symlinks=False)

    def own_below(self, tree: str) -> None:
        """Gives what is below an unfinished tree to its owner, who cannot enter it before it is published."""
        if self._is_owned:
            for directory, directories, files in os.walk(tree):
                for name in directories + files:
                    self.own(os.path.join(directory, name))

    def snapshot(self) -> Snapshot:
        """What is there now."""
        staged = {name for name in _names(self.releases) if VERSION.fullmatch(name) and self._is_release(name)}
        recorded = {name[: -len(".json")] for name in _names(self._records) if name.endswith(".json")}
        return Snapshot(
            releases=tuple(self._known(version, version in staged) for version in sorted(staged | recorded)),
            current=self.current_version(),
            activated=tuple(durable.read_json(os.path.join(self._records, "activated")) or ()),
        )

    def current_version(self) -> str | None:
        """The staged version that the link points to; RolloutError where something else is in its place."""
        if not os.path.islink(self.current):
            if os.path.exists(self.current):
                raise RolloutError(
                    f"{self.current} is not a symbolic link, so it cannot be switched. Move it away and run again."
                )
            return None
        place = os.path.realpath(self.current)
        if os.path.dirname(place) != os.path.realpath(self.releases) or not os.path.isdir(place):
            return None
        return os.path.basename(place)

    def publish(self, tree: str, version: str, artifact: Artifact, now: float) -> None:
        """Makes a finished tree the release of its version, in place of another one that is not in use."""
        with folders.opened(tree) as handle:
            self.dress(handle)
        final = self.release(version)
        replaced = None
        if os.path.lexists(final):
            replaced = self.unfinished(version, "replaced")
            self._record(version, staged_at=None, checksum=None, content=None)
            os.rename(final, replaced)
        os.rename(tree, final)
        durable.sync(self.releases)
        # The record comes last: without it the files are of unknown origin, never of a wrong one.
        self._record(version, staged_at=now, **vars(artifact))
        if replaced:
            shutil.rmtree(replaced, ignore_errors=True)

    def switch(self, version: str) -> None:
        """Makes *version* current, at one instant."""
        before = self.current_version()
        link = os.path.join(self.path, f".current-{secrets.token_hex(8)}")
        try:
            os.symlink(os.path.join("releases", version), link)
            self.own(link)
            os.rename(link, self.current)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(link)
            raise
        durable.sync(self.path)
        activated = os.path.join(self._records, "activated")
        durable.write_json(activated, activations(durable.read_json(activated) or (), before, version))

    def mark_bad(self, version: str) -> None:
        self._record(version, bad=True)

    def set_aside(self, version: str) -> str:
        """Takes a release out of the list at once; the caller removes what is returned."""
        aside = self.unfinished(version, "removed")
        os.rename(self.release(version), aside)
        record = self._read_record(version)
        if record.get("bad"):
            self._record(version, staged_at=None, checksum=None, content=None)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._record_path(version))
        return aside

    def _is_release(self, name: str) -> bool:
        place = self.release(name)
        return os.path.isdir(place) and not os.path.islink(place)

    def _known(self, version: str, staged: bool) -> Release:
        record = self._read_record(version)
        staged_at = record.get("staged_at")
        if staged_at is None:
            staged_at = os.lstat(self.release(version)).st_mtime if staged else 0.0
        return Release(version, staged, staged_at, Artifact.from_record(record), bool(record.get("bad")))

    def _record_path(self, version: str) -> str:
        return os.path.join(self._records, f"{version}.json")

    def _read_record(self, version: str) -> dict[str, t.Any]:
        return durable.read_json(self._record_path(version)) or {}

    def _record(self, version: str, **facts: t.Any) -> None:
        durable.write_json(self._record_path(version), {**self._read_record(version), **facts})

    def _sweep(self) -> None:
        for name in _names(self.releases):
            if LEFT_OVER.fullmatch(name):
                durable.remove(os.path.join(self.releases, name))


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
