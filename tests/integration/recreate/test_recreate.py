# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recreate playbook on local processes behind two HAProxys with a real PostgreSQL, under traffic.

Users see the page and nothing else; whatever fails, no data is lost, and one more run goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time
import typing as t

import pytest
from support import background, examples
from support.http_connection import PAGE as PAGE_SEEN
from support.postgres import Postgres, postgres

local_fleet = examples.module("demo", "local_fleet")
haproxy_node = examples.module("demo", "haproxy_node")
process = examples.module("demo", "process")

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
MIX = {"rate": 60, "keepalive": 4, "close": 3, "slow": 2, "slow_seconds": 1, "uploads": 0}
"""No uploads: a balancer that answers one with the page does not read its body, which some clients take for a reset."""
QUICK: dict[str, t.Any] = {
    "rollout_min_healthy_time": 0.5,
    "rollout_health_interval": 0.2,
    "rollout_healthy_deadline": 8,
    "rollout_progress_deadline": 60,
}
ORDERS = "CREATE TABLE orders (id int PRIMARY KEY, total int); INSERT INTO orders SELECT n, n * 7 FROM generate_series(1, 2000) n;"
SUM = "SELECT count(*) || ' ' || md5(string_agg(id || ':' || total, ',' ORDER BY id)) FROM orders;"
COLUMNS = "SELECT string_agg(column_name::text, ' ' ORDER BY column_name) FROM information_schema.columns WHERE table_name = 'orders';"
EXPAND = (
    "ALTER TABLE orders ADD COLUMN cents bigint; UPDATE orders SET cents = total * 100 WHERE id BETWEEN 1 AND 100000;"
)
SLEEPS = "-- lint: allow cannot_tell because it only sleeps"
SLOW = f"{EXPAND}\n{SLEEPS}\nSELECT pg_sleep(3);"
BROKEN = f"{EXPAND}\nSELECT 1/0;"
MOMENTS = ("page on", "drain", "stop", "backup", "migrate", "update", "health", "serve", "page off")
PAGE = """\
    http-request set-var(txn.page) str(shop),map({pages})
    acl page var(txn.page) -m found
    http-request return status 503 content-type text/plain hdr Retry-After %[var(txn.page),field(1,:)] lf-string %[var(txn.page),field(3,:),b64dec] if page
    http-after-response set-header Content-Type %[var(txn.page),field(2,:),b64dec] if page
    default_backend shop"""


class Site:
    """A shop of three instances, its database, and the playbook ready to be run."""

    def __init__(self, fleet: t.Any, database: Postgres, folder: pathlib.Path) -> None:
        self.fleet, self.database, self.folder = fleet, database, folder
        self.migrations, self.backups = folder / "migrations", folder / "backups"
        self.migrations.mkdir()
        inventory = json.loads(fleet.inventory.read_text(encoding="utf-8"))
        balancers = inventory["all"]["children"]["fleet"]["vars"]["rollout_balancers"]
        self.balancers = [{**one, "page_file": str(pages(one["socket"]))} for one in balancers]
        self.settings: dict[str, t.Any] = {
            **QUICK,
            "rollout_balancers": self.balancers,
            "rollout_page": {"body": "Back soon.\n", "retry_after": 60},
            "rollout_migrations": {
                "database_url": database.url(),
                "tool": "sql",
                "directory": str(self.migrations),
                "lock_timeout": "2s",
                "expand": {},
            },
            "rollout_backup": {"directory": str(self.backups)},
            "rollout_downtime_url": f"{fleet.urls()[0]}/",
        }

    def migration(self, text: str) -> None:
        (self.migrations / "1.sql").write_text(text, encoding="utf-8")

    def start(self, version: str, **settings: t.Any) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "ansible.cli.playbook", "playbooks/recreate.yml", "-i", str(self.fleet.inventory)]
        argv += ["-e", json.dumps({**self.settings, "rollout_version": version, **settings})]
        environment = {**os.environ, "ANSIBLE_HOME": str(self.folder / "ansible"), "ANSIBLE_NOCOLOR": "1"}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                argv,
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, version: str = "2.0.0", **settings: t.Any) -> tuple[int, str]:
        """The exit code, and what this run printed."""
        before = len(self.log())
        run = self.start(version, **settings)
        return run.wait(timeout=400), self.log()[before:]

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def versions(self) -> set[str | None]:
        return {seen["version"] if seen else None for seen in self.fleet.seen().values()}

    def data(self) -> str:
        return self.database.sql(SUM)

    def columns(self) -> str:
        return self.database.sql(COLUMNS)

    def pages_up(self) -> list[bool]:
        return [bool(pathlib.Path(one["page_file"]).read_text(encoding="utf-8").strip()) for one in self.balancers]

    def await_step(self, step: str, run: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 200
        while step not in self.steps() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def steps(self) -> list[str]:
        path = self.fleet.directory / "ledger" / "ledger.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'event'").fetchall():
                return []
            rows = connection.execute("SELECT data FROM event WHERE kind = 'recreate' ORDER BY seq")
            return [json.loads(row[0])["step"] for row in rows]


