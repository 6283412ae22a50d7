# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Runs programs for migrations and backups: with a limit, with what they say kept free of secrets."""

from __future__ import annotations

import dataclasses
import shutil
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.http import targets

OUT_OF_TIME = (124, 137)
"""What the program "timeout" exits with when it had to end the command, by TERM or by KILL."""
KILL_AFTER = "10"
EXCERPT = 600


@dataclasses.dataclass(frozen=True)
class Said:
    """How a program ended. *hidden* takes secrets out of what a message shows of it."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str
    hidden: t.Callable[[str], str] = str

    @property
    def text(self) -> str:
        """Both outputs, to look for words in."""
        return f"{self.out}\n{self.err}"

    @property
    def excerpt(self) -> str:
        """The end of what it said, for a message."""
        return self.hidden(" ".join((self.err.strip() or self.out.strip()).split()))[-EXCERPT:] or "it printed nothing"


@dataclasses.dataclass(frozen=True)
class Programs:
    run_command: t.Callable[..., t.Tuple[int, str, str]]
    environment: t.Mapping[str, str]
    secrets: t.Sequence[str]
    directory: str | None = None
    limit: float = 3600.0

    def run(self, argv: t.Sequence[str], data: str | None = None, kind: str = "migration") -> Said:
        """Raises RolloutError where it cannot be run or does not end in time."""
        guarded = ["timeout", "-k", KILL_AFTER, f"{self.limit:.3f}", *argv] if shutil.which("timeout") else list(argv)
        options: dict[str, t.Any] = {"environ_update": dict(self.environment), "handle_exceptions": False}
        if data is not None:
            options["data"] = data
        if self.directory:
            options["cwd"] = self.directory
        try:
            code, out, err = self.run_command(guarded, expand_user_and_vars=False, **options)
        except (OSError, ValueError) as error:
            raise RolloutError(f"{argv[0]} cannot be run here: {self.hidden(str(error))}.", kind=kind) from error
        if code in OUT_OF_TIME and len(guarded) > len(argv):
            raise RolloutError(f"{argv[0]} did not end within {self.limit:g} s and was terminated.", kind=kind)
        if code == 127 and len(guarded) > len(argv):
            raise RolloutError(
                f"{argv[0]} is not installed here, or is not in PATH. Install it or give its path.", kind=kind
            )
        return Said(tuple(argv), code, out, err, self.hidden)

    def checked(self, argv: t.Sequence[str], data: str | None = None, kind: str = "migration") -> Said:
        """As run; raises RolloutError where the program fails."""
        said = self.run(argv, data, kind)
        if said.code:
            raise failed(said, kind)
        return said

    def hidden(self, text: str) -> str:
        return targets.redacted(text, list(self.secrets))


def failed(said: Said, kind: str = "migration") -> RolloutError:
    return RolloutError(f"'{shown(said.argv)}' failed with exit status {said.code}: {said.excerpt}", kind=kind)


def shown(argv: t.Sequence[str]) -> str:
    """A command as messages name it: the program and its first words."""
    words = [word for word in argv if not word.startswith("-")][:4]
    return " ".join([words[0].rpartition("/")[2], *words[1:]]) if words else ""
