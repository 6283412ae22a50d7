# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""PgBouncer holds all queries of a database while a change is made behind it: PAUSE, the change, RESUME.

PAUSE waits for the transactions that are open, without a limit of its own; the queries that come meanwhile wait as
well. RESUME must follow on every way out. So a shell holds the pause: it resumes when the change has ended, when it
is terminated, and when what started it is killed. Only a SIGKILL of that shell or a loss of power leaves the pause
behind; the ledger has the phase on record by then, and the next run of it resumes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import tempfile
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import POSTGRESQL, Database
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs, Said, failed

OPTIONS = {
    "urls": {"type": "list", "elements": "str", "required": True},
    "database": {"type": "str"},
    "wait": {"type": "str", "default": "5s"},
    "limit": {"type": "str", "default": "30s"},
    "resume": {"type": "bool", "default": False},
}
CONSOLE = "pgbouncer"
"""The name of PgBouncer's own database, in which it takes commands."""
DEFAULT_PORT = "5432"
NOT_PAUSED, TOOK_TOO_LONG = 75, 76
SERVER_LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout")
RESUME_WITHIN = 10
TO_SPARE = 30.0
HELD = """
consoles="$1" database="$2" wait="$3" limit="$4"; shift 4
tell() { PGOPTIONS= timeout -k 2 "$3" psql -X -q -v ON_ERROR_STOP=1 -c "$2 \\"$database\\"" "service=console$1"; }
resume() { for one in $consoles; do tell "$one" RESUME %(resume_within)d; done >/dev/null 2>&1; rm -f "$PGSERVICEFILE"; }
trap resume EXIT
trap 'kill "$change" 2>/dev/null; wait; exit 143' TERM INT HUP
for one in $consoles; do tell "$one" PAUSE "$wait" >&2 || exit %(not_paused)d; done
exec 3<&0
timeout -k 5 "$limit" env -u PGSERVICEFILE "$@" <&3 &
change=$!
wait "$change"
code=$?
case $code in 124|137) exit %(took_too_long)d;; esac
exit "$code"
""" % {"resume_within": RESUME_WITHIN, "not_paused": NOT_PAUSED, "took_too_long": TOOK_TOO_LONG}


@dataclasses.dataclass(frozen=True)
class Pooler:
    """*database* as the pooler calls it. Seconds to wait for open transactions, and to hold the queries at most."""

    consoles: t.Tuple[Database, ...]
    database: str
    wait: float
    limit: float
    resume_first: bool = False

    @classmethod
    def from_params(cls, given: t.Mapping[str, t.Any] | None, behind: Database) -> Pooler | None:
        """None where nothing is to be paused. Raises InputError; no message shows a URL, which may hold a password."""
        if not given:
            return None
        if behind.kind != POSTGRESQL:
            raise InputError(f"pooler: PgBouncer works with PostgreSQL only, and {behind.shown} is not PostgreSQL.")
        database = str(given.get("database") or behind.name)
        if '"' in database or not database.isprintable():
            raise InputError(f"pooler.database: {database!r} cannot be the name of a database.")
        consoles = tuple(_console(url, behind) for url in given["urls"])
        if not consoles:
            raise InputError("pooler.urls: expected the address of at least one PgBouncer, found none.")
        return cls(
            consoles,
            database,
            durations.positive("pooler.wait", given.get("wait") or "5s"),
            durations.positive("pooler.limit", given.get("limit") or "30s"),
            bool(given.get("resume")),
        )

    def secrets(self) -> list[str]:
        return [secret for console in self.consoles for secret in console.secrets()]


