# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""database_backup: a dump that is verified, kept for a while, and restored exactly."""

from __future__ import annotations

import contextlib
import os
import re
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims, durable, durations, files
from ansible_collections.steady.rollout.plugins.module_utils.backups.dumps import Dumps, MariaDb, PostgreSql
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.checksums import checksum_of
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import POSTGRESQL, Database
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs

Result = t.Dict[str, t.Any]
NOTHING: Result = {"changed": False, "path": "", "size": 0, "checksum": "", "removed": [], "entries": 0}
ROOM = 1.2
"""Free space that a backup needs, as a multiple of the database's size."""
STAMP = "%Y%m%dT%H%M%SZ"
KIND = "backup"


def core(call: Call) -> Result:
    """The module database_backup."""
    result: Result = dict(NOTHING)
    try:
        database = Database.from_url("database_url", call.params["database_url"])
        limit = durations.positive("timeout", call.params["timeout"])
        programs = Programs(call.run_command, database.environment(), database.secrets(), None, limit)
        dumps: Dumps = PostgreSql(programs, database) if database.kind == POSTGRESQL else MariaDb(programs, database)
        return STATES[call.params["state"]](call, Backup(dumps, database, call.params["directory"]), result)
    except RolloutError as error:
        error.result = {**result, "kind": KIND, **error.result}
        raise


class Backup:
    def __init__(self, dumps: Dumps, database: Database, directory: str | None) -> None:
        self.dumps = dumps
        self.database = database
        self.directory = directory or ""

    def check(self) -> float:
        """The size of the database; raises RolloutError where a backup of it could not be written."""
        if not self.directory:
            raise InputError("directory: needed to make a backup.")
        files.private_directory(self.directory)
        size = self.dumps.check()
        free = _free(self.directory)
        if free < size * ROOM:
            raise RolloutError(
                f"{self.directory}: {free / 1e6:.1f} MB are free, and a backup of {self.database.shown} may need "
                f"{size * ROOM / 1e6:.1f} MB ({ROOM:g} times its size). Free some, or name another directory."
            )
        return size

    def named(self, now: float) -> str:
        return os.path.join(self.directory, f"{self._stem}-{time.strftime(STAMP, time.gmtime(now))}{self.dumps.suffix}")

    def kept(self) -> list[str]:
        """The backups of this database, the oldest first."""
        pattern = re.compile(re.escape(self._stem) + r"-\d{8}T\d{6}Z" + re.escape(self.dumps.suffix) + r"\Z")
        return sorted(os.path.join(self.directory, name) for name in os.listdir(self.directory) if pattern.match(name))

    @property
    def _stem(self) -> str:
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.database.name)[:100]


def _check(call: Call, backup: Backup, result: Result) -> Result:
    size = backup.check()
    return {**result, "msg": f"{backup.database.shown}: {size / 1e6:.1f} MB, a backup fits in {backup.directory}"}


def _make(call: Call, backup: Backup, result: Result) -> Result:
    backup.check()
    path = backup.named(time.time())
    if call.check_mode:
        return {**result, "changed": True, "path": path, "msg": f"{backup.database.shown}: would be written to {path}"}
    draft = f"{path}.part"
    try:
        backup.dumps.write(draft)
        entries = backup.dumps.verify(draft)
        if call.params["scratch"]:
            backup.dumps.restore_into_scratch(draft)
        os.chmod(draft, 0o600)
        durable.sync(draft)
        os.rename(draft, path)
        durable.sync(backup.directory)
    except OSError as error:
        raise RolloutError(f"{draft}: the backup could not be kept: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(draft)
    result.update(changed=True, path=path, size=os.path.getsize(path), checksum=checksum_of(path), entries=entries)
    result["removed"] = _removed(backup, path, call.params["keep"])
    tried = ", restored into a scratch database" if call.params["scratch"] else ""
    size = f"{result['size'] / 1e6:.1f} MB"
    return {
        **result,
        "msg": f"{backup.database.shown}: backed up to {path} ({size}, {entries} entries verified{tried})",
    }


def _restore(call: Call, backup: Backup, result: Result) -> Result:
    path, expected = call.params.get("path"), call.params.get("checksum")
    if not path:
        raise InputError("path: needed to restore; give the path that making the backup returned.")
    if not os.path.isfile(path):
        raise RolloutError(f"{path}: there is no such backup, so nothing was restored.")
    found = checksum_of(path)
    if expected and expected != found:
        raise RolloutError(
            f"{path}: its checksum is {found}, expected {expected}: it was changed. Nothing was restored."
        )
    entries = backup.dumps.verify(path)
    done = {**result, "path": path, "size": os.path.getsize(path), "checksum": found, "entries": entries}
    if call.check_mode:
        return {**done, "changed": True, "msg": f"{backup.database.shown}: would be restored from {path}"}
    with claims.held(claims.Claim.from_params(call.params.get("claim"))):
        backup.dumps.restore(path)
    return {**done, "changed": True, "msg": f"{backup.database.shown}: restored from {path}"}


STATES: dict[str, t.Callable[[Call, Backup, Result], Result]] = {
    "checked": _check,
    "present": _make,
    "restored": _restore,
}


def _removed(backup: Backup, newest: str, keep: int) -> list[str]:
    """What is older than the newest *keep* goes; a failure to remove is no failure of the backup."""
    if keep < 1:
        return []
    removed = []
    for path in [one for one in backup.kept() if one != newest][: -(keep - 1) or None]:
        with contextlib.suppress(OSError):
            os.unlink(path)
            removed.append(path)
    return removed


def _free(directory: str) -> float:
    found = os.statvfs(directory)
    return float(found.f_bavail) * found.f_frsize