def pages(socket: str) -> pathlib.Path:
    return pathlib.Path(socket).with_name("pages.map")


@pytest.fixture(scope="module")
def server() -> t.Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def site(tmp_path: pathlib.Path, server: Postgres, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Site]:
    if haproxy_node.binary() is None:
        pytest.skip("HAProxy is not installed")
    plain = haproxy_node._configuration

    def with_page(node: dict[str, t.Any], apps: t.Any, state_file: pathlib.Path) -> str:
        pages(node["socket"]).touch()
        lines = PAGE.format(pages=pages(node["socket"]))
        return str(plain(node, apps, state_file)).replace("    default_backend shop", lines)

    monkeypatch.setattr(haproxy_node, "_configuration", with_page)
    server.fresh()
    server.sql(ORDERS)
    fleet = local_fleet.LocalFleet(tmp_path / "fleet", apps=3, balancers=2, make="haproxy")
    try:
        fleet.up()
        fleet.add_release("2.0.0")
        yield Site(fleet, server, tmp_path)
    finally:
        fleet.down()


@pytest.fixture
def users(site: Site) -> t.Iterator[background.Background]:
    with background.traffic(site.fleet.urls(), site.folder / "traffic.json", **MIX) as users:
        yield users


def assert_only_the_page(users: background.Background) -> None:
    seen = users.stop()
    assert seen["requests"] > 0
    others = [failure for failure in seen["failures"] if failure["kind"] != PAGE_SEEN]
    assert set(seen["kinds"]) <= {PAGE_SEEN}, f"{seen['kinds']} {others}"
    assert seen["mixed"] == 0


def test_users_see_the_page_and_nothing_else(site: Site, users: background.Background) -> None:
    site.migration(EXPAND)
    before = site.data()
    code, output = site.run()
    assert code == 0, output
    assert (site.versions(), site.pages_up()) == ({"2.0.0"}, [False, False]), output
    assert (site.data(), site.columns()) == (before, "cents id total")
    assert "as users saw it" in output
    assert len(list(site.backups.iterdir())) == 1
    assert_only_the_page(users)
    code, output = site.run()
    assert code == 0, output
    assert len(list(site.backups.iterdir())) == 1, "a rerun of what is live touches nothing"


