# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A database by its URL, and how its own client is called: passwords go by the environment, never by the command line."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import unquote, urlsplit

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

POSTGRESQL, MYSQL = "postgresql", "mysql"
SCHEMES = {"postgres": POSTGRESQL, "postgresql": POSTGRESQL, "mysql": MYSQL, "mariadb": MYSQL}
APPLICATION = "steady-rollout-migration"
"""What a migration's sessions call themselves in pg_stat_activity."""
FORM = "postgresql://user:password@host:5432/name or mysql://user:password@host:3306/name"


@dataclasses.dataclass(frozen=True)
class Database:
    kind: str
    url: str
    name: str
    host: str = ""
    port: str = ""
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)

    @classmethod
    def from_url(cls, option: str, url: str) -> Database:
        """Raises InputError; the URL may hold a password, so no message shows it."""
        try:
            parts = urlsplit(url)
            kind, port = SCHEMES.get(parts.scheme.partition("+")[0], ""), parts.port
        except ValueError:
            kind, port = "", None
        if not kind or not parts.path.strip("/") or "\0" in url or "\n" in url:
            raise InputError(f"{option}: is not the address of a database; expected {FORM}.")
        return cls(
            kind=kind,
            url=url,
            name=unquote(parts.path.strip("/")),
            host=unquote(parts.hostname or ""),
            port=str(port or ""),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    @property
    def shown(self) -> str:
        """Without user and password."""
        where = f" on {self.host}{f':{self.port}' if self.port else ''}" if self.host else ""
        return f"database '{self.name}'{where}"

    def secrets(self) -> list[str]:
        return sorted(filter(None, {self.url, self.password}), key=len, reverse=True)

    def environment(self, lock_timeout: float = 0.0) -> dict[str, str]:
        """For the client and for migration tools; with a lock timeout wherever the client takes one from there."""
        if self.kind == MYSQL:
            given = {"MYSQL_PWD": self.password}
        else:
            options = f"-c lock_timeout={int(lock_timeout * 1000)}" if lock_timeout else ""
            given = {
                "PGHOST": self.host,
                "PGPORT": self.port,
                "PGUSER": self.user,
                "PGPASSWORD": self.password,
                "PGDATABASE": self.name,
                "PGAPPNAME": APPLICATION,
                "PGOPTIONS": options,
                "PGCONNECT_TIMEOUT": "10",
            }
        return {"DATABASE_URL": self.url, **{name: value for name, value in given.items() if value}}

    def client(self, lock_timeout: float = 0.0) -> list[str]:
        """The program that runs SQL from its standard input and prints rows with tabs; ends at the first error."""
        if self.kind == POSTGRESQL:
            return ["psql", "-X", "-A", "-t", "-q", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
        timeout = (
            [f"--init-command=SET SESSION lock_wait_timeout={max(1, round(lock_timeout))}"] if lock_timeout else []
        )
        return ["mariadb", *self.mysql_options(), "--batch", "--skip-column-names", *timeout, self.name]

    def mysql_options(self) -> list[str]:
        pairs = (("--host", self.host), ("--port", self.port), ("--user", self.user))
        return [f"{name}={value}" for name, value in pairs if value]

    def literal(self, text: str) -> str:
        """A text as SQL; both databases are used with backslashes that mean nothing or are doubled."""
        if self.kind == MYSQL:
            text = text.replace("\\", "\\\\")
        return "'" + text.replace("'", "''") + "'"


RunCommand = t.Callable[..., t.Tuple[int, str, str]]
