# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real MariaDB of a test's own: a data directory in a temporary one, ended with the test."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import typing as t

import pytest
from support.haproxy import free_port, wait_until
from support.service_user import as_user, own

USER, PASSWORD = "shop", "a secret of the shop"
SERVER = shutil.which("mariadbd", path="/usr/sbin:/usr/bin")
OWNER = "mysql"
ACCOUNT = f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO '{USER}'@'%';\n"
"""A statement a line, as the server reads it at its start."""


class MariaDb:
    """*sql* talks to it past the collection."""

    def __init__(self, directory: pathlib.Path, port: int) -> None:
        self.directory = directory
        self.port = port

    def url(self, database: str = "shop") -> str:
        return f"mysql://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def sql(self, text: str, database: str = "shop") -> str:
        done = subprocess.run(
            [*self.client(), "--batch", "--skip-column-names", database],
            input=text, env=self._environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(f"mariadb: {done.stderr}")
        return done.stdout.strip()

    @contextlib.contextmanager
    def locking(self, table: str) -> t.Iterator[None]:
        """Another client, in a transaction that has read the table; it ends with the context."""
        words = [*self.client(), "--batch", "--skip-column-names", "--unbuffered", "shop"]
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._environment()
        ) as client:
            assert client.stdin
            assert client.stdout
            client.stdin.write(f"BEGIN; SELECT count(*) FROM {table};\n")
            client.stdin.flush()
            client.stdout.readline()
            yield
            client.stdin.close()

    def client(self) -> list[str]:
        return ["mariadb", "--protocol=tcp", "--host=127.0.0.1", f"--port={self.port}", f"--user={USER}"]

    def fresh(self) -> None:
        self.sql("DROP DATABASE IF EXISTS shop; CREATE DATABASE shop;", "mysql")

    @staticmethod
    def _environment() -> dict[str, str]:
        return {**os.environ, "MYSQL_PWD": PASSWORD}


@contextlib.contextmanager
def mariadb() -> t.Iterator[MariaDb]:
    """Skips the test where MariaDB is not installed."""
    if not SERVER or not shutil.which("mariadb-install-db"):
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="steady-mariadb-"))
    account = directory / "account.sql"
    account.write_text(ACCOUNT, encoding="utf-8")
    port, data = free_port(), directory / "data"
    common = ["--no-defaults", f"--datadir={data}", f"--tmpdir={directory}"]
    try:
        own(directory, OWNER)
        subprocess.run(
            [*as_user(OWNER), "mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        listening = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={directory}/socket"]
        quick = [
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-log-bin",
            "--skip-name-resolve",
            f"--init-file={account}",
        ]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen([*as_user(OWNER), str(SERVER), *common, *listening, *quick], stderr=log, cwd="/")
        try:
            server = MariaDb(directory, port)
            wait_until(lambda: _answers(server), "MariaDB answers")
            yield server
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _answers(server: MariaDb) -> bool:
    with contextlib.suppress(AssertionError):
        server.sql("SELECT 1;", "mysql")
        return True
    return False
