# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A column is replaced over three releases, one after the other under users who write and read: no request fails.

2.0.0 expands; once it is everywhere, old rows are filled. Once 3.0.0 is everywhere, the contract removes the old column.
"""

from __future__ import annotations

import os

import pytest
from support import background
from support.orders_site import MIX, QUICK_SHIFT, Site

LONG = pytest.mark.skipif(os.environ.get("STEADY_LONG") != "1", reason="of the long series: make test-long")


def test_preflight_names_what_is_unsafe_and_changes_nothing(site: Site) -> None:
    site.add_release("2.0.0")
    code, said = site.run("preflight", "2.0.0")
    assert "migrations ok database 'shop' on" in said, said
    assert "would apply 1_cents.sql" in said, said
    (site.folder / "expand" / "1_cents.sql").write_text("ALTER TABLE orders DROP COLUMN total;", encoding="utf-8")
    code, said = site.run("preflight", "2.0.0")
    assert code == 2, said
    assert "migrations FAILED database 'shop' on" in said, said
    assert "drop_column: Drops column orders.total" in said, said
    assert site.columns() == "id number total"


@LONG
def test_expand_and_contract_over_three_releases(site: Site) -> None:
    with background.traffic(site.fleet.urls(), site.folder / "traffic.json", **MIX) as users:
        site.add_release("2.0.0")
        code, said = site.run("rolling", "2.0.0")
        assert code == 0, said
        assert "the contract phase waits: app1 is on 2.0.0, app2 is on 2.0.0, app3 is on 2.0.0" in said, said
        assert (site.columns(), site.unfilled()) == ("cents id number total", 0), said

        site.migrations.pop("migrate")
        site.add_release("3.0.0")
        code, said = site.run("rolling", "3.0.0", "--limit", "app1,app2")
        assert code == 0, said
        assert "the contract phase waits: app3 (not in scope) is on 2.0.0; it needs every host on 3.0.0" in said, said

        site.tell_balancers("set server shop/app3 state drain")
        code, said = site.run("rolling", "3.0.0")
        assert "the contract phase waits: app3 (skipped) is on 2.0.0; it needs every host on 3.0.0" in said, said
        assert site.columns() == "cents id number total"

        site.tell_balancers("set server shop/app3 state ready")
        code, said = site.run("rolling", "3.0.0")
        assert code == 0, said
        assert (site.versions(), site.columns()) == (["3.0.0"] * 3, "cents id number"), said

        code, said = site.run("rollback", "")
        assert code != 0
        assert "needs what the contract of 3.0.0 removed from" in said
        assert "drops column orders.total" in said, said
        assert site.versions() == ["3.0.0"] * 3
    seen = users.report()
    assert seen["failed"] == 0, seen["failures"]
    quick = seen["clients"]["keepalive"]["ok"] + seen["clients"]["close"]["ok"]
    assert (site.orders(), site.unfilled()) == (3000 + quick, 0)


@LONG
def test_nothing_is_removed_while_the_other_colour_needs_it(site: Site) -> None:
    """Blue-green keeps the old version running to go back to, so the contract waits until it is replaced too."""
    colours = {
        "rollout_colours": {"blue": ["app1"], "green": ["app2", "app3"]},
        "rollout_live_colour": "blue",
        "rollout_min_available": 0,
        "rollout_compare": {"seconds": 2, "warm_up": 1, "max_seconds": 6, "negligible": 0.02},
        **QUICK_SHIFT,
    }
    site.migrations["contract"]["versions"] = ["2.0.0"]
    (site.folder / "contract" / "2_total.sql").write_text(
        "ALTER TABLE orders ALTER total SET DEFAULT 0;", encoding="utf-8"
    )
    with background.traffic(site.fleet.urls(), site.folder / "traffic.json", **MIX) as users:
        site.add_release("2.0.0")
        code, said = site.run("blue_green", "2.0.0", **colours)
        assert code == 0, said
        assert sorted(site.versions()) == ["1.0.0", "2.0.0", "2.0.0"], said
        assert "the migrate phase waits: " in said, said
        assert "app1" in said.partition("the migrate phase waits: ")[2][:80], said
        assert site.columns() == "cents id number total"
        code, said = site.run("rollback", "", **colours)
        assert code == 0, said
    assert users.report()["failed"] == 0, users.report()["failures"]


@LONG
def test_a_canary_migrates_once_the_last_host_is_proven(site: Site) -> None:
    canary = {
        "rollout_canary_group": ["app3"],
        "rollout_canary_steps": [{"share": 20, "bake": 4}, {"share": 100, "bake": 2}],
        **QUICK_SHIFT,
    }
    with background.traffic(site.fleet.urls(), site.folder / "traffic.json", **MIX) as users:
        site.add_release("2.0.0")
        code, said = site.run("canary", "2.0.0", **canary)
        assert code == 0, said
        assert site.versions() == ["2.0.0"] * 3, said
        assert (site.columns(), site.unfilled()) == ("cents id number total", 0), said
        assert "the contract phase waits: app1 is on 2.0.0, app2 is on 2.0.0, app3 is on 2.0.0" in said, said
    assert users.report()["failed"] == 0, users.report()["failures"]
