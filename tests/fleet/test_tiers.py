# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three services that need each other on real hosts, with hosts of their own and with hosts that they share.

Users see no failure, no service is ever newer than one that it needs, and whatever happens all services end new or as
they were.
"""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.moments import Moment, spread
from fleet.world.rolling import Ended, Rolling, Run
from fleet.world.shop import Shop
from fleet.world.tiers import NEEDS, SEPARATE, SETTINGS, SHARED, ThreeTiers, three_tiers
from support.background import Background, order_observer, traffic

MIX = {"rate": 60, "keepalive": 6, "close": 3, "slow": 2, "slow_seconds": 2, "uploads": 2, "upload_seconds": 2}
EVENTS = 66
"""What an undisturbed release of three services with two hosts each writes."""
MOMENTS = spread(EVENTS, 10, 2.0, 12_000)
SAMPLE = 6
DRILL_EVENTS = 52
"""What an undisturbed drill on three services writes, about."""
DRILL_PASSED = (
    "The drill of db 1.0.0, api 1.0.0, web 1.0.0 has passed: web-app5 failed on purpose, and web, api, db were rolled back in this "
    "order, one host each, within "
)
BAD = "1.5.0"
"""Never healthy; newer than the first version, and not newer than what it needs."""


@dataclasses.dataclass(frozen=True)
class Release:
    """tiers.yml on three services under traffic, and what users and instances saw."""

    tiers: ThreeTiers
    rolling: Rolling
    users: Background
    order: Background

    def start(self, **versions: str) -> Run:
        wanted = {f"{name}_version": versions.get(name, "2.0.0") for name in NEEDS}
        others = {name: value for name, value in versions.items() if name not in NEEDS}
        return self.rolling.start("", *self.tiers.words(), playbook="tiers", **wanted, **others)

    def start_drill(self, *words: str, **settings: str) -> Run:
        """No version is given: it is what runs."""
        return self.rolling.start("", *self.tiers.words(), *words, playbook="drill_tiers", **settings)

    def run(self, **versions: str) -> Ended:
        return self.start(**versions).wait()

    def all_on(self, version: str, ended: Ended) -> None:
        assert self.tiers.versions() == {name: {version} for name in NEEDS}, ended.output

    def nobody_noticed(self) -> None:
        seen, order = self.users.stop(), self.order.stop()
        assert seen["requests"] > 0
        assert seen["failed"] == 0, seen["failures"]
        assert order["looks"] > 10
        assert order["wrong"] == []


def concluded(shop: Shop) -> list[str]:
    return [event["service"] for event in shop.events() if event["kind"] == "concluded"]


def admitted(shop: Shop) -> list[str]:
    return [event["host"] for event in shop.events() if event["kind"] == "admitted"]


@pytest.fixture
def release(request: pytest.FixtureRequest, fleet: Lab, shop: Shop, tmp_path: pathlib.Path) -> t.Iterator[Release]:
    """On separate hosts, unless the test gives this fixture another layout."""
    layout = getattr(request, "param", SEPARATE)
    with three_tiers(shop, layout) as tiers:
        fleet.add_release("2.0.0")
        fleet.add_release(BAD, {"health": "unhealthy"})
        inside = fleet.inside()
        with traffic(tiers.urls(), tmp_path / "traffic.json", inside=inside, **MIX) as users, order_observer(
            tiers.instances(), NEEDS, tmp_path / "order.json", inside=inside
        ) as order:
            yield Release(tiers, Rolling(fleet, SETTINGS), users, order)


LAYOUTS = pytest.mark.parametrize(
    "release",
    [
        pytest.param(SEPARATE, id="separate", marks=pytest.mark.long),
        pytest.param(SHARED, id="shared", marks=pytest.mark.long),
    ],
    indirect=True,
)


@LAYOUTS
def test_three_services_are_released_and_rolled_back_in_order(release: Release, shop: Shop) -> None:
    ended = release.run()
    assert ended.exit_code == 0, ended.output
    release.all_on("2.0.0", ended)
    again = release.run()
    assert again.exit_code == 0, again.output
    assert again.said("all 3 services are released (3 skipped)"), again.output
    back = release.run(rollout_resume="revert")
    assert back.exit_code == 0, back.output
    release.all_on("1.0.0", back)
    assert concluded(shop) == [*["db", "api", "web"] * 2, "web", "api", "db"]
    release.nobody_noticed()


@pytest.mark.parametrize(
    "release",
    [pytest.param(SEPARATE, id="separate"), pytest.param(SHARED, id="shared", marks=pytest.mark.long)],
    indirect=True,
)
def test_a_failure_in_the_second_service_takes_everything_back_in_reverse_order(release: Release, shop: Shop) -> None:
    ended = release.run(api=BAD)
    assert ended.exit_code != 0, ended.output
    release.all_on("1.0.0", ended)
    assert concluded(shop) == ["db", "api", "db"], ended.output
    assert ended.last_line.startswith("The release of db, api, web was rolled back: api: 1.5.0 rolled back: "), (
        ended.output
    )
    release.nobody_noticed()


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(moment, id=str(moment), marks=() if number == SAMPLE else pytest.mark.long)
        for number, moment in enumerate(MOMENTS)
    ],
)
def test_after_a_kill_the_same_command_goes_on(release: Release, shop: Shop, moment: Moment) -> None:
    run = release.start()
    moment.await_in(run, shop)
    run.kill(group=True)
    ended = release.run()
    assert ended.exit_code == 0, f"{run.output}\n{ended.output}\n{shop.story()}"
    release.all_on("2.0.0", ended)
    release.nobody_noticed()


@pytest.mark.long
@pytest.mark.parametrize("release", [SHARED], ids=["shared"], indirect=True)
@pytest.mark.parametrize("moment", MOMENTS[1::3], ids=str)
def test_after_a_kill_everything_goes_back_where_the_operator_says_so(
    release: Release, shop: Shop, moment: Moment
) -> None:
    run = release.start()
    moment.await_in(run, shop)
    run.kill(group=True)
    ended = release.run(rollout_resume="revert")
    assert ended.exit_code == 0, f"{run.output}\n{ended.output}\n{shop.story()}"
    release.all_on("1.0.0", ended)
    release.nobody_noticed()


@pytest.mark.long
@pytest.mark.parametrize("moment", MOMENTS[2::3], ids=str)
def test_after_a_kill_of_a_release_that_fails_all_is_as_it_was(release: Release, shop: Shop, moment: Moment) -> None:
    run = release.start(api=BAD)
    moment.await_in(run, shop)
    run.kill(group=True)
    ended = release.run(api=BAD)
    assert ended.exit_code != 0, f"{run.output}\n{ended.output}\n{shop.story()}"
    release.all_on("1.0.0", ended)
    release.nobody_noticed()


@pytest.mark.long
def test_of_two_releases_at_once_one_is_refused(release: Release, shop: Shop) -> None:
    first = release.start()
    shop.await_that(lambda: first.is_over or len(shop.events()) >= 4, 60.0)
    second = release.start(web="1.0.0").wait()
    assert second.exit_code != 0, second.output
    assert second.said("is being run by"), second.output
    ended = first.wait()
    assert ended.exit_code == 0, ended.output
    release.all_on("2.0.0", ended)
    release.nobody_noticed()


@pytest.mark.long
def test_a_drill_takes_every_service_back_in_reverse_order(release: Release, shop: Shop) -> None:
    ended = release.start_drill().wait()
    assert ended.exit_code == 0, ended.output
    assert ended.last_line.startswith(DRILL_PASSED), ended.output
    release.all_on("1.0.0", ended)
    assert concluded(shop) == ["db", "api", "web", "api", "db"]
    assert admitted(shop) == ["db-app1", "api-app3", "web-app5", "api-app3", "db-app1"], "one host of each service"
    released = release.run()
    assert released.exit_code == 0, released.output
    release.all_on("2.0.0", released)
    release.nobody_noticed()


@pytest.mark.long
@pytest.mark.parametrize("moment", spread(DRILL_EVENTS, 5, 2.0, 12_001)[1:4], ids=str)
def test_after_a_kill_the_same_command_finishes_the_drill(release: Release, shop: Shop, moment: Moment) -> None:
    run = release.start_drill()
    moment.await_in(run, shop)
    run.kill(group=True)
    ended = release.start_drill().wait()
    assert ended.exit_code == 0, f"{run.output}\n{ended.output}\n{shop.story()}"
    assert ended.last_line.startswith(DRILL_PASSED), ended.output
    release.all_on("1.0.0", ended)
    release.nobody_noticed()
