# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tiers.yml on three services of local processes, each behind an HAProxy of its own, under traffic.

No request fails, no service is ever newer than one that it needs, and whatever happens, one more run ends with all
services new or all as they were.
"""

from __future__ import annotations

import os
import pathlib
import random
import re
import typing as t

import pytest
from support import background
from support.tiers_site import NEEDS, Ended, TiersSite, local_fleet

MIX = {"rate": 40, "keepalive": 3, "close": 2, "slow": 1, "slow_seconds": 1, "uploads": 0}
LONG = os.environ.get("STEADY_LONG") == "1"
EVENTS = 66
"""What an undisturbed release of three services with two hosts each writes, about."""
SEED = 12_000
MOMENTS = sorted(random.Random(SEED).sample(range(2, EVENTS), 10))
SAMPLE = MOMENTS[len(MOMENTS) // 2]
PASSED = re.compile(
    r"The drill of db 1\.0\.0, api 1\.0\.0, web 1\.0\.0 has passed: web-app1 failed on purpose, and web, api, db were rolled back "
    r"in this order, one host each, within [0-9.]+ s\. A release that never becomes healthy is noticed later, by "
    r"rollout_healthy_deadline\."
)


class Judged:
    """A site with users at every service and somebody who looks at every instance."""

    def __init__(self, site: TiersSite, users: background.Background, eyes: background.Background) -> None:
        self.site, self.users, self.eyes = site, users, eyes

    def nobody_noticed(self) -> None:
        seen = self.users.stop()
        assert seen["requests"] > 0
        assert (seen["failed"], seen["failures"]) == (0, [])
        order = self.eyes.stop()
        assert order["looks"] > 10
        assert order["wrong"] == []

    def all_on(self, version: str, ended: Ended) -> None:
        assert self.site.versions() == {name: {version} for name in self.site.fleets}, ended.output


@pytest.fixture
def judged(tmp_path: pathlib.Path) -> t.Iterator[Judged]:
    if local_fleet.haproxy_node.binary() is None:
        pytest.skip("HAProxy is not installed")
    with TiersSite(tmp_path) as site:
        site.add_release("2.0.0")
        watching = background.order_observer(site.instances(), NEEDS, tmp_path / "order.json")
        with background.traffic(site.urls(), tmp_path / "traffic.json", **MIX) as users, watching as eyes:
            yield Judged(site, users, eyes)


def test_three_services_forward_and_a_second_run_changes_nothing(judged: Judged) -> None:
    shown = judged.site.run("--check")
    assert shown.exit_code == 0, shown.output
    judged.all_on("1.0.0", shown)
    assert judged.site.events() == []
    ended = judged.site.run()
    assert ended.exit_code == 0, ended.output
    assert ended.last_line == "all 3 services are released: db 2.0.0, api 2.0.0, web 2.0.0."
    judged.all_on("2.0.0", ended)
    again = judged.site.run()
    assert again.exit_code == 0, again.output
    assert again.last_line == ("all 3 services are released (3 skipped): db 2.0.0, api 2.0.0, web 2.0.0.")
    judged.nobody_noticed()


def test_a_failure_in_the_second_service_takes_everything_back_in_reverse_order(judged: Judged) -> None:
    judged.site.add_release("3.0.0", bad="api")
    ended = judged.site.run(release="3.0.0")
    assert ended.exit_code != 0, ended.output
    judged.all_on("1.0.0", ended)
    assert [service for service, kind in judged.site.events() if kind == "concluded"] == ["db", "api", "db"]
    assert ended.last_line.startswith("The release of db, api, web was rolled back: api: 3.0.0 rolled back: "), (
        ended.output
    )
    assert ended.last_line.endswith("2 services are back on the previous version: api, db."), ended.output
    judged.nobody_noticed()


@pytest.mark.skipif(not LONG, reason="of the long series: make test-long")
def test_a_finished_release_is_rolled_back_in_reverse_order(judged: Judged) -> None:
    assert judged.site.run().exit_code == 0
    ended = judged.site.run(rollout_resume="revert")
    assert ended.exit_code == 0, ended.output
    judged.all_on("1.0.0", ended)
    assert [service for service, kind in judged.site.events() if kind == "concluded"][3:] == ["web", "api", "db"]
    judged.nobody_noticed()


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(
            moment,
            marks=() if moment == SAMPLE else pytest.mark.skipif(not LONG, reason="of the long series: make test-long"),
        )
        for moment in MOMENTS
    ],
)
def test_after_a_kill_the_same_command_finishes_the_release(judged: Judged, moment: int) -> None:
    run = judged.site.start()
    if judged.site.await_events(moment, run):
        judged.site.kill(run)
    back = moment % 2 == 1 and moment != SAMPLE
    ended = judged.site.run(**({"rollout_resume": "revert"} if back else {}))
    assert ended.exit_code == 0, ended.output
    judged.all_on("1.0.0" if back else "2.0.0", ended)
    judged.nobody_noticed()


@pytest.mark.skipif(not LONG, reason="of the long series: make test-long")
@pytest.mark.parametrize("moment", MOMENTS[::2])
def test_after_a_kill_of_a_release_that_fails_everything_is_as_it_was(judged: Judged, moment: int) -> None:
    judged.site.add_release("3.0.0", bad="api")
    run = judged.site.start(release="3.0.0")
    if judged.site.await_events(moment, run):
        judged.site.kill(run)
    ended = judged.site.run(release="3.0.0")
    assert ended.exit_code != 0, ended.output
    judged.all_on("1.0.0", ended)
    judged.nobody_noticed()


def test_of_two_runs_at_once_one_is_refused_and_touches_nothing(judged: Judged) -> None:
    first = judged.site.start()
    assert judged.site.await_events(4, first)
    second = judged.site.run(release="1.0.0")
    assert second.exit_code != 0, second.output
    assert "a release of db, api, web is being run by" in second.output or "a rollout of 2.0.0" in second.output
    alone = judged.site.run(playbook="rolling", rollout_fleet="web", rollout_version="1.0.0")
    assert alone.exit_code != 0, alone.output
    assert "is being run by" in alone.output
    ended = judged.site.ended(first, 1)
    assert ended.exit_code == 0, ended.output
    judged.all_on("2.0.0", ended)
    judged.nobody_noticed()


@pytest.mark.parametrize(
    "bad", ["", pytest.param("web", marks=pytest.mark.skipif(not LONG, reason="of the long series"))]
)
def test_services_on_the_same_hosts_are_drained_once_and_changed_together(judged: Judged, bad: str) -> None:
    """One host is in the pools of two balancers; it is drained at both, and comes back when both services are proven."""
    judged.site.share_hosts()
    if bad:
        judged.site.add_release("3.0.0", bad=bad)
    ended = judged.site.run(release="3.0.0" if bad else "2.0.0")
    assert (ended.exit_code == 0) is not bool(bad), ended.output
    judged.all_on("1.0.0" if bad else "2.0.0", ended)
    admitted = [service for service, kind in judged.site.events() if kind == "admitted"]
    assert admitted.count("both") == (1 if bad else 2), ended.output
    seen = judged.users.stop()
    assert (seen["failed"], seen["failures"]) == (0, [])


@pytest.mark.skipif(not LONG, reason="of the long series: make test-long")
def test_services_on_the_same_hosts_have_versions_of_their_own(judged: Judged) -> None:
    """The second one's is the revision: a change of either drains a host once, and both are rolled back together."""
    judged.site.share_hosts(own_versions=True)
    judged.site.add_release("1.5.0")
    judged.site.add_release("3.0.0", bad="web")
    first = judged.site.run(release="1.0.0", web_release="1.0.0")
    assert first.exit_code == 0, first.output
    ended = judged.site.run(release="2.0.0", web_release="1.5.0")
    assert ended.exit_code == 0, ended.output
    assert ended.last_line == "all 2 services are released: db 2.0.0, both 2.0.0 revision 1.5.0."
    versions = {"db": {"2.0.0"}, "api": {"2.0.0"}, "web": {"1.5.0"}}
    assert judged.site.versions() == versions, ended.output
    admitted = [service for service, kind in judged.site.events() if kind == "admitted"]
    assert admitted.count("both") == 4, "each of two hosts once in each run"
    failed = judged.site.run(release="2.0.0", web_release="3.0.0")
    assert failed.exit_code != 0, failed.output
    assert judged.site.versions() == versions, failed.output
    seen = judged.users.stop()
    assert (seen["failed"], seen["failures"]) == (0, [])


