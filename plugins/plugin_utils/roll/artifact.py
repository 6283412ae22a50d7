# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a release's artifact from the controller to the host, where it is not there yet, and has it unpacked."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import tempfile
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.checksums import checksum_of
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release.fetch import refuse_other_checksum
from ansible_collections.steady.rollout.plugins.module_utils.release.pack import pack
from ansible_collections.steady.rollout.plugins.module_utils.release.source import Source, check_source, scheme_of
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import Settings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Executor, Unreachable

Result = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Parcel:
    """An archive on the controller, ready to be sent."""

    path: str
    checksum: str


class Artifacts:
    """*action* has the connection to the host that files are sent over; *claim* goes with every change."""

    def __init__(self, action: ActionBase, executor: Executor, claim: Result) -> None:
        self._action = action
        self._executor = executor
        self._claim = claim

    def stage(self, settings: Settings, version: str) -> Result:
        """Has the release of *version* unpacked on the host beside the one that serves. Nothing serves from it yet."""
        source = located(settings["rollout_artifact"], settings["__rollout_search_paths"])
        options = {
            "state": "staged",
            "path": settings["rollout_release_path"],
            "version": version,
            "source": source,
            "checksum": settings["rollout_artifact_checksum"] or None,
            "shared": settings["rollout_shared_paths"],
            "keep": settings["rollout_keep_releases"],
            "claim": self._claim,
        }
        if scheme_of(source):
            return self._called(options)
        if self._executor.kind == "local":
            return self._called({**options, "remote_source": True})
        with _parcel(source, options["checksum"]) as parcel:
            return self._deliver({**options, "checksum": parcel.checksum}, parcel)

    def stage_if_missing(self, settings: Settings, version: str) -> Result:
        known = self._called({"state": "query", "path": settings["rollout_release_path"]})
        return known if version in known["versions"] else self.stage(settings, version)

    def _deliver(self, options: Result, parcel: Parcel) -> Result:
        """Sends the archive only where check mode says that the release is not there from this very artifact."""
        foreseen = self._called(options, check_mode=True)
        if not foreseen["changed"]:
            return foreseen
        with self._sent(parcel, options["source"]) as place:
            result = self._called({**options, "source": place, "remote_source": True}, named=(place, options["source"]))
        return result

    def _called(self, options: Result, check_mode: bool = False, named: tuple[str, str] = ("", "")) -> Result:
        try:
            result = self._executor.call("release", options, check_mode=check_mode)
        except Unreachable as error:
            raise StepFailed("unreachable", error.message) from None
        if result.get("failed"):
            message = str(result.get("msg"))
            raise StepFailed(str(result.get("kind") or ""), message.replace(*named) if named[0] else message, result)
        return result

    @contextlib.contextmanager
    def _sent(self, parcel: Parcel, source: str) -> t.Iterator[str]:
        """The archive on the host: through the session, or copied where there is none."""
        try:
            with self._executor.sent(parcel.path, source) as place:
                if place:
                    yield place
                    return
        except Unreachable as error:
            raise StepFailed("unreachable", error.message) from None
        with self._copied(parcel, source) as place:
            yield place

    @contextlib.contextmanager
    def _copied(self, parcel: Parcel, source: str) -> t.Iterator[str]:
        """The archive in a temporary directory on the host."""
        action = self._action
        directory = ""
        try:
            directory = action._connection._shell.tmpdir or action._make_tmp_path()
            place = action._connection._shell.join_path(directory, "release.tar.gz")
            action._transfer_file(parcel.path, place)
            action._fixup_perms2((directory, place), execute=False)
        except AnsibleConnectionFailure as error:
            raise StepFailed("unreachable", str(error)) from None
        except AnsibleError as error:
            raise RolloutError(self._why_not_sent(source, parcel.path, directory, error)) from None
        try:
            yield str(place)
        finally:
            with contextlib.suppress(AnsibleError):
                action._remove_tmp_path(directory)
                action._connection._shell.tmpdir = None

    def _why_not_sent(self, source: str, archive: str, directory: str, error: AnsibleError) -> str:
        size = os.path.getsize(archive)
        asked = self._action._low_level_execute_command(f"df -Pk {shlex.quote(directory or '/tmp')}", sudoable=False)
        fields = asked["stdout"].split()
        free = int(fields[-3]) * 1024 if len(fields) > 3 and fields[-3].isdigit() else None
        if free is not None and free < size:
            return (
                f"{source} could not be copied to {directory} on the host: it has {size / 1e6:.1f} MB and {free / 1e6:.1f} "
                "MB are free there. Nothing was changed. Free some and run again."
            )
        return f"{source} could not be copied to {directory} on the host: {error}. Nothing was changed."


@contextlib.contextmanager
def _parcel(source: str, checksum: str | None) -> t.Iterator[Parcel]:
    """The artifact as one archive: as it is, or packed where it is a directory."""
    expected = Source(source, (checksum or "").lower() or None)
    if not os.path.exists(source):
        raise InputError(
            f"rollout_artifact: {source} is not on the controller, neither as given nor in files/ of the playbook."
        )
    check_source(expected)
    if not os.path.isdir(source):
        found = checksum_of(source)
        refuse_other_checksum(expected, found)
        yield Parcel(source, found)
        return
    if expected.checksum:
        raise InputError(
            f"rollout_artifact_checksum: {source} is a directory, and a checksum is that of a file; leave it out."
        )
    with tempfile.TemporaryDirectory() as directory:
        archive = os.path.join(directory, "release.tar.gz")
        pack(source, archive)
        yield Parcel(archive, checksum_of(archive))
