# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL of a test's own: a cluster in a temporary directory, ended with the test."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import typing as t

import pytest
from support.haproxy import free_port
from support.service_user import as_user, own

BINARIES = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
PROGRAMS = BINARIES[-1].parent if BINARIES else pathlib.Path()
USER, PASSWORD = "shop", "a secret of the shop"
OWNER = "postgres"


class Postgres:
    """*sql* talks to it past the collection, by its socket where it listens in another network."""

    def __init__(self, directory: pathlib.Path, port: int, address: str, inside: t.Sequence[str] = ()) -> None:
        self.directory = directory
        self.port = port
        self.address = address
        self._inside = inside

    def url(self, database: str = "shop") -> str:
        return f"postgresql://{USER}:{PASSWORD.replace(' ', '%20')}@{self.address}:{self.port}/{database}"

    def sql(self, text: str, database: str = "shop") -> str:
        argv = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", database]
        done = subprocess.run(argv, input=text, env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"psql: {done.stderr}")
        return done.stdout.strip()

    def locking(self, table: str, database: str = "shop") -> t.Any:
        """Another client, in a transaction that has read the table; it ends with the context."""
        psycopg = pytest.importorskip("psycopg")
        connection = psycopg.connect(self.url(database), application_name="report of the month")
        connection.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        return contextlib.closing(connection)

    def environment(self) -> dict[str, str]:
        host = str(self.directory) if self._inside else self.address
        given = {"PGHOST": host, "PGPORT": str(self.port), "PGUSER": USER, "PGPASSWORD": PASSWORD}
        return {**os.environ, **given}

    def start(self) -> None:
        options = f"-p {self.port} -k {self.directory} -c listen_addresses={self.address} -c fsync=off"
        log = self.directory / "log"
        run([PROGRAMS / "pg_ctl", "-D", self._data, "-o", options, "-w", "-l", log, "start"], self._inside)

    def crash(self) -> None:
        """As by a power loss: without a shutdown, and the next start recovers from the log."""
        run([PROGRAMS / "pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop"])

    @property
    def is_running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    @property
    def _data(self) -> pathlib.Path:
        return self.directory / "data"

    def fresh(self, database: str = "shop") -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', "postgres")
        self.sql(f'CREATE DATABASE "{database}"', "postgres")


@contextlib.contextmanager
def postgres(address: str = "127.0.0.1", inside: t.Sequence[str] = ()) -> t.Iterator[Postgres]:
    """Skips the test where PostgreSQL is not installed. *inside* are the words that lead into another network."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="steady-postgres-"))
    try:
        own(directory, OWNER)
        password, data = directory / "password", directory / "data"
        password.write_text(PASSWORD, encoding="utf-8")
        how = ["-U", USER, "--auth=scram-sha-256", f"--pwfile={password}", "-N", "-E", "UTF8"]
        run([PROGRAMS / "initdb", "-D", data, *how])
        with (data / "pg_hba.conf").open("a", encoding="ascii") as rules:
            rules.write(f"host all all {address}/16 scram-sha-256\n")
        server = Postgres(directory, free_port(), address, inside)
        server.start()
        try:
            server.fresh()
            yield server
        finally:
            if server.is_running:
                server.crash()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run(argv: t.Sequence[t.Any], inside: t.Sequence[str] = ()) -> None:
    words = [str(word) for word in argv]
    done = subprocess.run(
        [*inside, *as_user(OWNER), *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False, cwd="/",
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{words[0]}: {done.stdout}")
