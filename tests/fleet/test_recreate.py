# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything stopped behind a page, with a real PostgreSQL: users see the page and nothing else, and no data is lost."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.lab import files
from fleet.world.configured import PAGE, PAGES, configured
from fleet.world.rolling import Ended, Rolling, Run
from fleet.world.shop import Shop
from support.background import Background
from support.postgres import Postgres, postgres

ORDERS = "CREATE TABLE orders (id int PRIMARY KEY, total int); INSERT INTO orders SELECT n, n * 7 FROM generate_series(1, 2000) n;"
SUM = "SELECT count(*) || ' ' || md5(string_agg(id || ':' || total, ',' ORDER BY id)) FROM orders;"
EXPAND = (
    "ALTER TABLE orders ADD COLUMN cents bigint; UPDATE orders SET cents = total * 100 WHERE id BETWEEN 1 AND 100000;"
)
BROKEN = f"{EXPAND}\nSELECT 1/0;"
MOMENTS = ("page on", "drain", "stop", "backup", "migrate", "update", "health", "serve", "page off")
STEP = '"step": "{}"'


@pytest.fixture(scope="module")
def server() -> t.Iterator[Postgres]:
    with postgres() as server:
        yield server


class Recreate:
    """The shop before a database, and the playbook ready to be run."""

    def __init__(self, shop: Shop, rolling: Rolling, database: Postgres, folder: pathlib.Path) -> None:
        self.shop, self.rolling, self.database = shop, rolling, database
        self.migrations, self.backups = folder / "migrations", folder / "backups"
        self.migrations.mkdir()
        self.settings: dict[str, t.Any] = {
            "rollout_balancers": [
                {**files.balancer(host), "page_file": PAGES} for host in shop.lab.hosts if host.role == "lb"
            ],
            "rollout_page": {"body": "Back soon.\n", "retry_after": 60},
            "rollout_migrations": {
                "database_url": database.socket_url(),
                "tool": "sql",
                "directory": str(self.migrations),
                "lock_timeout": "2s",
                "lint_note": None,
                "expand": {},
            },
            "rollout_backup": {"directory": str(self.backups)},
            "rollout_downtime_url": f"{shop.lab.urls()[0]}/",
        }
        del self.settings["rollout_migrations"]["lint_note"]

    def migration(self, text: str) -> None:
        (self.migrations / "1.sql").write_text(text, encoding="utf-8")

    def start(self, version: str = "2.0.0", **settings: t.Any) -> Run:
        return self.rolling.start(version, playbook="recreate", **{**self.settings, **settings})

    def run(self, version: str = "2.0.0", **settings: t.Any) -> Ended:
        return self.start(version, **settings).wait()

    def data(self) -> str:
        return self.database.sql(SUM)

    def has_cents(self) -> bool:
        return "cents" in self.database.sql(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'orders';"
        )

    def page_is_up(self) -> set[str]:
        return {name for name in self.shop.balancers if self.shop.read(name, PAGES).strip()}


@pytest.fixture
def recreate(shop: Shop, rolling: Rolling, server: Postgres, tmp_path: pathlib.Path) -> t.Iterator[Recreate]:
    server.fresh()
    server.sql(ORDERS)
    shop.lab.add_release("2.0.0")
    with configured(shop, PAGE):
        yield Recreate(shop, rolling, server, tmp_path)


