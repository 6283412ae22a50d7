# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL of a test's own: a cluster in a temporary directory, ended with the test."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import typing as t

import pytest

BINARIES = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
USER, PASSWORD = "shop", "a secret of the shop"
AS_ROOT = os.geteuid() == 0


class Postgres:
    """*sql* talks to it past the collection."""

    def __init__(self, directory: pathlib.Path, port: int) -> None:
        self.directory = directory
        self.port = port

    def url(self, database: str = "shop") -> str:
        return f"postgresql://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

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
        given = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": USER, "PGPASSWORD": PASSWORD}
        return {**os.environ, **given}

    def fresh(self, database: str = "shop") -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', "postgres")
        self.sql(f'CREATE DATABASE "{database}"', "postgres")


@contextlib.contextmanager
def postgres() -> t.Iterator[Postgres]:
    """Skips the test where PostgreSQL is not installed."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    programs = BINARIES[-1].parent
    directory = pathlib.Path(tempfile.mkdtemp(prefix="steady-postgres-"))
    try:
        _own(directory)
        (directory / "password").write_text(PASSWORD, encoding="utf-8")
        data = directory / "data"
        _run(
            [
                programs / "initdb",
                "-D",
                data,
                "-U",
                USER,
                "--auth=scram-sha-256",
                f"--pwfile={directory / 'password'}",
                "-N",
                "-E",
                "UTF8",
            ]
        )
        port = _free_port()
        options = f"-p {port} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off"
        _run([programs / "pg_ctl", "-D", data, "-o", options, "-w", "-l", directory / "log", "start"])
        try:
            server = Postgres(directory, port)
            server.fresh()
            yield server
        finally:
            _run([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _own(directory: pathlib.Path) -> None:
    """PostgreSQL refuses to run as root."""
    if AS_ROOT:
        found = pwd.getpwnam("postgres")
        os.chown(directory, found.pw_uid, found.pw_gid)


def _run(argv: t.Sequence[t.Any]) -> None:
    words = [str(word) for word in argv]
    done = subprocess.run(
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *words] if AS_ROOT else words,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False, cwd="/",
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{words[0]}: {done.stdout}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
