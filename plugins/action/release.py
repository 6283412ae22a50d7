# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a release's artifact from the controller to the host, if it is not there yet, then runs release."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import tempfile
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.checksums import checksum_of
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release.archive import inspect
from ansible_collections.steady.rollout.plugins.module_utils.release.fetch import refuse_other_checksum
from ansible_collections.steady.rollout.plugins.module_utils.release.pack import pack
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import Artifact, check_version, same_artifact
from ansible_collections.steady.rollout.plugins.module_utils.release.source import Source, check_source, scheme_of
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction


@dataclasses.dataclass(frozen=True)
class Parcel:
    """An archive on the controller, ready to be sent."""

    path: str
    artifact: Artifact


class ActionModule(InWorkerAction):
    """At most one module process a call: a line of shell finds out what the host has already."""

    module = "release"
    _requires_connection = True

    def in_worker(self, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        with self._errors_as_failure() as failure:
            if self._has_source_here(arguments):
                arguments = {**arguments, "source": self._found(arguments["source"]), "remote_source": True}
            return super().in_worker(arguments)
        return failure

    def as_module(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        if not self._has_source_here(arguments):
            return super().as_module(arguments, task_vars)
        with self._errors_as_failure() as failure:
            check_version(str(arguments.get("version", "")))
            source = self._found(arguments["source"])
            with self._parcel(source, arguments) as parcel:
                return self._deliver(source, parcel, arguments, task_vars)
        return failure

    @contextlib.contextmanager
    def _errors_as_failure(self) -> t.Iterator[dict[str, t.Any]]:
        """Turns an error into the task's failure, as the modules do."""
        failure: dict[str, t.Any] = {"failed": True, "changed": False}
        try:
            yield failure
        except RolloutError as error:
            failure.update(error.result, msg=error.message)

    def _has_source_here(self, arguments: dict[str, t.Any]) -> bool:
        return bool(
            arguments.get("source")
            and arguments.get("state", "active") in ("staged", "active")
            and not scheme_of(arguments["source"])
            and not boolean(arguments.get("remote_source", False))
        )

    def _found(self, source: str) -> str:
        try:
            return str(self._find_needle("files", os.path.expanduser(source)))
        except AnsibleError:
            raise InputError(
                f"source: {source} is not on the controller, neither as given nor in files/ of the role or playbook. Set "
                "remote_source if it is on the host."
            ) from None

    @contextlib.contextmanager
    def _parcel(self, source: str, arguments: dict[str, t.Any]) -> t.Iterator[Parcel]:
        strip = int(arguments.get("strip") or 0)
        expected = Source(source, (arguments.get("checksum") or "").lower() or None)
        check_source(expected)
        if not os.path.isdir(source):
            checksum = checksum_of(source)
            refuse_other_checksum(expected, checksum)
            yield Parcel(source, Artifact(checksum, None, strip))
            return
        if expected.checksum:
            raise InputError(f"checksum: {source} is a directory, and a checksum is that of a file; leave it out.")
        with tempfile.TemporaryDirectory() as directory:
            archive = os.path.join(directory, "release.tar.gz")
            content = pack(source, archive)
            yield Parcel(archive, Artifact(checksum_of(archive), content, strip))

    def _deliver(
        self, source: str, parcel: Parcel, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        if self._has_already(parcel.artifact, arguments):
            needless = ("source", "remote_source", "checksum")
            return super().as_module({k: v for k, v in arguments.items() if k not in needless}, task_vars)
        arguments = {**arguments, "checksum": parcel.artifact.checksum}
        if self._task.check_mode:
            inspect(parcel.path, parcel.artifact.strip, source)
            return super().as_module({**arguments, "source": source}, task_vars)
        sent = self._send(source, parcel.path)
        result = super().as_module({**arguments, "source": sent, "remote_source": True}, task_vars)
        if isinstance(result.get("msg"), str):
            result["msg"] = result["msg"].replace(sent, source)
        return result

    def _has_already(self, artifact: Artifact, arguments: dict[str, t.Any]) -> bool:
        """Whether the release is staged there from this very artifact; False also where that cannot be determined."""
        path, version = str(arguments.get("path", "")), str(arguments["version"])
        if not path.startswith("/"):
            return False
        record = shlex.quote(os.path.join(path, ".rollout", f"{version}.json"))
        files = shlex.quote(os.path.join(path, "releases", version))
        answer = self._low_level_execute_command(f"test -d {files} && cat {record}")
        try:
            known = Artifact.from_record(documents.parsed(answer["stdout"]))
        except (ValueError, AttributeError):
            return False
        return known is not None and same_artifact(known, artifact)

    def _send(self, source: str, archive: str) -> str:
        """Copies the archive to the task's temporary directory on the host, which Ansible removes afterwards."""
        directory = self._connection._shell.tmpdir or self._make_tmp_path()
        place = self._connection._shell.join_path(directory, "release.tar.gz")
        try:
            self._transfer_file(archive, place)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            raise RolloutError(self._why_not_sent(source, archive, directory, error)) from None
        self._fixup_perms2((directory, place), execute=False)
        return str(place)

    def _why_not_sent(self, source: str, archive: str, directory: str, error: AnsibleError) -> str:
        size = os.path.getsize(archive)
        df = self._low_level_execute_command(f"df -Pk {shlex.quote(directory)}", sudoable=False)["stdout"].split()
        free = int(df[-3]) * 1024 if len(df) > 3 and df[-3].isdigit() else None
        if free is not None and free < size:
            return (
                f"{source} could not be copied to {directory} on the host: it has {size / 1e6:.1f} MB and {free / 1e6:.1f} "
                "MB are free there. Nothing was changed. Free some and run again."
            )
        return f"{source} could not be copied to {directory} on the host: {error}. Nothing was changed."
