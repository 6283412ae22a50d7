# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback drill: no request fails, and the report agrees with an observer of the balancers."""

from __future__ import annotations

import json
import re

from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background
from support.sightings import ACROSS

PASSED = re.compile(
    r"shop: the drill of 2\.0\.0 has passed: (\w+) failed on purpose and was rolled back in ([0-9.]+) s; it was out of "
    r"service for ([0-9.]+) s in all\. 5 other hosts stayed as they were\."
)
RESOLUTION = 1.0


def test_a_drill_reports_how_long_a_rollback_takes_and_no_request_fails(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background
) -> None:
    shop.lab.add_release("2.0.0")
    ended = rolling.run("2.0.0")
    assert ended.exit_code == 0, ended.output
    before = shop.starts()
    drilled = rolling.run("", playbook="drill")
    assert drilled.exit_code == 0, drilled.output
    assert PASSED.search(drilled.last_line), drilled.output
    (found,) = PASSED.findall(drilled.last_line)
    host, rollback, out = found[0], float(found[1]), float(found[2])
    assert shop.all_on("2.0.0"), shop.versions()
    after = shop.starts()
    assert [app for app in shop.apps if after[app] != before[app]] == [host], "one host is restarted, and no other"
    shop.await_all_in_rotation()
    seen = users.stop()
    assert seen["failed"] == 0, seen["failures"]

    failed = [event for event in shop.events() if (event["kind"], event["host"]) == ("failed", host)][-1]
    left, returned = last_absence(eyes.stop(), host)
    assert abs(out - (returned - left)) < RESOLUTION, (out, left, returned)
    assert abs(rollback - (returned - failed["at"])) < RESOLUTION, (rollback, failed["at"], returned)
    assert rolling.info()["bad"] == []

    again = rolling.run("", playbook="rollback")
    assert again.exit_code == 0, again.output
    assert shop.all_on("1.0.0"), "a rollback leaves the version that was rolled out, and not the drill"


def last_absence(looks: dict[str, object], app: str) -> tuple[float, float]:
    """From the first node that took it out the last time to the last one that had it in rotation again."""
    left: dict[str, float] = {}
    returned: dict[str, float] = {}
    for change in json.loads(json.dumps(looks["changes"])):
        if change["node"] != ACROSS and app in change["out"]:
            left[change["node"]] = change["at"]
        elif change["node"] != ACROSS and app in change["in"]:
            returned[change["node"]] = change["at"]
    return min(left.values()), max(returned.values())


def test_no_drill_on_a_fleet_that_is_not_at_rest(shop: Shop, rolling: Rolling) -> None:
    shop.lab.add_release("2.0.0")
    assert rolling.run("2.0.0", "--limit", "app1").exit_code == 0
    refused = rolling.run("", playbook="drill")
    assert refused.exit_code != 0
    assert refused.said(
        "shop: a drill needs a fleet of which every host is healthy on one version, found 1.0.0, 2.0.0 on 6 hosts, of which 6 "
        "are healthy. Roll out one version first. Nothing was touched."
    ), refused.output


def test_a_drill_was_refused_where_its_host_was_chosen_with_limit(
    shop: Shop, rolling: Rolling, users: Background
) -> None:
    """Only that host was asked whether it is healthy, and so the others counted as unhealthy."""
    drilled = rolling.run("", "--limit", "app4", playbook="drill")
    assert drilled.exit_code == 0, drilled.output
    assert drilled.said("shop: the drill of 1.0.0 has passed: app4 failed on purpose"), drilled.output
    assert shop.all_on("1.0.0"), shop.versions()
    seen = users.stop()
    assert seen["failed"] == 0, seen["failures"]
