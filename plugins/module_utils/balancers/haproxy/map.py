# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A map of HAProxy: changed in the running process, where it counts at once, and in its file, which a reload reads."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import quoted
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.protocol import (
    LEVEL_HINT,
    Cli,
    expect_silence,
    first_line,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

LISTED = re.compile(r"^(-?\d+) \((.*?)\) ")


class Entry(t.NamedTuple):
    """The value of one key, None where there is none."""

    in_force: str | None
    in_file: str | None


class HAProxyMap:
    """The map that haproxy.cfg loads from *path*; *option* is how messages call it."""

    def __init__(self, cli: Cli, path: str, option: str) -> None:
        self._cli = cli
        self._path = path
        self._option = option
        self._file = OwnedFile(path, cli.where, option)

    def read(self, key: str) -> Entry:
        return Entry(self._in_force(key), entries(self._file.read()).get(key))

    def require_writable(self) -> None:
        self._file.require_writable()

    def put(self, key: str, value: str | None) -> None:
        """Sets the value of a key, or removes the key.

        The file is first: if we die in between, what is in force shows the next call that there is more to do.
        """
        with self._file.locked():
            before = self._file.read()
            self._file.replace(edited(before, key, value))
            try:
                self._command(key, value)
            except RolloutError:
                self._file.replace(before)
                raise

    def _command(self, key: str, value: str | None) -> None:
        known = self._in_force(key) is not None
        if value is None and not known:
            return
        verb = "del" if value is None else "set" if known else "add"
        command = f"{verb} map {self._identity()} {key}"
        (reply,) = self._cli.ask([command if value is None else f"{command} {value}"])
        # Told without the value, which may be a whole page.
        expect_silence(self._cli.where, command, reply)

    def _in_force(self, key: str) -> str | None:
        (reply,) = self._cli.ask([f"show map {self._identity()}"])
        for line in reply.splitlines():
            words = line.split(None, 2)
            if len(words) == 3 and words[0].startswith("0x") and words[1] == key:
                return words[2]
        return None

    def _identity(self) -> str:
        """How commands name the map; its number may change with a reload."""
        (reply,) = self._cli.ask(["show map"])
        if "permission denied" in reply.lower():
            raise RolloutError(
                f"{self._cli.where}: HAProxy answered '{first_line(reply)}' to 'show map': {LEVEL_HINT}."
            )
        listed = [match.groups() for match in map(LISTED.match, reply.splitlines()) if match]
        for number, name in listed:
            if self._is_ours(name):
                return f"#{number}" if int(number) >= 0 else name
        raise InputError(
            f"{self._cli.where}: HAProxy has no map from the file {self._path}; its maps are "
            f"{quoted(name for dummy, name in listed) or 'none'}. Use the file in haproxy.cfg as {self._option} has it, "
            "and reload."
        )

    def _is_ours(self, name: str) -> bool:
        """A name without a directory is one that HAProxy found where it was started."""
        if not os.path.isabs(name):
            return self._path.endswith(f"/{name}")
        return os.path.realpath(name) == os.path.realpath(self._path)


def entries(text: str) -> dict[str, str]:
    """The entries of a map's file; of two with the same key the first one counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split(None, 1)
        if words and not words[0].startswith("#"):
            found.setdefault(words[0], words[1].strip() if len(words) > 1 else "")
    return found


def edited(text: str, key: str, value: str | None) -> str:
    """The file with one key set or removed, everything else as it is."""
    lines, done = [], value is None
    for line in text.splitlines():
        if line.split(None, 1)[:1] != [key]:
            lines.append(line)
        elif not done:
            lines.append(f"{key} {value}")
            done = True
    if not done:
        lines.append(f"{key} {value}")
    return "".join(f"{line}\n" for line in lines)
