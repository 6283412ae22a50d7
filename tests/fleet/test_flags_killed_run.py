# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed at every step of a flag of a real Unleash; one more run, and flag and hosts agree."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.faults import await_in
from fleet.world.rolling import Rolling, Run
from fleet.world.shifting import QUICK_USERS
from fleet.world.shop import Shop
from fleet.world.unleash import NEW, OLD, FlaggedShop, assert_unharmed, served_by
from support.background import traffic
from support.gateway import Hold

FLAG_ITSELF = "/features/checkout_v2"


@dataclasses.dataclass(frozen=True)
class AtEvent:
    """As soon as the run has written so many events of a kind."""

    kind: str
    number: int = 1
    goal: str = ""

    def await_in(self, run: Run, flagged: FlaggedShop) -> None:
        before = self._count(flagged.shop)
        await_in(run, lambda: self._count(flagged.shop) >= before + self.number, f"{self.number} {self.kind}")

    def _count(self, shop: Shop) -> int:
        found = [event for event in shop.events() if event["kind"] == self.kind]
        return len([event for event in found if self.goal in ("", json.loads(event["data"]).get("goal"))])


@dataclasses.dataclass(frozen=True)
class AtRequest:
    """When the *number*-th request of its kind is at Unleash's door, or *after* Unleash has done what it asks for.

    Those before the event *since* do not count.
    """

    method: str
    ending: str
    number: int = 1
    after: bool = False
    since: AtEvent | None = None

    def await_in(self, run: Run, flagged: FlaggedShop) -> None:
        if self.since is not None:
            self.since.await_in(run, flagged)
        hold = flagged.gateway.hold(Hold(self.method, self.ending, self.number, self.after))
        await_in(run, hold.reached.is_set, f"{self.method} {self.ending}: {flagged.gateway.log}")


ALL_PROVEN = AtEvent("proven", number=6)
Point = t.Union[AtRequest, AtEvent]
FORWARD: dict[str, Point] = {
    "before the flag is read": AtRequest("GET", FLAG_ITSELF),
    "after it was read, before it is made sure that it is off": AtRequest("GET", FLAG_ITSELF, number=2),
    "after off was recorded, before the first host": AtEvent("flag_set", goal="off"),
    "amid the hosts": AtEvent("proven", number=3),
    "after the last proof, before on is intended": ALL_PROVEN,
    "after on was intended, before anything is sent": AtRequest("GET", FLAG_ITSELF, since=ALL_PROVEN),
    "before on is sent, its share is": AtRequest("POST", "/on"),
    "after on was sent, before it is recorded": AtRequest("POST", "/on", after=True),
    "after on was recorded, before the run concludes": AtEvent("flag_set", goal="on"),
}
ROLLBACK: dict[str, Point] = {
    "before the flag is read": AtRequest("GET", FLAG_ITSELF),
    "before off is sent": AtRequest("POST", "/off"),
    "after off was sent, before it is recorded": AtRequest("POST", "/off", after=True),
    "after off was recorded, before the first host": AtEvent("flag_set", goal="off"),
    "amid the hosts": AtEvent("admitted", number=3),
}
IN_EVERY_RUN = "after on was sent, before it is recorded"


def points(table: dict[str, Point], always: str = "") -> list[t.Any]:
    return [
        pytest.param(point, id=name, marks=() if name == always else (pytest.mark.long,))
        for name, point in table.items()
    ]


@pytest.fixture
def rolling(fleet: Lab, flagged: FlaggedShop) -> Rolling:
    flagged.prepare(refresh=1.0)
    return Rolling(fleet, flagged.settings())


def kill_at(point: Point, run: Run, flagged: FlaggedShop) -> None:
    point.await_in(run, flagged)
    run.kill(group=True)
    flagged.gateway.let_go()


@pytest.mark.parametrize("point", points(FORWARD, IN_EVERY_RUN))
def test_a_rollout_that_was_killed_ends_with_the_flag_on(
    fleet: Lab, flagged: FlaggedShop, rolling: Rolling, tmp_path: pathlib.Path, point: Point
) -> None:
    with traffic(fleet.urls(), tmp_path / "users.json", inside=fleet.inside(), **QUICK_USERS) as users:
        kill_at(point, rolling.start(NEW), flagged)
        again = rolling.run(NEW)
        seen = users.stop()
    assert again.exit_code == 0, again.output
    assert flagged.stands(NEW, on=True), again.output
    assert_unharmed(seen, again)
    assert served_by(seen, "off")[NEW]


@pytest.mark.long
@pytest.mark.parametrize("name", ["amid the hosts", "after on was sent, before it is recorded"])
def test_a_rollout_that_was_killed_and_is_reverted_ends_with_the_flag_off(
    fleet: Lab, flagged: FlaggedShop, rolling: Rolling, tmp_path: pathlib.Path, name: str
) -> None:
    with traffic(fleet.urls(), tmp_path / "users.json", inside=fleet.inside(), **QUICK_USERS) as users:
        kill_at(FORWARD[name], rolling.start(NEW), flagged)
        again = rolling.run(NEW, rollout_resume="revert")
        seen = users.stop()
    assert flagged.stands(OLD, on=False), again.output
    assert_unharmed(seen, again)


@pytest.mark.long
@pytest.mark.parametrize("point", points(ROLLBACK))
def test_a_rollback_that_was_killed_ends_with_the_flag_off(
    fleet: Lab, flagged: FlaggedShop, rolling: Rolling, tmp_path: pathlib.Path, point: Point
) -> None:
    ended = rolling.run(NEW)
    assert (ended.exit_code, flagged.is_on) == (0, True), ended.output
    with traffic(fleet.urls(), tmp_path / "users.json", inside=fleet.inside(), **QUICK_USERS) as users:
        kill_at(point, rolling.start("", playbook="rollback"), flagged)
        again = rolling.run("", playbook="rollback")
        seen = users.stop()
    assert again.exit_code == 0, again.output
    assert flagged.stands(OLD, on=False), again.output
    assert_unharmed(seen, again)