def test_users_see_the_page_and_nothing_else(recreate: Recreate, users: Background) -> None:
    recreate.migration(EXPAND)
    before = recreate.data()
    ended = recreate.run()
    assert ended.exit_code == 0, ended.output
    assert recreate.shop.all_on("2.0.0"), ended.output
    assert recreate.page_is_up() == set()
    assert (recreate.data(), recreate.has_cents()) == (before, True)
    assert ended.said("as users saw it"), ended.output
    assert_only_the_page(users.stop())
    again = recreate.run()
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize("case", ["the migration fails", "the new version is unhealthy", "the backup fails"])
def test_what_fails_brings_the_old_version_back(recreate: Recreate, users: Background, case: str) -> None:
    recreate.migration(BROKEN if case == "the migration fails" else EXPAND)
    if case == "the new version is unhealthy":
        recreate.shop.lab.add_release("2.0.0", {"health": "ill"})
    before = recreate.data()
    settings = {}
    if case == "the backup fails":
        # The program fails only once the room for it has been checked.
        fake = recreate.backups.parent / "bin"
        fake.mkdir()
        (fake / "pg_dump").write_text(FAILING_DUMP, encoding="utf-8")
        (fake / "pg_dump").chmod(0o755)
        settings = {"rollout_backup": {"directory": str(recreate.backups)}}
    ended = with_path(recreate, settings, case)
    assert ended.exit_code != 0, ended.output
    assert ended.said("rolled back"), ended.output
    assert recreate.shop.all_on("1.0.0"), ended.output
    assert recreate.page_is_up() == set(), ended.output
    assert (recreate.data(), recreate.has_cents()) == (before, False)
    recreate.shop.await_all_in_rotation()
    assert_only_the_page(users.stop())


FAILING_DUMP = (
    "#!/bin/sh\ncase \"$1\" in --version) echo 'pg_dump (PostgreSQL) 15.0';; *) echo 'no space' >&2; exit 1;; esac\n"
)


def with_path(recreate: Recreate, settings: dict[str, t.Any], case: str) -> Ended:
    with pytest.MonkeyPatch.context() as patch:
        if case == "the backup fails":
            patch.setenv(
                "PATH",
                f"{recreate.backups.parent / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
        return recreate.run(**settings)


def test_when_the_old_version_will_not_start_either_the_page_stays(recreate: Recreate) -> None:
    recreate.migration(EXPAND)
    before = recreate.data()
    recreate.shop.lab.add_release("2.0.0", {"health": "ill"})
    broken = recreate.shop.apps[0]
    recreate.shop.lab.run(broken, ["sh", "-c", 'echo \'{"health": "ill"}\' > /opt/shop/current/behaviour.json'])
    ended = recreate.run()
    assert ended.exit_code != 0, ended.output
    assert ended.said("the maintenance page is still up"), ended.output
    assert recreate.page_is_up() == set(recreate.shop.balancers)
    assert (recreate.data(), recreate.has_cents()) == (before, False)
    recreate.shop.lab.run(broken, ["sh", "-c", "rm /opt/shop/current/behaviour.json"])
    ended = recreate.run(rollout_resume="revert")
    assert ended.exit_code == 0, ended.output
    assert recreate.shop.all_on("1.0.0"), ended.output
    assert recreate.page_is_up() == set()


def kills() -> list[t.Any]:
    sample = ("migrate",)
    return [pytest.param(moment, marks=() if moment in sample else (pytest.mark.long,)) for moment in MOMENTS]


@pytest.mark.parametrize("moment", kills())
def test_one_more_run_goes_on_after_a_kill(recreate: Recreate, users: Background, moment: str) -> None:
    recreate.migration(EXPAND)
    before = recreate.data()
    killed = recreate.start()
    shop = recreate.shop
    shop.await_that(lambda: killed.is_over or STEP.format(moment) in shop_steps(shop), 200)
    killed.kill(group=True)
    ended = recreate.run()
    assert ended.exit_code == 0, f"{killed.output}\n{ended.output}\n{shop.story()}"
    assert shop.all_on("2.0.0"), ended.output
    assert recreate.page_is_up() == set()
    assert (recreate.data(), recreate.has_cents()) == (before, True)
    shop.await_all_in_rotation()
    assert_only_the_page(users.stop())


def shop_steps(shop: Shop) -> str:
    return " ".join(event["data"] for event in shop.events() if event["kind"] == "recreate")


def assert_only_the_page(seen: dict[str, t.Any]) -> None:
    assert seen["requests"] > 0
    assert set(seen["kinds"]) <= {"status 503"}, seen["failures"]
