# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A feature flag goes with a rollout: off before the first host, on after the last, and off before any host goes back."""

from __future__ import annotations

import json
import pathlib
import shutil
import typing as t

import pytest
from fleet.world.adhoc import call
from fleet.world.flags import FLAG, PASSWORD, Flags, Onlooker
from fleet.world.moments import Moment, spread
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop

EVENTS = 24
MOMENTS = 10
SEED = 13
IN_EVERY_RUN = 5


@pytest.fixture
def flags(tmp_path: pathlib.Path) -> t.Iterator[Flags]:
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server on this machine; install the package redis-server")
    with Flags(tmp_path) as flags:
        yield flags


def test_no_host_serves_a_feature_that_it_cannot(shop: Shop, rolling: Rolling, flags: Flags) -> None:
    shop.lab.add_release("2.0.0")
    flags.turn("on")
    refused = rolling.run("2.0.0", **flags.settings())
    assert refused.exit_code != 0
    assert refused.said(f"{FLAG} (redis {flags.socket}) is on, and only part of the fleet could serve it"), (
        refused.output
    )
    assert (shop.all_on("1.0.0"), flags.is_on) == (True, True)
    flags.turn("off")
    with Onlooker(flags, shop) as onlooker:
        ended = rolling.run("2.0.0", **flags.settings())
        assert ended.exit_code == 0, ended.output
        assert (shop.all_on("2.0.0"), flags.is_on) == (True, True)
        again = rolling.run("2.0.0", **flags.settings())
        assert (again.exit_code, flags.is_on) == (0, True), again.output
        back = rolling.run("", playbook="rollback", **flags.settings())
        assert back.exit_code == 0, back.output
        assert (shop.all_on("1.0.0"), flags.is_on) == (True, False)
    assert (onlooker.wrong, onlooker.looks > 10) == ([], True)
    assert PASSWORD not in f"{refused.output}{ended.output}{back.output}{json.dumps(shop.events())}"


def moments() -> list[t.Any]:
    """One of them is for every run."""
    return [
        pytest.param(one, id=str(one), marks=() if number == IN_EVERY_RUN else (pytest.mark.long,))
        for number, one in enumerate(spread(EVENTS, MOMENTS, 3.0, SEED))
    ]


@pytest.mark.parametrize("moment", moments())
def test_flag_and_hosts_agree_after_a_kill_and_one_more_run(
    shop: Shop, rolling: Rolling, flags: Flags, moment: Moment
) -> None:
    shop.lab.add_release("2.0.0")
    with Onlooker(flags, shop) as onlooker:
        run = rolling.start("2.0.0", **flags.settings())
        moment.await_in(run, shop)
        run.kill(group=True)
        ended = rolling.run("2.0.0", **flags.settings())
    assert ended.exit_code == 0, ended.output
    assert (shop.all_on("2.0.0"), flags.is_on) == (True, True), ended.output
    assert onlooker.wrong == []


@pytest.mark.long
def test_a_rollback_goes_on_while_the_flags_are_down(shop: Shop, rolling: Rolling, flags: Flags) -> None:
    shop.lab.add_release("2.0.0")
    assert rolling.run("2.0.0", **flags.settings()).exit_code == 0
    flags.stop()
    back = rolling.run("", playbook="rollback", **flags.settings())
    assert back.exit_code != 0, back.output
    assert shop.all_on("1.0.0"), back.output
    assert back.said(f"flag {FLAG} could not be turned off"), back.output
    assert f"{FLAG} (redis {flags.socket}) may still be on: " in back.last_line, back.output
    assert back.said("The rollback goes on. Run: ansible 'localhost' -m steady.rollout.feature_flag"), back.output
    shop.lab.add_release("3.0.0")
    stopped = rolling.run("3.0.0", **flags.settings())
    assert stopped.exit_code != 0
    assert stopped.said(f"redis at {flags.socket}"), stopped.output
    assert shop.all_on("1.0.0")


STEPS = [{"percent": 1, "bake": 2}, {"percent": 100}]


@pytest.mark.long
@pytest.mark.parametrize("is_killed", [False, True], ids=["at once", "after SIGKILL"])
def test_the_steps_of_a_flag_are_begun_by_the_rollout_and_go_on_in_the_flag_playbook(
    shop: Shop, rolling: Rolling, flags: Flags, is_killed: bool
) -> None:
    shop.lab.add_release("2.0.0")
    settings = {**flags.settings(at_end="steps"), "rollout_flag_steps": STEPS, "rollout_metric_gate": False}
    with Onlooker(flags, shop) as onlooker:
        if is_killed:
            run = rolling.start("2.0.0", **settings)
            shop.await_that(lambda: len(shop.subjects("proven")) == len(shop.apps), within=90)
            run.kill(group=True)
        ended = rolling.run("2.0.0", **settings)
        assert ended.exit_code == 0, ended.output
        assert (shop.all_on("2.0.0"), flags.is_on, flags.percent) == (True, True, "1"), ended.output
        assert ended.said(
            f"to continue with its steps, run: ansible-playbook steady.rollout.flag -e rollout_flag={FLAG}"
        )
        released = rolling.run("", playbook="flag", **settings)
        assert released.exit_code == 0, released.output
        assert (flags.is_on, flags.percent) == (True, "100"), released.output
    assert onlooker.wrong == []


def test_a_kill_holds_the_rollout_and_stands_to_its_end(shop: Shop, rolling: Rolling, flags: Flags) -> None:
    shop.lab.add_release("2.0.0")
    run = rolling.start("2.0.0", **flags.settings())
    shop.await_that(lambda: bool(shop.subjects("proven")), within=60)
    options = {"name": FLAG, "system": flags.system, "state": "killed", "reason": "orders twice"}
    killed = call(shop.lab, "localhost", "feature_flag", {**options, "service": "shop", "ledger": str(shop.ledger)})
    assert killed.result["msg"].startswith(f"{FLAG} is killed (orders twice): sent after "), killed
    assert "is paused" in killed.result["held"], killed
    call(shop.lab, "localhost", "rollout_control", {"state": "resumed", "service": "shop", "ledger": str(shop.ledger)})
    ended = run.wait()
    assert ended.exit_code == 0, ended.output
    assert ended.said(f"flag {FLAG} stays as it is: it was killed during this rollout: orders twice"), ended.output
    assert (shop.all_on("2.0.0"), flags.is_on) == (True, False)
