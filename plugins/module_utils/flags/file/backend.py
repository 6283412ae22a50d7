# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""type=file: a JSON or environment file that the application reads by itself."""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import contract, documents_on_disk
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, FlagSystem, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.documents_on_disk import SharedFile
from ansible_collections.steady.rollout.plugins.module_utils.flags.file import formats
from ansible_collections.steady.rollout.plugins.module_utils.flags.file.formats import Format

RunCommand = t.Callable[..., t.Tuple[int, str, str]]
KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")


class File(FlagSystem):
    capabilities = frozenset()
    lacks: t.ClassVar[t.Mapping[str, str]] = {
        contract.CAN_PERCENT: "the file says true or false, and nothing about users",
        contract.CAN_SEGMENTS: "the file says true or false, and nothing about users",
        contract.CAN_RULES: "the file says true or false, and nothing about users",
        contract.CAN_GIVE_REASON: "the file has no place for a reason; a killed flag is off in it",
        contract.CAN_COMPARE: documents_on_disk.NO_COMPARE,
        contract.CAN_LISTENERS: "nothing shows who has read a file; give instances",
        contract.CAN_AUDIT: "the file does not say when a flag was created or evaluated",
    }

    def __init__(self, file: SharedFile, form: Format, key: str, reload: t.Callable[[], None]) -> None:
        super().__init__(file.path)
        self._file = file
        self._form = form
        self._key = key
        self._reload = reload

    def read(self, name: str) -> Flag:
        text, revision = self._file.read()
        value = self._form.get(text, self._key_of(name))
        if value is None:
            return Flag(name, revision=revision)
        return Flag(name, exists=True, on=value, percent=100 if value else 0, revision=revision)

    def names(self) -> list[str]:
        return self._form.names(self._file.read()[0])

    def apply(self, flag: Flag, wanted: Wanted) -> None:
        value = None if wanted.state == contract.ABSENT else wanted.state == contract.ON
        self._file.replace(flag.revision, lambda text: self._form.put(text, self._key_of(flag.name), value))
        self._reload()

    def _key_of(self, name: str) -> str:
        return self._key or self._form.key_of(name)


def open_file(settings: dict[str, t.Any], run_command: RunCommand) -> File:
    """Raises InputError where the settings cannot be right."""
    file, key = SharedFile(settings["path"]), settings.get("key") or ""
    if key and not KEY.fullmatch(key):
        raise InputError(f"system.key: '{key:.80}' cannot be a key; expected letters, digits, '_', '-' or '.'.")
    kind = settings.get("format") or ("json" if file.path.endswith(".json") else "env")
    section = settings.get("section") or ""
    if section and kind == "env":
        raise InputError("system.section: an environment file has no sections; leave it out, or set format to json.")
    form = formats.Json(file.path, section) if kind == "json" else formats.Environment(file.path)
    return File(file, form, key, lambda: _reload(settings.get("reload") or "", run_command))


def _reload(command: str, run_command: RunCommand) -> None:
    if not command:
        return
    code, output, problem = run_command(shlex.split(command))
    if code:
        raise RolloutError(
            f"reload: '{command}' ended with {code} ({(problem or output).strip():.200}). The file is changed, but the "
            "application may still serve what it read before; reload it by hand."
        )