class Paused:
    """Runs programs while every query of the database is held."""

    def __init__(self, programs: Programs, pooler: Pooler) -> None:
        self._programs = programs
        self._pooler = pooler

    def __call__(self, argv: t.Sequence[str], data: str | None = None) -> Said:
        """Raises RolloutError where it cannot be paused, where the program fails, and where the pause is left behind."""
        self._refuse_a_pause_of_others()
        numbers = " ".join(str(number) for number in range(len(self._pooler.consoles)))
        held = ["sh", "-c", HELD, "held", numbers, self._pooler.database, f"{self._pooler.wait:.3f}"]
        try:
            with self._services() as services:
                said = self._lasting(services).run([*held, f"{self._pooler.limit:.3f}", *argv], data)
        finally:
            self.resume()
        if said.code == NOT_PAUSED:
            raise RolloutError(
                f"{self._named()} was not paused within {self._pooler.wait:g} s: {said.excerpt}. Either open "
                "transactions took longer, or PgBouncer refused. Nothing was migrated.",
                kind="locked",
            )
        if said.code == TOOK_TOO_LONG:
            raise RolloutError(
                f"The migration took longer than {self._pooler.limit:g} s (pooler.limit) while {self._named()} was paused, and "
                "was terminated so that queries could continue. Shorten the migration, or raise the limit.",
                kind="migration",
            )
        if said.code:
            raise failed(dataclasses.replace(said, argv=tuple(argv)))
        return said

    def paused(self) -> list[str]:
        """The consoles whose database is paused at this moment, in words. Raises RolloutError where one does not answer."""
        with self._services() as services:
            states = [self._is_paused(number, services) for number in range(len(self._pooler.consoles))]
        return [_shown(console) for console, is_paused in zip(self._pooler.consoles, states) if is_paused]

    def resume(self) -> list[str]:
        """Whatever is paused goes on; returns where that was needed. Raises RolloutError, with the command to run."""
        with self._services() as services:
            numbers = [number for number in range(len(self._pooler.consoles)) if self._resume_one(number, services)]
        return [_shown(self._pooler.consoles[number]) for number in numbers]

    def _resume_one(self, number: int, services: str) -> bool:
        try:
            if not self._is_paused(number, services):
                return False
            self._tell(number, f'RESUME "{self._pooler.database}"', services)
        except RolloutError as error:
            raise RolloutError(
                f"{_shown(self._pooler.consoles[number])} may still hold all queries of '{self._pooler.database}': "
                f"{error.message.rstrip('.')}. Run there: psql {CONSOLE} -c 'RESUME \"{self._pooler.database}\"'",
                kind="paused",
            ) from None
        return True

    def _refuse_a_pause_of_others(self) -> None:
        """It is not ours to end, and the change would end it."""
        if self._pooler.resume_first:
            self.resume()
        paused = self.paused()
        if paused:
            raise RolloutError(
                f"'{self._pooler.database}' is already paused on {', '.join(paused)}, and not by this rollout. Find out who paused it; "
                f"once the pause is no longer needed, run there: psql {CONSOLE} -c 'RESUME \"{self._pooler.database}\"'. Nothing was migrated.",
                kind="paused",
            )

    def _is_paused(self, number: int, services: str) -> bool:
        lines = [line.split("\t") for line in self._tell(number, "SHOW DATABASES", services).splitlines()]
        rows = [dict(zip(lines[0], line)) for line in lines[1:] if len(line) == len(lines[0])]
        console = _shown(self._pooler.consoles[number])
        (row,) = [row for row in rows if row.get("name") == self._pooler.database] or [{}]
        if row.get("paused") not in ("0", "1"):
            known = ", ".join(sorted(str(row.get("name")) for row in rows if row.get("name") != CONSOLE))
            raise RolloutError(
                f"pooler.database: {console} has no database '{self._pooler.database}'; it has {known or 'none'}.",
                kind="migration",
            )
        return row["paused"] == "1"

    def _tell(self, number: int, command: str, services: str) -> str:
        argv = ["psql", "-X", "-A", "-F", "\t", "-P", "footer=off", "-v", "ON_ERROR_STOP=1", "-c", command]
        asked = dataclasses.replace(self._with_services(services), limit=float(RESUME_WITHIN))
        return asked.checked([*argv, f"service=console{number}"]).out

    def _lasting(self, services: str) -> Programs:
        """Its own limit only guards against a shell that hangs.

        A server goes on with a statement, and keeps its locks, when its client is terminated, so it gets the limit too.
        """
        pooler, programs = self._pooler, self._with_services(services)
        within = (pooler.wait + RESUME_WITHIN) * len(pooler.consoles) + pooler.limit + TO_SPARE
        given = [programs.environment.get("PGOPTIONS", "")]
        limits = [f"-c {name}={int(pooler.limit * 1000)}" for name in SERVER_LIMITS]
        environment = {**programs.environment, "PGOPTIONS": " ".join([*filter(None, given), *limits])}
        return dataclasses.replace(programs, environment=environment, limit=within)

    def _with_services(self, services: str) -> Programs:
        """A console takes none of the options that a server takes."""
        environment = {**self._programs.environment, "PGSERVICEFILE": services}
        return dataclasses.replace(self._programs, environment=environment)

    @contextlib.contextmanager
    def _services(self) -> t.Iterator[str]:
        """The consoles' addresses in a file, so that no password is on a command line."""
        directory = tempfile.mkdtemp(prefix="steady-rollout-")
        path = os.path.join(directory, "services")
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                for number, console in enumerate(self._pooler.consoles):
                    file.write(_service(number, console))
            yield path
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _named(self) -> str:
        return f"'{self._pooler.database}' of {', '.join(_shown(console) for console in self._pooler.consoles)}"


def _console(url: str, behind: Database) -> Database:
    console = Database.from_url("pooler.urls", url)
    if console.kind != POSTGRESQL or console.name != CONSOLE:
        raise InputError(
            f"pooler.urls: expected postgresql://user:password@host:6432/{CONSOLE}, the console of PgBouncer."
        )
    if any(not str(value).isprintable() for value in (console.host, console.user, console.password)):
        raise InputError("pooler.urls: user, password and host must be printable.")
    if (console.host, console.port or DEFAULT_PORT) == (behind.host, behind.port or DEFAULT_PORT):
        raise InputError(
            f"database_url: is the address of {_shown(console)}, whose pause would hold the migration too; give the "
            "address of PostgreSQL itself."
        )
    return console


def _service(number: int, console: Database) -> str:
    given = {"host": console.host, "port": console.port, "user": console.user, "password": console.password}
    lines = [f"{name}={value}" for name, value in given.items() if value]
    return "\n".join([f"[console{number}]", f"dbname={CONSOLE}", "options=", *lines, ""])


def _shown(console: Database) -> str:
    return f"PgBouncer on {console.host or 'localhost'}{f':{console.port}' if console.port else ''}"
