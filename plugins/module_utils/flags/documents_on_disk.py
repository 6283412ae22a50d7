# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A file with flags, edited by one of us at a time, and never over what somebody else has written since it was read."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Conflict

NO_COMPARE = (
    "another program that writes the file may do so between the last read of it and its replacement; reading it back "
    "afterwards detects that"
)


class SharedFile:
    """The file at *path*; *edit* makes a new text of the one that is there."""

    def __init__(self, path: str) -> None:
        self._file = OwnedFile(path, "flags", "system.path")
        self.path = self._file.path

    def read(self) -> tuple[str, str]:
        """The text, and its revision."""
        text = self._file.read()
        return text, revision_of(text)

    def replace(self, revision: str, edit: t.Callable[[str], str]) -> None:
        """Raises Conflict where the file is not what it was at that revision."""
        with self._file.locked():
            text, now = self.read()
            if now != revision:
                raise Conflict(
                    f"{self.path}: somebody else has changed the file since it was read; nothing was changed."
                )
            self._file.replace(edit(text))


def revision_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def parsed_object(path: str, text: str) -> dict[str, t.Any]:
    """The JSON object in the file; raises RolloutError where there is none."""
    try:
        found = documents.parsed(text)
    except ValueError as error:
        raise RolloutError(
            f"{path}: is not JSON ({error}), so no flag can be read or changed. Correct the file."
        ) from None
    if not isinstance(found, dict):
        raise RolloutError(
            f"{path}: expected a JSON object with the flags, found {type(found).__name__}. Correct the file."
        )
    return found


def rendered(document: t.Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
