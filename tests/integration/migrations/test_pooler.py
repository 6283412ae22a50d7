# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table in the place of another behind a real PgBouncer, with busy clients: nobody gets an error."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import typing as t

import pytest
from support.cores import Outcome
from support.haproxy import wait_until
from support.pgbouncer import Clients, PgBouncer, pgbouncer
from support.postgres import PASSWORD, Postgres
from support.tool_runs import run_at

ORDERS = "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT n, 'old' FROM generate_series(1, 1000) n;"
COPY = (
    "CREATE TABLE orders_new (id bigint PRIMARY KEY, note text); INSERT INTO orders_new SELECT id, 'new' FROM orders;"
)
SWAP = "ALTER TABLE orders RENAME TO orders_old; ALTER TABLE orders_new RENAME TO orders;"
LONG_SWAP = f"{SWAP} SELECT pg_sleep(1);"
ENDLESS = f"{SWAP} SELECT pg_sleep(300);"
QUERY = "SELECT note FROM orders WHERE id = 7"


@pytest.fixture
def bouncer(database: Postgres) -> t.Iterator[PgBouncer]:
    database.sql(ORDERS + COPY)
    with pgbouncer(database) as bouncer:
        yield bouncer


def swapping(folder: pathlib.Path, bouncer: PgBouncer, statement: str = SWAP, **pooler: t.Any) -> dict[str, t.Any]:
    (folder / "1_swap.sql").write_text(statement, encoding="utf-8")
    pauses = {"urls": [bouncer.url()], "database": "shop", "wait": "2s", "limit": "10s", "resume": False}
    return {"tool": "sql", "directory": str(folder), "state": "applied", "pooler": {**pauses, **pooler}}


def run(database: Postgres, **options: t.Any) -> Outcome:
    outcome = run_at(database.url(), **options)
    assert PASSWORD not in f"{outcome.result}{outcome.error}"
    return outcome


def note(database: Postgres) -> str:
    return database.sql(f"{QUERY};")


def test_a_table_is_swapped_under_eight_busy_clients(
    database: Postgres, bouncer: PgBouncer, tmp_path: pathlib.Path
) -> None:
    with Clients(bouncer, QUERY) as clients:
        done = run(database, **swapping(tmp_path, bouncer, LONG_SWAP))
    assert (done.error, done["changed"], done["paused"]) == ("", True, [])
    assert (clients.errors, note(database)) == ([], "new")
    assert clients.longest > 0.9, "nobody waited, so nothing was held"


def test_a_long_transaction_is_not_waited_for_without_end(
    database: Postgres, bouncer: PgBouncer, tmp_path: pathlib.Path
) -> None:
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(bouncer.url("shop")) as report, Clients(bouncer, QUERY) as clients:
        report.execute(QUERY)
        refused = run(database, **swapping(tmp_path, bouncer, wait="300ms"))
        report.rollback()
    console = f"PgBouncer on 127.0.0.1:{bouncer.port}"
    assert refused.error.startswith(f"'shop' of {console} was not paused within 0.3 s: ")
    assert refused.error.endswith("Nothing was migrated.")
    assert (refused["attempts"], clients.errors, note(database)) == (2, [], "old")


def test_what_takes_too_long_is_terminated_and_queries_go_on(
    database: Postgres, bouncer: PgBouncer, tmp_path: pathlib.Path
) -> None:
    with Clients(bouncer, QUERY) as clients:
        refused = run(database, **swapping(tmp_path, bouncer, ENDLESS, limit="500ms"))
    assert refused.error == (
        f"The migration took longer than 0.5 s (pooler.limit) while 'shop' of PgBouncer on 127.0.0.1:{bouncer.port} was "
        "paused, and was terminated so that queries could continue. Shorten the migration, or raise the limit. Database 'shop' on "
        f"127.0.0.1:{database.port} is at no version now, according to the migration tool."
    )
    assert (clients.errors, note(database)) == ([], "old")


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_queries_go_on_when_what_runs_the_migration_is_killed(
    database: Postgres, bouncer: PgBouncer, tmp_path: pathlib.Path, by: signal.Signals
) -> None:
    options = swapping(tmp_path, bouncer, "SELECT pg_sleep(2);" + SWAP)
    with Clients(bouncer, QUERY) as clients:
        killed = in_a_process(database, options)
        wait_until(lambda: bool(run(database, **{**options, "state": "read"})["paused"]), "the pause")
        killed.send_signal(by)
        killed.wait(timeout=30)
        wait_until(lambda: not run(database, **{**options, "state": "read"})["paused"], "the way on")
    assert clients.errors == []
    again = run(database, **options)
    assert (again.error, note(database)) == ("", "new")


