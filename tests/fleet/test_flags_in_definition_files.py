# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling deployment with a flag in flagd's definition file on every host, there and back under traffic."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.faults import await_in
from fleet.world.flag_places import FILES, ITSELF, in_file
from fleet.world.rolling import Rolling
from fleet.world.shifting import QUICK_USERS
from fleet.world.shop import Shop
from fleet.world.unleash import FLAG, NEW, OLD, assert_unharmed, last_use, served_by
from support.background import traffic

pytestmark = pytest.mark.long

REFRESH = 1.0


@pytest.fixture
def rolling(fleet: Lab, shop: Shop) -> Rolling:
    place = in_file(shop, "flagd")
    feature = place.behaviour(REFRESH)["feature"]
    shop.behave({"feature": {**feature, "served": False}})
    shop.lab.add_release(NEW, {"feature": {**feature, "served": True}})
    flag = {"name": FLAG, "system": place.system, "instances": [ITSELF]}
    return Rolling(fleet, {"rollout_flags": [flag], "rollout_flags_timeout": 10})


def flags_on(shop: Shop) -> list[bool]:
    """As the file of each host says."""
    printed = shop.on_each(f"cat {FILES['flagd'][0]}")
    return [_is_on(json.loads(text)["flags"].get(FLAG, {})) for text in printed.values()]


def _is_on(flag: dict[str, t.Any]) -> bool:
    return flag.get("state") == "ENABLED" and flag.get("defaultVariant") == "on"


def test_there_and_back(fleet: Lab, shop: Shop, rolling: Rolling, tmp_path: pathlib.Path) -> None:
    with traffic(fleet.urls(), tmp_path / "users.json", inside=fleet.inside(), **QUICK_USERS) as users:
        there = rolling.run(NEW)
        assert there.exit_code == 0, there.output
        assert (shop.all_on(NEW), flags_on(shop)) == (True, [True] * len(shop.apps)), there.output
        shop.await_that(lambda: set(served_by(users.report(), "on").get(NEW, ())) == set(shop.apps), within=15)
        back = rolling.run("", playbook="rollback")
        assert back.exit_code == 0, back.output
        seen = users.stop()
    assert (shop.all_on(OLD), flags_on(shop)) == (True, [False] * len(shop.apps)), back.output
    assert_unharmed(seen, back)
    assert set(served_by(seen, "off")) == {OLD, NEW}
    events = shop.events()
    off = max(number for number, event in enumerate(events) if event["kind"] == "flag_set")
    assert last_use(seen) < next(float(event["at"]) for event in events[off:] if event["kind"] == "admitted")


@pytest.mark.parametrize("proven", [1, 6])
def test_a_rollout_that_was_killed_ends_with_the_flag_on_everywhere(
    fleet: Lab, shop: Shop, rolling: Rolling, tmp_path: pathlib.Path, proven: int
) -> None:
    with traffic(fleet.urls(), tmp_path / "users.json", inside=fleet.inside(), **QUICK_USERS) as users:
        run = rolling.start(NEW)
        await_in(run, lambda: len(shop.subjects("proven")) >= proven, f"{proven} hosts are proven")
        run.kill(group=True)
        again = rolling.run(NEW)
        seen = users.stop()
    assert again.exit_code == 0, again.output
    assert (shop.all_on(NEW), flags_on(shop)) == (True, [True] * len(shop.apps)), again.output
    assert_unharmed(seen, again)
