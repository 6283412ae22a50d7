# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shop of local processes whose pages write and read orders in a database, in three releases that know it differently.

1.0.0 uses only the total. 2.0.0 writes total and cents and reads either. 3.0.0 uses only the cents.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from support import examples
from support.postgres import Postgres

local_fleet = examples.module("demo", "local_fleet")
haproxy_node = examples.module("demo", "haproxy_node")
build_release = sys.modules["build_release"]

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
QUICK: dict[str, t.Any] = {
    "rollout_min_healthy_time": 0.5,
    "rollout_health_interval": 0.2,
    "rollout_healthy_deadline": 30,
    "rollout_progress_deadline": 120,
    "rollout_min_available": 1,
}
QUICK_SHIFT = {"rollout_metric_gate": False, "rollout_bake_time": 2}
"""What traffic says of a release is the subject of other tests."""
MIX: dict[str, t.Any] = {"rate": 40, "keepalive": 4, "close": 4, "slow": 1, "slow_seconds": 1, "uploads": 0}
BEFORE = "CREATE TABLE orders (id serial PRIMARY KEY, number int NOT NULL, total int);"
OLD_ROWS = "INSERT INTO orders (number, total) SELECT n, n % 1000 FROM generate_series(1, 3000) n;"
WRITES = {
    "1.0.0": ("INSERT INTO orders (number, total) VALUES (%(n)s, %(t)s) RETURNING id", "total * 100"),
    "2.0.0": (
        "INSERT INTO orders (number, total, cents) VALUES (%(n)s, %(t)s, %(t)s * 100) RETURNING id",
        "coalesce(cents, total * 100)",
    ),
    "3.0.0": ("INSERT INTO orders (number, cents) VALUES (%(n)s, %(t)s * 100) RETURNING id", "cents"),
}
APP = '''\
"""The shop with orders: each page writes one and reads it, and one of others, back."""
import asyncio, json, pathlib, sys, threading
import psycopg
import shop_base

GIVEN = json.loads(pathlib.Path(__file__).with_name("orders.json").read_text())


class Orders(shop_base.Shop):
    number, lock, connection = 0, threading.Lock(), None

    async def answer(self, request, reader):
        if request.path == "/":
            await asyncio.to_thread(self.order)
        return await super().answer(request, reader)

    def order(self):
        with self.lock:
            if self.connection is None:
                Orders.connection = psycopg.connect(GIVEN["url"], autocommit=True)
            Orders.number += 1
            wanted = Orders.number % 1000
            given = {"n": Orders.number, "t": wanted}
            (mine,) = self.connection.execute(GIVEN["write"], given).fetchone()
            found = self.connection.execute(
                f"SELECT number, {GIVEN['read']} FROM orders WHERE id IN (%s, %s) ORDER BY id", (mine, mine % 3000 + 1)
            ).fetchall()
        wrong = [row for row in found if row[1] != row[0] % 1000 * 100]
        if wrong or len(found) < (1 if mine == mine % 3000 + 1 else 2):
            raise RuntimeError(f"read {found}")


shop_base.Shop = Orders
sys.exit(shop_base.main())
'''


class Site:
    """Three instances behind two HAProxys, and a rollout's settings for the database."""

    def __init__(self, fleet: t.Any, database: Postgres, folder: pathlib.Path) -> None:
        self.fleet, self.database, self.folder = fleet, database, folder
        for name in ("expand", "contract"):
            (folder / name).mkdir()
        (folder / "expand" / "1_cents.sql").write_text("ALTER TABLE orders ADD COLUMN cents bigint;", encoding="utf-8")
        contract = "ALTER TABLE orders DROP COLUMN total;"
        (folder / "contract" / "2_total.sql").write_text(contract, encoding="utf-8")
        some = "SELECT id FROM orders WHERE cents IS NULL LIMIT 500"
        self.migrations: dict[str, t.Any] = {
            "database_url": database.url(),
            "tool": "sql",
            "lock_timeout": "2s",
            "expand": {"directory": str(folder / "expand")},
            "migrate": {"batch": f"UPDATE orders SET cents = total * 100 WHERE id IN ({some})"},
            "contract": {"directory": str(folder / "contract"), "versions": ["3.0.0"]},
        }

    def add_release(self, version: str) -> None:
        write, read = WRITES[version]
        shop = build_release.program()
        files = {
            **shop,
            "VERSION": f"{version}\n".encode(),
            "app.py": APP.encode(),
            "shop_base.py": shop["app.py"],
            "orders.json": json.dumps({"url": self.database.url(), "write": write, "read": read}).encode(),
        }
        packed = build_release._pack(files)
        self.fleet.releases.mkdir(parents=True, exist_ok=True)
        (self.fleet.releases / f"shop-{version}.tar.gz").write_bytes(packed)

    def run(self, playbook: str, version: str, *words: str, **more: t.Any) -> tuple[int, str]:
        """The exit code, and what was printed, as one line. *more* are further settings."""
        settings: dict[str, t.Any] = {**QUICK, "rollout_migrations": self.migrations, **more}
        settings.update({"rollout_version": version} if version else {})
        argv = [sys.executable, "-m", "ansible.cli.playbook", f"playbooks/{playbook}.yml", *words]
        done = subprocess.run(
            [*argv, "-i", str(self.fleet.inventory), "-e", json.dumps(settings)],
            cwd=REPOSITORY,
            env={**os.environ, "ANSIBLE_HOME": str(self.folder / "ansible"), "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def columns(self) -> str:
        return self.database.sql(
            "SELECT string_agg(column_name::text, ' ' ORDER BY column_name) FROM information_schema.columns "
            "WHERE table_name = 'orders';"
        )

    def versions(self) -> list[str | None]:
        return [seen["version"] if seen else None for seen in self.fleet.seen().values()]

    def unfilled(self) -> int:
        return int(self.database.sql("SELECT count(*) FROM orders WHERE cents IS DISTINCT FROM number % 1000 * 100;"))

    def orders(self) -> int:
        return int(self.database.sql("SELECT count(*) FROM orders;"))

    def tell_balancers(self, command: str) -> None:
        for balancer in self.fleet._plan()["balancers"]:
            haproxy_node._ask(balancer["socket"], command)


@contextlib.contextmanager
def orders_site(folder: pathlib.Path, database: Postgres) -> t.Iterator[Site]:
    pytest.importorskip("psycopg")
    if haproxy_node.binary() is None:
        pytest.skip("HAProxy is not installed")
    database.sql(BEFORE + OLD_ROWS)
    fleet = local_fleet.LocalFleet(folder / "fleet", apps=3, balancers=2, make="haproxy")
    site = Site(fleet, database, folder)
    fleet.add_release = site.add_release
    try:
        fleet.up()
        yield site
    finally:
        fleet.down()
