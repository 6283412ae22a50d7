# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""type=flagd: a definition file of flagd, as OpenFeature's providers read it."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import contract, documents_on_disk
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, FlagSystem, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.documents_on_disk import SharedFile
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagd import definition


class Flagd(FlagSystem):
    capabilities = frozenset(
        {
            contract.CAN_PERCENT,
            contract.CAN_SEGMENTS,
            contract.CAN_RULES,
            contract.CAN_GIVE_REASON,
            contract.CAN_AUDIT,
        }
    )
    lacks: t.ClassVar[t.Mapping[str, str]] = {
        contract.CAN_COMPARE: documents_on_disk.NO_COMPARE,
        contract.CAN_LISTENERS: "nothing shows who has read a file; give instances",
    }

    def __init__(self, file: SharedFile) -> None:
        super().__init__(file.path)
        self._file = file

    def read(self, name: str) -> Flag:
        text, revision = self._file.read()
        found = self._flags(self._parsed(text)).get(name)
        if found is None:
            return Flag(name, revision=revision)
        return definition.flag_of(f"{self.where}: '{name}'", name, found, revision)

    def names(self) -> list[str]:
        return list(self._flags(self._parsed(self._file.read()[0])))

    def segments(self) -> list[str]:
        """The evaluators of the file, which rules can refer to."""
        found = self._parsed(self._file.read()[0]).get("$evaluators")
        return list(found) if isinstance(found, dict) else []

    def apply(self, flag: Flag, wanted: Wanted) -> None:
        self._file.replace(flag.revision, lambda text: self._edited(text, flag.name, wanted))

    def _edited(self, text: str, name: str, wanted: Wanted) -> str:
        document = self._parsed(text)
        flags = self._flags(document)
        if wanted.state == contract.ABSENT:
            flags.pop(name, None)
        else:
            flags[name] = definition.edited(f"{self.where}: '{name}'", flags.get(name), wanted)
        return documents_on_disk.rendered(document)

    def _parsed(self, text: str) -> dict[str, t.Any]:
        return documents_on_disk.parsed_object(self.where, text)

    def _flags(self, document: dict[str, t.Any]) -> dict[str, t.Any]:
        flags = document.setdefault("flags", {})
        if not isinstance(flags, dict):
            raise RolloutError(
                f"{self.where}: expected an object under 'flags', found {type(flags).__name__}. Correct the file."
            )
        return flags


def open_flagd(settings: dict[str, t.Any]) -> Flagd:
    """Raises InputError where the settings cannot be right."""
    return Flagd(SharedFile(settings["path"]))
