# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is cut off or loses its power in the middle of its update counts as a failure, and nothing hangs."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.world.faults import Held, all_on_again, await_in, happened
from fleet.world.rolling import Ended, Rolling
from fleet.world.shop import Shop
from support.background import Background
from support.sightings import violations

LOST = "app1"
NEW = "2.0.0"
FLOOR, WINDOW = 4, 2
LOSSES = ("cut", "kill")
"""Off the network, and off its power."""


@pytest.fixture(autouse=True)
def _all_on_at_the_end(shop: Shop) -> t.Iterator[None]:
    shop.lab.add_release(NEW)
    with all_on_again(shop.lab, *shop.apps):
        yield


@pytest.mark.long
@pytest.mark.parametrize("loss", ["cut", "kill"])
def test_within_the_budget_the_rest_goes_on_and_one_more_run_finishes(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, loss: str
) -> None:
    """The floor of the lost host's zone would keep the other one in it back, so there is none here."""
    ended = lost_in_its_restart(shop, rolling, loss, rollout_max_failures=1, rollout_zone_min_available=0)
    assert_named(ended)
    assert "5 of 6 hosts are in service on 2.0.0" in ended.last_line, ended.output
    assert versions_of_others(shop) == {NEW}
    assert_unnoticed(users, eyes)
    assert_one_more_run_finishes(shop, rolling)


@pytest.mark.parametrize("loss", ["kill", pytest.param("cut", marks=pytest.mark.long)])
def test_beyond_the_budget_it_stops_and_rolls_back(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, loss: str
) -> None:
    ended = lost_in_its_restart(shop, rolling, loss, rollout_max_failures=0)
    assert_named(ended)
    assert set(happened(shop, "admitted")) < set(shop.apps)
    assert versions_of_others(shop) == {"1.0.0"}
    assert_unnoticed(users, eyes)


@pytest.mark.long
@pytest.mark.parametrize("loss", ["cut", "kill"])
def test_a_host_lost_in_a_step_of_the_users_is_counted_too(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, loss: str, tmp_path: pathlib.Path
) -> None:
    step = tmp_path / "step.yml"
    step.write_text("- ansible.builtin.wait_for: {path: /run/go-on, timeout: 60}\n", encoding="utf-8")
    for app in shop.apps:
        shop.lab.run(app, ["sh", "-c", "rm -f /run/go-on" if app == LOST else "touch /run/go-on"])
    run = rolling.start(NEW, rollout_max_failures=1, rollout_after_update_tasks=str(step), rollout_zone_min_available=0)
    await_in(run, lambda: (shop.lab.seen()[LOST] or {}).get("version") == NEW, f"{LOST} waits in the step")
    getattr(shop.lab, loss)(LOST)
    ended = run.wait()
    assert_named(ended)
    assert versions_of_others(shop) == {NEW}
    assert_unnoticed(users, eyes)


def lost_in_its_restart(shop: Shop, rolling: Rolling, loss: str, **settings: t.Any) -> Ended:
    with Held(shop, LOST) as held:
        run = rolling.start(NEW, **settings)
        held.await_some(run, 1)
        getattr(shop.lab, loss)(LOST)
        return run.wait()


def versions_of_others(shop: Shop) -> set[str | None]:
    return {version for name, version in shop.versions().items() if name != LOST}


def assert_named(ended: Ended) -> None:
    """Counted as a failure, and said so in the last line."""
    assert ended.exit_code != 0
    assert LOST in ended.last_line, ended.output
    assert "run again" in ended.last_line, ended.output


def assert_unnoticed(users: Background, eyes: Background) -> None:
    seen = users.stop()
    assert seen["requests"] > 0
    assert seen["failed"] == 0, seen["failures"]
    assert violations(eyes.stop(), FLOOR, WINDOW) == []


def assert_one_more_run_finishes(shop: Shop, rolling: Rolling) -> None:
    """As soon as the host answers again."""
    with all_on_again(shop.lab, LOST):
        pass
    ended = rolling.run(NEW)
    assert ended.exit_code == 0, ended.output
    assert shop.all_on(NEW)
    assert all(members == set(shop.apps) for members in shop.in_rotation().values())
