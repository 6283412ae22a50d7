# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How flags stand in a file: as JSON, or as lines of an environment file."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import documents_on_disk

LINE = re.compile(r"^(\s*(?:export\s+)?)([A-Za-z_][A-Za-z0-9_.-]*)(\s*=\s*)([\"']?)([^\"'#\n]*?)(\4\s*(?:#.*)?)$")
PAIRS = (("true", "false"), ("on", "off"), ("yes", "no"), ("1", "0"), ("enabled", "disabled"))
"""How files say it; a value keeps the words that its file uses."""
VALUES = {word: place == 0 for pair in PAIRS for place, word in enumerate(pair)}


class Format(t.Protocol):
    def key_of(self, name: str) -> str:
        """What a flag is called in the file."""

    def get(self, text: str, key: str) -> bool | None:
        """The flag's value, None where there is none; raises RolloutError where it is neither true nor false."""

    def put(self, text: str, key: str, value: bool | None) -> str:
        """The text with the flag at that value; None removes it."""

    def names(self, text: str) -> list[str]:
        """Everything in it that is true or false."""


class Json:
    """*section* is the dotted path of the object that has the flags."""

    def __init__(self, path: str, section: str) -> None:
        self._path = path
        self._section = section

    def key_of(self, name: str) -> str:
        return name

    def get(self, text: str, key: str) -> bool | None:
        value = self._flags(documents_on_disk.parsed_object(self._path, text)).get(key)
        if value is None or isinstance(value, bool):
            return value
        raise _no_flag(self._path, key, value)

    def put(self, text: str, key: str, value: bool | None) -> str:
        document = documents_on_disk.parsed_object(self._path, text)
        flags = self._flags(document)
        if value is None:
            flags.pop(key, None)
        else:
            flags[key] = value
        return documents_on_disk.rendered(document)

    def names(self, text: str) -> list[str]:
        flags = self._flags(documents_on_disk.parsed_object(self._path, text))
        return [name for name, value in flags.items() if isinstance(value, bool)]

    def _flags(self, document: dict[str, t.Any]) -> dict[str, t.Any]:
        found: t.Any = document
        for name in self._section.split(".") if self._section else ():
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise RolloutError(
                f"{self._path}: has no object '{self._section}' to keep flags in. Add it to the file, or correct system.section."
            )
        return found


class Environment:
    """Lines such as CHECKOUT_V2=true. Where a name stands twice the last one counts, as for a shell."""

    def __init__(self, path: str) -> None:
        self._path = path

    def key_of(self, name: str) -> str:
        key = re.sub(r"[^A-Z0-9]", "_", name.upper())
        return f"_{key}" if key[0].isdigit() else key

    def get(self, text: str, key: str) -> bool | None:
        found = [
            match.group(5).strip() for match in map(LINE.match, text.splitlines()) if match and match.group(2) == key
        ]
        if not found:
            return None
        value = VALUES.get(found[-1].lower())
        if value is None:
            raise _no_flag(self._path, key, found[-1])
        return value

    def put(self, text: str, key: str, value: bool | None) -> str:
        lines: list[str] = []
        is_there = False
        for line in text.splitlines():
            match = LINE.match(line)
            if not match or match.group(2) != key:
                lines.append(line)
            elif value is not None:
                is_there = True
                lines.append("".join([*match.group(1, 2, 3, 4), _in_words_of(match.group(5), value), match.group(6)]))
        if value is not None and not is_there:
            lines.append(f"{key}={_in_words_of('', value)}")
        return "".join(f"{line}\n" for line in lines)

    def names(self, text: str) -> list[str]:
        matches = [match for match in map(LINE.match, text.splitlines()) if match]
        return list(dict.fromkeys(m.group(2) for m in matches if m.group(5).strip().lower() in VALUES))


def _in_words_of(former: str, value: bool) -> str:
    """The value in the words that stood there before."""
    for yes, no in PAIRS:
        if former.strip().lower() in (yes, no):
            word = yes if value else no
            return word.upper() if former.strip().isupper() else word
    return "true" if value else "false"


def _no_flag(path: str, key: str, value: t.Any) -> RolloutError:
    return RolloutError(
        f"{path}: '{key}' is {value!r:.60}, neither true nor false, so it is not a flag. Nothing was changed; correct the file "
        "or system.key."
    )