def test_the_pause_of_an_interrupted_run_is_ended_and_that_of_others_is_not(
    database: Postgres, bouncer: PgBouncer, tmp_path: pathlib.Path
) -> None:
    bouncer.tell("PAUSE shop")
    console = f"PgBouncer on 127.0.0.1:{bouncer.port}"
    refused = run(database, **swapping(tmp_path, bouncer))
    assert refused.error.startswith(
        f"'shop' is already paused on {console}, and not by this rollout. Find out who paused it; once the pause is no longer "
        "needed, run there: psql pgbouncer -c 'RESUME \"shop\"'. Nothing was migrated."
    )
    assert note(database) == "old"
    done = run(database, **swapping(tmp_path, bouncer, resume=True))
    assert (done.error, done["changed"], note(database)) == ("", True, "new")
    bouncer.tell("PAUSE shop")
    left = run(database, **swapping(tmp_path, bouncer))
    assert (left["changed"], left["paused"]) == (False, [console])
    resumed = run(database, **swapping(tmp_path, bouncer, resume=True))
    assert (resumed["changed"], resumed["msg"]) == (
        True,
        f"database 'shop' on 127.0.0.1:{database.port}: at 1_swap.sql, nothing pending; resumed {console}",
    )
    with Clients(bouncer, QUERY) as clients:
        pass
    assert clients.errors == []


@pytest.mark.parametrize(
    ("pooler", "message"),
    [
        ({"database": "other"}, "pooler.database: {console} has no database 'other'; it has "),
        ({"database": 'a"b'}, "pooler.database: 'a\"b' cannot be the name of a database."),
        ({"urls": []}, "pooler.urls: expected the address of at least one PgBouncer, found none."),
        (
            {"urls": ["postgresql://shop@db1/shop"]},
            "pooler.urls: expected postgresql://user:password@host:6432/pgbouncer, the console of PgBouncer.",
        ),
        ({"wait": "soon"}, "pooler.wait: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
    ],
)
def test_what_cannot_be_paused_is_refused_before_anything_is(
    database: Postgres, bouncer: PgBouncer, tmp_path: pathlib.Path, pooler: dict[str, t.Any], message: str
) -> None:
    refused = run(database, **swapping(tmp_path, bouncer, **pooler))
    assert refused.error.startswith(message.format(console=f"PgBouncer on 127.0.0.1:{bouncer.port}"))
    assert note(database) == "old"


def test_a_migration_through_the_pooler_would_wait_for_its_own_pause(
    database: Postgres, bouncer: PgBouncer, tmp_path: pathlib.Path
) -> None:
    options = swapping(tmp_path, bouncer, urls=[database.url("pgbouncer")])
    assert run(database, **options).error == (
        f"database_url: is the address of PgBouncer on 127.0.0.1:{database.port}, whose pause would hold the migration "
        "too; give the address of PostgreSQL itself."
    )


CALL = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from support.tool_runs import run_at
print(run_at(sys.argv[2], **json.loads(sys.stdin.read())))
"""


def in_a_process(database: Postgres, options: dict[str, t.Any]) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", CALL, json.dumps(sys.path), database.url()]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True, env=os.environ.copy(), start_new_session=True)
    assert process.stdin
    process.stdin.write(json.dumps(options))
    process.stdin.close()
    return process


def test_no_password_is_on_a_command_line(database: Postgres, bouncer: PgBouncer, tmp_path: pathlib.Path) -> None:
    seen: list[str] = []
    killed = in_a_process(database, swapping(tmp_path, bouncer, "SELECT pg_sleep(1);" + SWAP))
    while killed.poll() is None:
        seen += command_lines()
    assert any("PAUSE" in line for line in seen), "the pause was never seen"
    own = [line for line in seen if "support.tool_runs" not in line]
    assert not [line for line in own if PASSWORD in line or PASSWORD.replace(" ", "%20") in line]


def command_lines() -> list[str]:
    paths = pathlib.Path("/proc").glob("[0-9]*/cmdline")
    return [words_of(path).replace(b"\0", b" ").decode(errors="replace") for path in paths]


def words_of(path: pathlib.Path) -> bytes:
    """Empty for a process that has ended meanwhile."""
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""