def test_a_mistake_is_refused_before_anything_is_touched_also_in_check_mode(judged: Judged) -> None:
    for words in ((), ("--check",)):
        ended = judged.site.run(*words, rollout_version="2.0.0")
        assert ended.exit_code == 2, ended.output
        assert ended.last_line == (
            "rollout_version is set with -e, which would apply to every service: remove it, and set the version of each service in "
            "rollout_tiers. Nothing was touched."
        )
    assert judged.site.events() == []


def test_a_drill_rolls_one_host_of_each_service_back_in_reverse_order(judged: Judged) -> None:
    ended = judged.site.run(playbook="drill_tiers")
    assert ended.exit_code == 0, ended.output
    assert PASSED.fullmatch(ended.last_line), ended.output
    judged.all_on("1.0.0", ended)
    events = judged.site.events()
    assert [service for service, kind in events if kind == "concluded"] == ["db", "api", "web", "api", "db"]
    assert [service for service, kind in events if kind == "admitted"] == ["db", "api", "web", "api", "db"], (
        "one host each"
    )
    judged.nobody_noticed()


def test_after_a_kill_the_same_command_finishes_the_drill_and_a_release_goes_on_from_there(judged: Judged) -> None:
    run = judged.site.start(playbook="drill_tiers")
    assert judged.site.await_that(lambda events: ("api", "changing") in events, run)
    judged.site.kill(run)
    ended = judged.site.run(playbook="drill_tiers")
    assert ended.exit_code == 0, ended.output
    assert PASSED.fullmatch(ended.last_line), ended.output
    judged.all_on("1.0.0", ended)
    released = judged.site.run()
    assert released.exit_code == 0, released.output
    judged.all_on("2.0.0", released)
    judged.nobody_noticed()


@pytest.mark.skipif(not LONG, reason="of the long series: make test-long")
def test_the_hosts_of_a_drill_and_the_service_that_fails_are_chosen(judged: Judged) -> None:
    ended = judged.site.run("--limit", "db-app2,api-app2,web-app1", playbook="drill_tiers", rollout_drill_service="api")
    assert ended.exit_code == 0, ended.output
    assert "has passed: api-app2 failed on purpose, and api, db were rolled back in this order" in ended.last_line
    judged.all_on("1.0.0", ended)
    judged.nobody_noticed()


@pytest.mark.skipif(not LONG, reason="of the long series: make test-long")
def test_no_drill_where_a_release_is_not_finished(judged: Judged) -> None:
    judged.site.add_release("3.0.0", bad="api")
    assert judged.site.run(release="3.0.0", rollout_on_failure="hold").exit_code != 0
    refused = judged.site.run(playbook="drill_tiers")
    assert refused.exit_code == 2, refused.output
    assert refused.last_line == (
        "api: the rollout of 3.0.0 is not finished (failed), and a drill would replace it. Finish it or roll it back first. Nothing "
        "was touched."
    )
    assert judged.site.run(rollout_resume="revert").exit_code == 0
    judged.nobody_noticed()
