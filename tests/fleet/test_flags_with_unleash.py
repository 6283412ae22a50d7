# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each strategy with a flag of a real Unleash, there and back: users never meet the feature where it is not."""

from __future__ import annotations

import pathlib

import pytest
from fleet.lab.files import balancer
from fleet.lab.hosts import Lab
from fleet.world.configured import PAGE, PAGES, configured
from fleet.world.rolling import Rolling
from fleet.world.shifting import BLUE_GREEN_SETTINGS, CANARY_SETTINGS, COLOURS, QUICK_USERS, carries
from fleet.world.shop import Shop
from fleet.world.unleash import FLAG, NEW, OLD, FlaggedShop, assert_unharmed, last_use, served_by
from support import unleash
from support.background import traffic
from support.http_connection import PAGE as PAGE_SEEN

BAD = "6.6.6"

STRATEGIES = {
    "rolling": {},
    "canary": {
        **CANARY_SETTINGS,
        "rollout_canary_steps": [{"share": 25, "bake": 12}, {"share": 100, "bake": 12}],
    },
    "blue_green": BLUE_GREEN_SETTINGS,
}


@pytest.mark.long
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_flag_goes_with_the_rollout_there_and_back(
    fleet: Lab, shop: Shop, flagged: FlaggedShop, tmp_path: pathlib.Path, strategy: str
) -> None:
    flagged.prepare()
    rolling = Rolling(fleet, {**STRATEGIES[strategy], **flagged.settings()})
    on_new = set(COLOURS["green"]) if strategy == "blue_green" else set(shop.apps)
    with traffic(shop.lab.urls(), tmp_path / "users.json", inside=fleet.inside(), **QUICK_USERS) as users:
        there = rolling.run(NEW, playbook=strategy)
        assert there.exit_code == 0, there.output
        assert there.said(f"flag {FLAG} is on: sent after "), there.output
        assert flagged.is_on
        assert {app for app, version in shop.versions().items() if version == NEW} == on_new
        shop.await_that(lambda: set(served_by(users.report(), "on").get(NEW, ())) == on_new, within=15)
        back = rolling.run("", playbook="rollback")
        assert back.exit_code == 0, back.output
        seen = users.stop()
    assert not flagged.is_on
    assert carries(shop) == {tuple(COLOURS["blue"] if strategy == "blue_green" else shop.apps)}
    assert_unharmed(seen, back)
    assert set(served_by(seen, "off")) == {OLD, NEW}
    assert last_use(seen) < first_step_back(shop)
    assert back.said(f"flag {FLAG} is off: seen by 6 of 6 instances after "), back.output
    assert unleash.ADMIN not in f"{there.output}{back.output}{shop.story()}"


@pytest.mark.long
def test_a_flag_goes_with_a_recreate_and_stays_off_where_it_fails(
    fleet: Lab, shop: Shop, flagged: FlaggedShop, tmp_path: pathlib.Path
) -> None:
    with configured(shop, PAGE):
        flagged.prepare()
        shop.lab.add_release(BAD, {**flagged.behaviour(served=True, refresh=1.0), "start": "refuse"})
        balancers = [{**balancer(host), "page_file": PAGES} for host in shop.lab.hosts if host.role == "lb"]
        page = {"body": "Back soon.\n", "retry_after": 60}
        settings = {"rollout_balancers": balancers, "rollout_page": page, **flagged.settings(when_on="off")}
        rolling = Rolling(fleet, settings)
        with traffic(shop.lab.urls(), tmp_path / "users.json", inside=fleet.inside(), **QUICK_USERS) as users:
            there = rolling.run(NEW, playbook="recreate")
            assert there.exit_code == 0, there.output
            assert flagged.stands(NEW, on=True), there.output
            failed = rolling.run(BAD, playbook="recreate")
            seen = users.stop()
    assert failed.exit_code != 0, failed.output
    assert flagged.stands(NEW, on=False), failed.output
    assert set(seen["kinds"]) <= {PAGE_SEEN}, seen["failures"][:5]
    assert set(served_by(seen, "on")) == {NEW}


def first_step_back(shop: Shop) -> float:
    """When the first host or the first share of traffic was changed after the flag was turned off for the last time."""
    events = shop.events()
    off = max(number for number, event in enumerate(events) if event["kind"] == "flag_set")
    return float(next(e["at"] for e in events[off:] if e["kind"] in ("admitted", "shares_intended")))
