# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unleash is down, hangs, refuses, or loses its database: a rollout stops with the reason, a rollback continues."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.lab.places import CONTROLLER_ADDRESS
from fleet.world.faults import await_in
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from fleet.world.unleash import FLAG, NEW, OLD, FlaggedShop
from support import unleash

pytestmark = pytest.mark.long

NOBODY = f"http://{CONTROLLER_ADDRESS}:9"
COMMAND = "ansible 'localhost' -m steady.rollout.feature_flag -a '"
SLOW, HANGS = 2.0, 12.0
"""Seconds of each answer: within the time limit of one request, and beyond it."""


@pytest.fixture
def rolling(fleet: Lab, flagged: FlaggedShop) -> Rolling:
    flagged.prepare(refresh=1.0)
    return Rolling(fleet, flagged.settings())


class Trouble(t.NamedTuple):
    """What is wrong with Unleash, and what the operator reads of it."""

    said: str
    system: dict[str, t.Any] = {}
    delay: float = 0.0

    def settings(self, flagged: FlaggedShop) -> dict[str, t.Any]:
        flagged.gateway.delay = self.delay
        settings = flagged.settings()
        settings["rollout_flags"][0]["system"].update(self.system)
        return settings


TROUBLES = {
    "down": Trouble("refused the connection", {"url": NOBODY}),
    "unknown token": Trouble("was refused with 401", {"token": "*:*.nobody-knows-this"}),
    "a client's token": Trouble("was refused with 403", {"token": unleash.CLIENT}),
    "hangs": Trouble("did not answer within", delay=HANGS),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_rollout_does_not_begin(shop: Shop, flagged: FlaggedShop, rolling: Rolling, trouble: Trouble) -> None:
    before = shop.starts()
    ended = rolling.run(NEW, **trouble.settings(flagged))
    assert ended.exit_code != 0
    assert f"{trouble.said}" in ended.last_line, ended.output
    assert shop.touched(NEW, before) == [], ended.output
    shop.await_all_in_rotation()


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_rollback_continues_and_names_the_command(
    shop: Shop, flagged: FlaggedShop, rolling: Rolling, trouble: Trouble
) -> None:
    assert rolling.run(NEW).exit_code == 0
    began = time.time()
    back = rolling.run("", playbook="rollback", **trouble.settings(flagged))
    assert back.exit_code != 0, back.output
    assert shop.all_on(OLD), back.output
    assert f"{FLAG} (unleash " in back.last_line, back.output
    assert " may still be on: " in back.last_line, back.output
    assert f"Run the same command again to turn it off, or run: {COMMAND}" in back.last_line, back.output
    assert back.said(f"flag {FLAG} could not be turned off: on localhost: "), back.output
    assert back.said(trouble.said), back.output
    assert back.said(f"The rollback goes on. Run: {COMMAND}"), back.output
    failed = next(event for event in shop.events() if event["kind"] == "flag_failed" and event["at"] > began)
    first = next(event for event in shop.events() if event["kind"] == "admitted" and event["at"] > began)
    assert 0 < first["at"] - failed["at"] < 10
    assert flagged.is_on
    assert unleash.ADMIN not in back.output
    flagged.gateway.delay = 0.0
    again = rolling.run("", playbook="rollback")
    assert again.exit_code == 0, again.output
    assert flagged.stands(OLD, on=False), again.output


def test_a_slow_unleash_only_takes_longer(shop: Shop, flagged: FlaggedShop, rolling: Rolling) -> None:
    flagged.gateway.delay = SLOW
    ended = rolling.run(NEW)
    assert ended.exit_code == 0, ended.output
    assert flagged.stands(NEW, on=True)
    flagged.gateway.delay = SLOW
    back = rolling.run("", playbook="rollback")
    assert back.exit_code == 0, back.output
    assert flagged.stands(OLD, on=False), back.output


def test_a_database_that_is_lost_amid_the_hosts_leaves_the_flag_off(
    shop: Shop, flagged: FlaggedShop, rolling: Rolling
) -> None:
    run = rolling.start(NEW)
    await_in(run, lambda: len(shop.subjects("proven")) >= 3, "three hosts are proven")
    flagged.server.database.crash()
    try:
        ended = run.wait()
    finally:
        flagged.server.database.start()
    assert ended.exit_code != 0
    assert shop.all_on(NEW), ended.output
    assert f"{FLAG} (unleash {flagged.gateway.url}) could not be turned on: " in ended.last_line, ended.output
    assert f"Run: {COMMAND}" in ended.last_line
    shop.await_that(lambda: _answers(flagged), within=60)
    assert not flagged.is_on
    again = rolling.run(NEW)
    assert again.exit_code == 0, again.output
    assert flagged.stands(NEW, on=True), again.output


def test_a_database_that_is_lost_before_a_rollback_does_not_stop_it(
    shop: Shop, flagged: FlaggedShop, rolling: Rolling
) -> None:
    assert rolling.run(NEW).exit_code == 0
    flagged.server.database.crash()
    try:
        back = rolling.run("", playbook="rollback")
    finally:
        flagged.server.database.start()
    assert back.exit_code != 0, back.output
    assert shop.all_on(OLD), back.output
    assert back.said("The rollback goes on. Run: ansible 'localhost' -m steady.rollout.feature_flag"), back.output
    shop.await_that(lambda: _answers(flagged), within=60)
    words = back.output.partition(COMMAND)[2].partition("'")[0]
    assert json.loads(words)["state"] == "off"
    again = rolling.run("", playbook="rollback")
    assert again.exit_code == 0, again.output
    assert flagged.stands(OLD, on=False), again.output


def _answers(flagged: FlaggedShop) -> bool:
    try:
        flagged.server.of_flag("GET", FLAG)
    except OSError:
        return False
    return True
