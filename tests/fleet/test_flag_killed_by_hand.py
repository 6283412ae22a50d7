# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A feature is killed from another machine while a rolling deployment runs, and while the coordinator is down.

How long that takes is written to build/flags.json.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
import time
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.lab.places import CONTROLLER_ADDRESS, Host
from fleet.world.adhoc import Answer, call_each
from fleet.world.coordinator import LEDGER, NAME, Coordinator
from fleet.world.faults import await_in
from fleet.world.flag_places import ITSELF, FlagPlace, in_file, in_redis, in_unleash
from fleet.world.rolling import Rolling
from fleet.world.shifting import QUICK_USERS
from fleet.world.shop import Shop
from fleet.world.unleash import FLAG, NEW, OLD, instances, last_use
from support.background import Background, traffic
from support.flag_calls import note

pytestmark = pytest.mark.long

REFRESH = 1.0
ELSEWHERE = "lb2"
"""The machine from which the flag is killed: another address than the controller's, and no ledger there."""
DEAF = f"http://{CONTROLLER_ADDRESS}:9/health"


@pytest.fixture(params=["unleash", "redis", "flagd", "file"])
def place(request: pytest.FixtureRequest, shop: Shop, tmp_path: pathlib.Path) -> t.Iterator[FlagPlace]:
    """Both versions of the shop have the feature."""
    with contextlib.ExitStack() as stack:
        if request.param == "unleash":
            place = in_unleash(request.getfixturevalue("unleash_server"))
        elif request.param == "redis":
            place = stack.enter_context(in_redis(shop, tmp_path))
        else:
            place = in_file(shop, request.param)
        shop.behave(place.behaviour(REFRESH))
        shop.lab.add_release(NEW, place.behaviour(REFRESH))
        yield place


class Operator:
    """Somebody at another machine, who knows the flag and the service."""

    def __init__(self, shop: Shop, place: FlagPlace, coordinator: Coordinator) -> None:
        self._shop = shop
        self._place = place
        self._coordinator = coordinator

    def turns_on(self) -> None:
        answers = self._do({"state": "on"})
        assert all(answer.state in ("CHANGED", "SUCCESS") for answer in answers.values()), answers

    def kills(self, *more: str, **options: t.Any) -> dict[str, Answer]:
        given = {"state": "killed", "reason": "orders twice", "service": "shop", "ledger": LEDGER}
        return self._do({**given, **options}, *more)

    def _do(self, options: dict[str, t.Any], *more: str) -> dict[str, Answer]:
        lab = self._shop.lab
        seen_by = instances(self._shop) if self._place.hosts == "localhost" else [ITSELF]
        arguments = {"name": FLAG, "system": self._place.system, "instances": seen_by, **options}
        words = (*self._coordinator.words, "-e", f"rollout_coordinator={NAME}", *more)
        within = ["nsenter", f"--net=/run/netns/{lab.places.netns(Host.named(ELSEWHERE))}", "--"]
        return call_each(lab, self._place.hosts, "feature_flag", arguments, *words, within=within)


def test_a_kill_is_sent_and_seen(
    fleet: Lab, shop: Shop, place: FlagPlace, coordinator: Coordinator, tmp_path: pathlib.Path
) -> None:
    operator = Operator(shop, place, coordinator)
    operator.turns_on()
    figures = {}
    run = Rolling(fleet).start(NEW, *coordinator.words, **coordinator.settings)
    try:
        await_in(run, lambda: proven(coordinator) >= 1, "a host is proven")
        for moment in ("while a rolling deployment runs", "while the coordinator is down"):
            with users_of(fleet, tmp_path) as users:
                if moment == "while the coordinator is down":
                    coordinator.vanish()
                figures[moment], answers = measured(operator)
                seen = users.stop()
            held = [answer.result["held"] for answer in answers.values()]
            is_down = moment == "while the coordinator is down"
            assert all((NAME if is_down else "is paused") in one for one in held), held
            assert seen["failed"] == 0, seen["failures"][:5]
            assert last_use(seen) <= figures[moment].pop("seen_at")
            assert {row["version"] for row in seen["features"]} <= {OLD, NEW}
            operator.turns_on()
    finally:
        run.kill(group=True)
        coordinator.appear()
    note(place.system["type"], kill_on_hosts={**figures, "read_every_s": REFRESH})


def measured(operator: Operator) -> tuple[dict[str, t.Any], dict[str, Answer]]:
    """Milliseconds until sent and until seen, of the slowest host where the flag is on each; and when it was seen."""
    answers = operator.kills()
    results = [answer.result for answer in answers.values()]
    assert all(result.get("not_seen") == {} for result in results), results
    figures = {name: max(result[name] for result in results) for name in ("sent_ms", "seen_ms")}
    return {**figures, "instances": sum(result["instances"] for result in results), "seen_at": time.time()}, answers


@contextlib.contextmanager
def users_of(fleet: Lab, folder: pathlib.Path) -> t.Iterator[Background]:
    with traffic(fleet.urls(), folder / "users.json", inside=fleet.inside(), **QUICK_USERS) as users:
        yield users


def proven(coordinator: Coordinator) -> int:
    return len([event for event in coordinator.events() if event["kind"] == "proven"])


@pytest.mark.parametrize("place", ["redis"], indirect=True)
def test_a_rollout_went_on_until_the_last_instance_had_seen_the_kill(
    fleet: Lab, shop: Shop, place: FlagPlace, coordinator: Coordinator
) -> None:
    operator = Operator(shop, place, coordinator)
    operator.turns_on()
    run = Rolling(fleet).start(NEW, *coordinator.words, **coordinator.settings)
    try:
        await_in(run, lambda: proven(coordinator) >= 1, "a host is proven")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            killing = pool.submit(operator.kills, instances=[DEAF], seen_timeout="15")
            await_in(run, lambda: "paused" in [event["kind"] for event in coordinator.events()], "it is paused")
            assert not killing.done()
            assert "not by " in killing.result()["localhost"].result["msg"]
    finally:
        run.kill(group=True)
