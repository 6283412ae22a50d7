# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Every migration tool behind one contract: version, pending, apply, down, sql.

What the tool itself says about the database counts, also after a crash; nothing is remembered here.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs, Said, failed, shown

LISTED = re.compile(r"^\s*\[(.)\]\s+(.+?)\s*$", re.MULTILINE)
MOST_ROLLBACKS = 1000


class Tool:
    """The contract. *target* is the tool's own word for where to go to; empty for the newest."""

    def __init__(self, programs: Programs, program: t.Sequence[str], directory: str) -> None:
        self._programs = programs
        self._program = list(program)
        self._directory = directory
        self.change: t.Callable[..., Said] = programs.checked
        """Runs what changes the database."""

    def version(self) -> str:
        """Where the database stands; empty where no migration was ever applied."""
        raise NotImplementedError

    def pending(self, target: str) -> list[str]:
        """The names of the migrations that lead to the target, in their order."""
        raise NotImplementedError

    def apply(self, target: str) -> None:
        raise NotImplementedError

    def down(self, target: str) -> None:
        """Back to the version *target*, empty for before the first migration."""
        raise NotImplementedError

    def sql(self, target: str) -> str:
        """The statements of the pending migrations."""
        raise NotImplementedError


class Alembic(Tool):
    """Starting it takes longer than what it does, so its version is asked for only once until something changes."""

    _here: str | None = None

    def version(self) -> str:
        if self._here is None:
            said = self._programs.checked([*self._program, "current"])
            found = [line.split()[0] for line in said.out.splitlines() if line.strip()]
            self._here = ",".join(sorted(found))
        return self._here

    def pending(self, target: str) -> list[str]:
        here = self.version()
        said = self._programs.checked([*self._program, "history", "-r", f"{here or 'base'}:{target or 'heads'}"])
        steps = [line for line in said.out.splitlines() if " -> " in line]
        names = [line.partition(" -> ")[2].split(",")[0].split()[0] for line in reversed(steps)]
        return [name for name in names if name not in here.split(",")]

    def apply(self, target: str) -> None:
        self._here = None
        self.change([*self._program, "upgrade", target or "heads"])

    def down(self, target: str) -> None:
        self._here = None
        self.change([*self._program, "downgrade", target or "base"])

    def sql(self, target: str) -> str:
        here = self.version()
        reach = f"{here}:{target or 'heads'}" if here else (target or "heads")
        return self._programs.checked([*self._program, "upgrade", reach, "--sql"]).out


class Dbmate(Tool):
    """One directory of files, all of which are applied: phases are directories."""

    def _call(self, *words: str) -> list[str]:
        directory = ["-d", self._directory] if self._directory else []
        return [*self._program, "--no-dump-schema", *directory, *words]

    def _listed(self) -> list[tuple[str, str]]:
        said = self._programs.run(self._call("status", "--exit-code"))
        if said.code not in (0, 1):
            raise failed(said)
        return LISTED.findall(said.out)

    def version(self) -> str:
        applied = [name for mark, name in self._listed() if mark == "X"]
        return applied[-1] if applied else ""

    def pending(self, target: str) -> list[str]:
        refuse_target("dbmate", target)
        return [name for mark, name in self._listed() if mark != "X"]

    def apply(self, target: str) -> None:
        self.change(self._call("up"))

    def down(self, target: str) -> None:
        for _number in range(MOST_ROLLBACKS):
            here = self.version()
            if here == target:
                return
            if not here:
                break
            self.change(self._call("rollback"))
        raise RolloutError(
            f"dbmate: '{target}' is not among the applied migrations, so there is no way back to it.", kind="migration"
        )

    def sql(self, target: str) -> str:
        return read_all(self._programs.directory, self._directory or "db/migrations", self.pending(target))


class Django(Tool):
    """*target* is an app, or an app and the name of a migration."""

    def _listed(self) -> list[tuple[str, str]]:
        return LISTED.findall(self._programs.checked([*self._program, "showmigrations", "--plan", "--no-color"]).out)

    def version(self) -> str:
        applied = [name.split()[0] for mark, name in self._listed() if mark == "X"]
        return applied[-1] if applied else ""

    def pending(self, target: str) -> list[str]:
        said = self._programs.run([*self._program, "migrate", *target.split(), "--plan", "--no-color"])
        if said.code:
            raise failed(said)
        planned = re.findall(r"^([a-zA-Z]\w*\.\w+)$", said.out, re.MULTILINE)
        return [name for name in planned if name]

    def apply(self, target: str) -> None:
        self.change([*self._program, "migrate", "--noinput", *target.split()])

    def down(self, target: str) -> None:
        if not target:
            raise InputError(
                "target: Django migrates back to a migration of one app; give for example 'shop 0012' or 'shop zero'."
            )
        self.change([*self._program, "migrate", "--noinput", *target.replace(".", " ", 1).split()])

    def sql(self, target: str) -> str:
        parts = []
        for name in self.pending(target):
            said = self._programs.checked([*self._program, "sqlmigrate", *name.split(".", 1)])
            parts.append(f"-- {name}\n{said.out}")
        return "\n".join(parts)


class Commands(Tool):
    """The user's own commands; $target in their words is the target."""

    def __init__(self, programs: Programs, commands: t.Mapping[str, t.Sequence[str]]) -> None:
        super().__init__(programs, [], "")
        self._commands = commands

    def version(self) -> str:
        lines = self._programs.checked(self._words("version", "")).out.split("\n")
        return next((line.strip() for line in lines if line.strip()), "")

    def pending(self, target: str) -> list[str]:
        said = self._programs.run(self._words("pending", target))
        if said.code == 0:
            return []
        if said.code != 1:
            raise RolloutError(
                f"'{shown(said.argv)}' (pending) ended with exit status {said.code}: {said.excerpt}. Expected 0 for nothing "
                "pending or 1 for something pending.",
                kind="migration",
            )
        return [line.strip() for line in said.out.splitlines() if line.strip()] or ["pending"]

    def apply(self, target: str) -> None:
        self.change(self._words("apply", target))

    def down(self, target: str) -> None:
        self.change(self._words("down", target))

    def sql(self, target: str) -> str:
        return self._programs.checked(self._words("sql", target)).out

    def _words(self, verb: str, target: str) -> list[str]:
        words = self._commands.get(verb)
        if not words:
            raise InputError(
                f"commands: has no '{verb}', which is needed here; give a command line or a list of words."
            )
        return [word.replace("$target", target) for word in words]


def refuse_target(tool: str, target: str) -> None:
    if target:
        raise InputError(
            f"target: {tool} applies all that is in its directory; give each phase a directory of its own."
        )


def read_all(base: str | None, directory: str, names: t.Sequence[str]) -> str:
    """The files one after the other, each below its name; what follows migrate:down is left out by the linter's reader."""
    parts = []
    for name in names:
        path = os.path.join(base or "", directory, name)
        try:
            with open(path, encoding="utf-8") as file:
                parts.append(f"-- {name}\n{without_way_back(file.read())}")
        except (OSError, UnicodeDecodeError) as error:
            raise RolloutError(f"{path} cannot be read: {error}.", kind="migration") from error
    return "\n".join(parts)


def without_way_back(text: str) -> str:
    return re.split(r"^--\s*migrate:down\b.*$", text, maxsplit=1, flags=re.MULTILINE)[0]
