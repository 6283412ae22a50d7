# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recreate on real hosts with a real PostgreSQL and alembic: users see the page and nothing else."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import re
import time
import typing as t

import pytest
from fleet.lab.files import balancer
from fleet.lab.places import REPOSITORY
from fleet.world.configured import PAGE, PAGES, configured
from fleet.world.database import AFTER, FILL, Database, database
from fleet.world.rolling import Ended, Rolling
from fleet.world.shop import Shop
from support.background import Background, traffic
from support.http_connection import PAGE as PAGE_SEEN

REPORT = REPOSITORY / "build" / "bench" / "recreate.json"
LONG = os.environ.get("STEADY_LONG") == "1"
ROWS = 600_000 if LONG else 20_000
WORK = (
    FILL,
    "CREATE INDEX by_note ON orders (note, total)",
    "CREATE INDEX by_hash ON orders (md5(note))",
    "CREATE INDEX by_text ON orders ((note || total::text))",
    "CREATE INDEX by_reverse ON orders (reverse(note))",
    "CREATE INDEX by_upper ON orders (upper(note), cents)",
    "CREATE INDEX by_half ON orders (left(note, 16), total)",
    "CREATE INDEX by_other_half ON orders (right(note, 16), total)",
    "CREATE INDEX by_twice ON orders ((note || note))",
    "CREATE INDEX by_number ON orders (md5(id::text))",
    "CREATE INDEX by_sum ON orders (md5((total + cents)::text))",
)
"""A migration of half a minute in the long series: what needs everything down takes its time."""
MIX: dict[str, float] = {
    "rate": 60,
    "keepalive": 6,
    "close": 3,
    "slow": 2,
    "slow_seconds": 3,
    "uploads": 2,
    "upload_seconds": 2,
}
DOWNTIME = re.compile(r"downtime ([0-9.]+) s, as users saw it")
STEP = re.compile(r"\ball  (\w[\w ]*?)\s+([0-9.]+) s  ")
HEALTHY = "curl --silent --fail --max-time 1 --output /dev/null http://127.0.0.1:8080/health"


@pytest.fixture
def orders(shop: Shop, tmp_path: pathlib.Path) -> t.Iterator[Database]:
    with database(shop.lab, tmp_path) as orders, configured(shop, PAGE):
        yield orders


def settings_of(shop: Shop, orders: Database) -> dict[str, t.Any]:
    return {
        **orders.settings,
        "rollout_claim_directory": str(orders.claims),
        "rollout_balancers": [{**balancer(host), "page_file": PAGES} for host in shop.lab.hosts if host.role == "lb"],
        "rollout_page": {"body": "Back soon.\n", "retry_after": 60},
        "rollout_downtime_url": f"{shop.lab.urls()[0]}/",
    }


def test_users_see_the_page_and_nothing_else(
    shop: Shop, rolling: Rolling, orders: Database, users: Background, tmp_path: pathlib.Path
) -> None:
    """What is not counted as an error: a request that the page answers. Each other failure is one."""
    orders.fresh(*WORK, rows=ROWS)
    shop.lab.add_release("2.0.0")
    before, went_wrong = orders.data(), Counters(shop)
    ended = rolling.run("2.0.0", playbook="recreate", **settings_of(shop, orders))
    assert ended.exit_code == 0, ended.output
    assert shop.all_on("2.0.0"), shop.versions()
    assert (orders.data(), orders.columns()) == (before, AFTER)
    seen = users.stop()
    assert set(seen["kinds"]) == {PAGE_SEEN}, others(seen)
    assert {failure["detail"] for failure in seen["failures"]} == {"Retry-After 60: 'Back soon.'"}
    assert seen["mixed"] == 0
    assert went_wrong.since() == 0, "requests reached a stopped host"
    if LONG:
        write_figures(shop, orders, tmp_path, seen, ended)


def write_figures(shop: Shop, orders: Database, folder: pathlib.Path, seen: dict[str, t.Any], ended: Ended) -> None:
    downtime = float(DOWNTIME.findall(ended.output)[0])
    bound = bound_of(shop, orders, folder)
    figures = {
        "downtime_over_bound": round(downtime / sum(bound.values()), 3),
        "connection_errors": seen["failed"] - seen["kinds"][PAGE_SEEN],
        "mixed_answers": seen["mixed"],
        "downtime": downtime,
        "overhead": round(downtime - sum(bound.values()), 3),
        "bound": bound,
        "steps": {name: float(took) for name, took in STEP.findall(ended.output)},
        "requests": seen["requests"],
        "on_the_page": seen["kinds"][PAGE_SEEN],
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def bound_of(shop: Shop, orders: Database, folder: pathlib.Path) -> dict[str, float]:
    """Seconds of stopping, migrating and starting alone, with the same users, by whoever needs nothing else."""
    orders.fresh(*WORK, rows=ROWS)
    with traffic(shop.lab.urls(), folder / "bound.json", inside=shop.lab.inside(), **MIX):
        time.sleep(MIX["slow_seconds"])
        stop = timed(lambda: shop.on_each("systemctl stop shop"))
        migrate = timed(lambda: orders.migrate(shop.lab.inside()))
        start = timed(lambda: shop.on_each(f"systemctl start shop; until {HEALTHY}; do sleep 0.05; done"))
    return {"stop": stop, "migrate": migrate, "start": start}


def timed(work: t.Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return round(time.monotonic() - began, 3)


class Counters:
    """What the balancers have counted: connections to hosts that failed, requests sent again or elsewhere, cut answers."""

    NAMES = ("econ", "eresp", "wretr", "wredis", "cli_abrt", "srv_abrt")

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._before = self._now()

    def since(self) -> int:
        return self._now() - self._before

    def _now(self) -> int:
        total = 0
        for node in self._shop.balancers:
            rows = list(csv.DictReader(self._shop.haproxy(node, "show stat").lstrip("# ").splitlines()))
            (shop,) = [row for row in rows if (row["pxname"], row["svname"]) == ("shop", "BACKEND")]
            total += sum(int(shop[name] or 0) for name in self.NAMES)
        return total


def others(seen: dict[str, t.Any]) -> str:
    return f"{seen['kinds']} {[one for one in seen['failures'] if one['kind'] != PAGE_SEEN]}"


@pytest.mark.long
def test_one_more_run_goes_on_after_the_controller_was_killed_in_the_migration(
    shop: Shop, rolling: Rolling, orders: Database, users: Background
) -> None:
    orders.fresh(FILL)
    shop.lab.add_release("2.0.0")
    before, settings = orders.data(), settings_of(shop, orders)
    killed = rolling.start("2.0.0", playbook="recreate", **settings)
    shop.await_that(lambda: killed.is_over or "migrate" in steps_of(shop), within=120)
    killed.kill(group=True)
    ended = rolling.run("2.0.0", playbook="recreate", **settings)
    assert ended.exit_code == 0, f"{killed.output}\n{ended.output}"
    assert shop.all_on("2.0.0"), shop.versions()
    assert (orders.data(), orders.columns()) == (before, AFTER)
    seen = users.stop()
    assert set(seen["kinds"]) == {PAGE_SEEN}, others(seen)
    assert seen["mixed"] == 0


def steps_of(shop: Shop) -> list[str]:
    return [json.loads(event["data"])["step"] for event in shop.events() if event["kind"] == "recreate"]
