# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PgBouncer of a test's own, in front of a real PostgreSQL, and clients that are busy through it."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import threading
import time
import typing as t

import pytest
from support.haproxy import free_port, wait_until
from support.postgres import OWNER, PASSWORD, USER, Postgres
from support.service_user import as_user, own

INI = """\
[databases]
shop = host={host} port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
admin_users = {user}
pool_mode = transaction
default_pool_size = 4
ignore_startup_parameters = extra_float_digits
logfile = {folder}/log
"""


class PgBouncer:
    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str = "pgbouncer") -> str:
        return f"postgresql://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def tell(self, command: str) -> None:
        """As an operator at the console, past the collection."""
        psycopg = pytest.importorskip("psycopg")
        with psycopg.connect(self.url(), autocommit=True, cursor_factory=psycopg.ClientCursor) as console:
            console.execute(command)


class Clients:
    """Each runs one transaction after the other and counts what it could not do, with the longest wait in seconds."""

    def __init__(self, bouncer: PgBouncer, query: str, number: int = 8) -> None:
        self._url = bouncer.url("shop")
        self._query = query
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _number in range(number)]
        self.errors: list[str] = []
        self.done = 0
        self.longest = 0.0

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        self.await_more()
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        self.await_more()
        self._is_over.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def await_more(self, number: int = 100) -> None:
        """Until they have done so many transactions more, or one has failed."""
        aim, end = self.done + number, time.monotonic() + 30
        while self.done < aim and not self.errors:
            assert time.monotonic() < end, "no query comes through"
            time.sleep(0.01)

    def _work(self) -> None:
        psycopg = pytest.importorskip("psycopg")
        try:
            with psycopg.connect(self._url, prepare_threshold=None) as connection:
                while not self._is_over.is_set():
                    began = time.monotonic()
                    connection.execute(self._query)
                    connection.commit()
                    self.longest = max(self.longest, time.monotonic() - began)
                    self.done += 1
        except psycopg.Error as error:
            self.errors.append(str(error))


@contextlib.contextmanager
def pgbouncer(server: Postgres) -> t.Iterator[PgBouncer]:
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if not program:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    folder = pathlib.Path(server.directory / "bouncer")
    folder.mkdir()
    port = free_port()
    users, ini = folder / "users", folder / "ini"
    users.write_text(f'"{USER}" "{PASSWORD}"\n', encoding="utf-8")
    text = INI.format(host=server.address, server=server.port, port=port, users=users, user=USER, folder=folder)
    ini.write_text(text, encoding="utf-8")
    own(folder, OWNER)
    process = subprocess.Popen([*as_user(OWNER), program, str(ini)], stderr=subprocess.DEVNULL)
    try:
        bouncer = PgBouncer(port)
        wait_until(lambda: _answers(bouncer), "PgBouncer answers")
        yield bouncer
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(bouncer: PgBouncer) -> bool:
    psycopg = pytest.importorskip("psycopg")
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(bouncer.url("shop"), connect_timeout=2).close()
        return True
    return False
