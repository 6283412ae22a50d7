# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users see no failure while a fleet gets another configuration, is restarted, or is patched and rebooted."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from fleet.world.packages import BUILD, INSTALLED, VERSION
from fleet.world.rolling import Ended, Rolling
from fleet.world.shop import Shop
from support.background import Background

CONFIGURATION = "/opt/shop/current/behaviour.json"
"""The shop reads it when it starts."""


def on_every_app(shop: Shop, script: str, *words: str) -> dict[str, str]:
    return {app: shop.lab.run(app, ["sh", "-c", script, "sh", *words]).stdout.strip() for app in shop.apps}


def boots(shop: Shop) -> dict[str, str]:
    return on_every_app(shop, "cat /proc/sys/kernel/random/boot_id")


def template(shop: Shop, content: dict[str, t.Any]) -> list[dict[str, str]]:
    path = pathlib.Path(shop.lab.places.directory) / "behaviour.json.j2"
    path.write_text(json.dumps({**content, "errors_on": "/of/{{ inventory_hostname }}"}) + "\n", encoding="utf-8")
    return [{"src": str(path), "dest": CONFIGURATION}]


def succeeded(ended: Ended, last_line: str) -> None:
    assert (ended.exit_code, ended.last_line) == (0, last_line), ended.output


def plan_says(ended: Ended, text: str) -> None:
    assert ended.exit_code == 0, ended.output
    assert ended.said(text), ended.output


@pytest.mark.long
def test_a_changed_configuration_reaches_every_host_and_a_bad_one_is_rolled_back(
    shop: Shop, rolling: Rolling, users: Background
) -> None:
    def reconfigure(content: dict[str, t.Any], *words: str) -> Ended:
        return rolling.run("1.0.0", *words, playbook="reconfigure", rollout_templates=template(shop, content))

    shown = reconfigure({"healthy_for": 0}, "--check", "--diff")
    plan_says(shown, '+{"healthy_for": 0, "errors_on": "/of/app3"}')
    assert shop.having(CONFIGURATION) == set()
    first = reconfigure({"healthy_for": 0})
    assert first.exit_code == 0, first.output
    assert first.said("shop: all 6 hosts are in service on 1.0.0 revision "), first.output
    assert '"/of/app3"' in shop.read("app3", CONFIGURATION)
    again = reconfigure({"healthy_for": 0})
    plan_says(again, "shop: nothing to do for 1.0.0 revision ")
    before = shop.starts()
    bad = reconfigure({"health": "broken"})
    assert bad.exit_code == 2, bad.output
    assert bad.said("is marked bad"), bad.output
    assert len([app for app, started in shop.starts().items() if started != before[app]]) <= 2
    assert set(on_every_app(shop, f"grep -c healthy_for {CONFIGURATION}").values()) == {"1"}
    shop.await_all_in_rotation()
    assert users.stop()["failed"] == 0


@pytest.mark.long
def test_a_rollback_takes_a_configuration_back_to_the_one_before_it(
    shop: Shop, rolling: Rolling, users: Background
) -> None:
    for content in ({"healthy_for": 0}, {"healthy_for": 0, "errors": 0}):
        wanted = template(shop, content)
        ended = rolling.run("1.0.0", playbook="reconfigure", rollout_templates=wanted)
        assert ended.exit_code == 0, ended.output
    assert set(on_every_app(shop, f"grep -c errors.: {CONFIGURATION}").values()) == {"1"}
    ended = rolling.run("", playbook="rollback", rollout_templates=wanted)
    assert ended.exit_code == 0, ended.output
    assert set(on_every_app(shop, f"grep -c errors.: {CONFIGURATION} || true").values()) == {"0"}
    assert set(on_every_app(shop, f"grep -c healthy_for {CONFIGURATION}").values()) == {"1"}
    assert users.stop()["failed"] == 0


def test_a_rolling_restart_restarts_every_host_once(shop: Shop, rolling: Rolling, users: Background) -> None:
    before = shop.starts()
    ended = rolling.run("", playbook="restart", rollout_restart="november")
    succeeded(ended, "shop: restart november done; all 6 hosts are in service on 1.0.0.")
    after = shop.starts()
    assert all(after[app] != before[app] for app in shop.apps)
    again = rolling.run("", playbook="restart", rollout_restart="november")
    plan_says(again, "shop: nothing to do for restart november, 6 hosts are done already")
    assert shop.starts() == after
    assert users.stop()["failed"] == 0


@pytest.mark.long
def test_every_host_is_patched_and_rebooted_once(shop: Shop, rolling: Rolling, users: Background) -> None:
    on_every_app(shop, BUILD, "1.0", "quiet")
    on_every_app(shop, INSTALLED)
    on_every_app(shop, BUILD, "2.0", "reboot")
    before = boots(shop)
    ended = rolling.run("", playbook="patch")
    succeeded(ended, "shop: patch done; all 6 hosts are in service on 1.0.0.")
    after = boots(shop)
    assert all(after[app] != before[app] for app in shop.apps)
    assert set(on_every_app(shop, VERSION).values()) == {"2.0"}
    again = rolling.run("", playbook="patch")
    plan_says(again, "shop: nothing to do for patch, 6 hosts are done already")
    assert boots(shop) == after
    assert users.stop()["failed"] == 0