@pytest.mark.parametrize("case", ["the migration fails", "the new version is unhealthy", "the backup fails"])
def test_a_failure_restores_the_old_version(
    site: Site, users: background.Background, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.migration(BROKEN if case == "the migration fails" else EXPAND)
    if case == "the new version is unhealthy":
        site.fleet.add_release("3.0.0", {"health": "ill"})
    if case == "the backup fails":
        break_dumps(site, monkeypatch)
    before = site.data()
    code, output = site.run("3.0.0" if case == "the new version is unhealthy" else "2.0.0")
    assert code != 0, output
    assert "rolled back" in " ".join(output.split()), output
    assert (site.versions(), site.pages_up()) == ({"1.0.0"}, [False, False]), output
    assert (site.data(), site.columns()) == (before, "id total")
    assert_only_the_page(users)


def break_dumps(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program answers its version and fails at its work."""
    programs = site.folder / "bin"
    programs.mkdir()
    fake = programs / "pg_dump"
    fake.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 99' && exit\necho broken >&2\nexit 1\n",
        encoding="utf-8",
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def test_when_the_old_version_does_not_start_either_the_page_stays(site: Site) -> None:
    site.migration(EXPAND)
    before = site.data()
    site.fleet.add_release("3.0.0", {"health": "ill"})
    behaviour = site.fleet.app_directory("app1") / "releases" / "1.0.0" / "behaviour.json"
    behaviour.write_text('{"health": "ill"}', encoding="utf-8")
    code, output = site.run("3.0.0")
    assert code != 0, output
    assert "the maintenance page is still up" in " ".join(output.split()), output
    assert site.pages_up() == [True, True]
    assert (site.data(), site.columns()) == (before, "id total")
    behaviour.unlink()
    code, output = site.run("3.0.0", rollout_resume="revert")
    assert code == 0, output
    assert (site.versions(), site.pages_up()) == ({"1.0.0"}, [False, False]), output


def test_where_no_backup_fits_nothing_is_touched(site: Site, users: background.Background) -> None:
    site.migration(EXPAND)
    site.backups.write_text("a file in its place", encoding="utf-8")
    code, output = site.run()
    assert code != 0, output
    assert "is not a directory" in " ".join(output.split()), output
    assert site.steps() == []
    assert users.stop()["failed"] == 0


LONG = os.environ.get("STEADY_LONG") == "1"
long = pytest.mark.skipif(not LONG, reason="of the long series: make test-long")


@long
@pytest.mark.parametrize("comes_back", [True, False], ids=["at once", "for the next run"])
def test_a_database_that_dies_in_the_middle_of_the_migration(site: Site, comes_back: bool) -> None:
    site.migration(SLOW)
    before = site.data()
    run = site.start("2.0.0")
    site.await_step("migrate", run)
    time.sleep(1.0)
    site.database.crash()
    try:
        if comes_back:
            site.database.start()
        assert run.wait(timeout=300) != 0, site.log()
    finally:
        if not site.database.is_running:
            site.database.start()
    if not comes_back:
        assert "the maintenance page is still up" in " ".join(site.log().split()), site.log()
        assert site.pages_up() == [True, True]
        assert (site.data(), site.columns()) == (before, "id total")
        code, output = site.run("2.0.0", rollout_resume="revert")
        assert code == 0, output
    assert (site.versions(), site.pages_up()) == ({"1.0.0"}, [False, False]), site.log()
    assert (site.data(), site.columns()) == (before, "id total")
    code, output = site.run("2.0.0")
    assert code == 0, output
    assert (site.versions(), site.data(), site.columns()) == ({"2.0.0"}, before, "cents id total")


@long
def test_a_migration_that_failed_and_was_corrected_goes_on_by_the_same_command(site: Site) -> None:
    site.migration(BROKEN)
    before = site.data()
    assert site.run()[0] != 0
    site.migration(EXPAND)
    code, output = site.run()
    assert code == 0, output
    assert (site.versions(), site.pages_up()) == ({"2.0.0"}, [False, False]), output
    assert (site.data(), site.columns()) == (before, "cents id total")


@long
def test_a_balancer_that_dies_with_the_page_on_does_not_prevent_the_old_version(site: Site) -> None:
    """Users of the other one get the old version again, and one more run brings the new one."""
    site.migration(SLOW)
    before = site.data()
    run = site.start("2.0.0")
    site.await_step("migrate", run)
    process.stop(site.fleet.directory / "balancers" / "lb2" / "haproxy.pid")
    assert run.wait(timeout=300) != 0, site.log()
    assert "is left as it is" in site.log(), site.log()
    assert (site.versions(), site.pages_up()[0]) == ({"1.0.0"}, False), site.log()
    assert (site.data(), site.columns()) == (before, "id total")
    plan = site.fleet._plan()
    site.fleet._start_balancer(plan["balancers"][1], plan)
    assert process.wait_for(pathlib.Path(plan["balancers"][1]["socket"]).exists, 20)
    started = {name: seen["started_at"] for name, seen in site.fleet.seen().items()}
    code, output = site.run(rollout_resume="revert")
    assert code == 0, output
    assert {name: seen["started_at"] for name, seen in site.fleet.seen().items()} == started, "no host is stopped again"
    assert (site.versions(), site.pages_up()) == ({"1.0.0"}, [False, False]), output
    code, output = site.run()
    assert code == 0, output
    assert (site.versions(), site.pages_up()) == ({"2.0.0"}, [False, False]), output
    assert (site.data(), site.columns()) == (before, "cents id total")


def kills() -> list[t.Any]:
    """The sample is the moment at which most is at stake; the others are of the long series."""
    moments = [(step, 0.0) for step in MOMENTS] + [
        ("page on", 0.3), ("stop", 0.5), ("backup", 0.3), ("migrate", 1.5), ("migrate", 3.5), ("update", 0.5),
    ]  # fmt: skip
    sample = ("migrate", 0.0)
    return [
        pytest.param(*moment, id=f"{moment[1]:g} s after {moment[0]}", marks=() if moment == sample else (long,))
        for moment in moments
    ]


@pytest.mark.parametrize(("step", "later"), kills())
def test_one_more_run_goes_on_after_a_kill(site: Site, users: background.Background, step: str, later: float) -> None:
    site.migration(SLOW)
    before = site.data()
    killed = site.start("2.0.0")
    site.await_step(step, killed)
    time.sleep(later)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    code, output = site.run()
    assert code == 0, f"{step}\n{site.log()}"
    assert (site.versions(), site.pages_up()) == ({"2.0.0"}, [False, False]), output
    assert (site.data(), site.columns()) == (before, "cents id total")
    assert_only_the_page(users)
