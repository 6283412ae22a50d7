# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a recreate, of its way back, and what is done where a step fails."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.recreate import recreate
from ansible_collections.steady.rollout.plugins.plugin_utils.recreate.downtime import Downtime
from ansible_collections.steady.rollout.plugins.plugin_utils.recreate.steps import RecreateSteps
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import Journal, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HostSettings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Invocation, Outcome

Result = t.Dict[str, t.Any]
HOST: Result = {
    "rollout_member": "m",
    "rollout_unit": "shop.service",
    "rollout_stop_command": "",
    "rollout_start_command": "",
    "rollout_step_timeout": 60,
    "rollout_release_path": "/opt/shop",
    "rollout_shared_paths": [],
    "rollout_keep_releases": 5,
    "rollout_health": {"url": "http://h/"},
    "rollout_smoke_url": "",
    "rollout_smoke_tests": [],
}
COMMON: Result = {
    "rollout_balancers": [{"host": "lb1", "pool": "shop"}, {"host": "lb2", "pool": "shop"}],
    "rollout_migrations": {"database_url": "postgresql://db/shop"},
    "rollout_backup": {"directory": "/b", "keep": 3},
    "rollout_page": {"body": "soon"},
    "rollout_recreate_restore": "backup",
    "rollout_recreate_limit": "1h",
    "rollout_drain_timeout": 30,
    "rollout_drain_on_timeout": "fail",
    "rollout_restore_timeout": 30,
    "rollout_health_from": "controller",
    "rollout_health_successes": 1,
    "rollout_health_interval": 1,
    "rollout_min_healthy_time": 0,
    "rollout_healthy_deadline": 10,
    "rollout_smoke_tests": [],
}
FORWARD = [
    "database_backup checked", "lb_page present", "lb_member drained", "service_stop", "database_backup present",
    "release 2.0.0", "health_wait", "lb_member in_service", "lb_page absent",
]  # fmt: skip
BACK = [
    "lb_page present",
    "lb_member drained",
    "service_stop",
    "release 1.0.0",
    "health_wait",
    "lb_member in_service",
    "lb_page absent",
]


class World:
    """Ledger, hosts and balancers, which note what they are asked. *fails* gets each call's word and host."""

    def __init__(
        self,
        fails: t.Callable[[str, str], str] = lambda word, host: "",
        status: str = "open",
        step: str = "begun",
        **facts: t.Any,
    ) -> None:
        self.fails, self.status, self.step, self.facts = fails, status, step, facts
        self.asked: list[str] = []
        self.notes: list[str] = []
        self.ended: list[tuple[str, Result]] = []
        self.lets_in = False

    # The ledger

    def begin(self) -> Result:
        hosts = ("app1", "app2")
        return {
            "facts": dict(self.facts), "status": self.status, "step": self.step, "estimate": None,
            "targets": dict.fromkeys(hosts, "2.0.0"), "previous": dict.fromkeys(hosts, "1.0.0"),
        }  # fmt: skip

    def note(self, step: str, facts: t.Mapping[str, t.Any], **options: t.Any) -> Result:
        self.notes.append(step)
        self.lets_in = step == "page off"
        return {}

    def done(self, **options: t.Any) -> Result:
        return self._ended("done", options)

    def failed(self, **options: t.Any) -> Result:
        return {**self._ended("failed", options), "go_back": not self.lets_in}

    def restored(self, **options: t.Any) -> Result:
        return self._ended("restored", options)

    def stuck(self, **options: t.Any) -> Result:
        return self._ended("stuck", options)

    def _ended(self, word: str, options: Result) -> Result:
        self.ended.append((word, options))
        return {}

    # Hosts and balancers

    def together(self, calls: t.Sequence[Invocation]) -> list[Outcome]:
        return [self._outcome(one) for one in calls]

    def _outcome(self, one: Invocation) -> Outcome:
        given = one.arguments
        word = " ".join(
            [one.module, *([str(given.get("version") or given.get("state"))] if given.get("state") else [])]
        )
        if word not in self.asked[-1:]:
            self.asked.append(word)
        error = self.fails(word, one.host)
        lost = Unreachable(one.host, error) if error == "lost" else None
        result = {"failed": bool(error), "msg": error, "path": "/b/1", "size": 1, "checksum": "c"}
        return Outcome(one, result, lost, 0.1)

    def steps(self) -> RecreateSteps:
        settings = {
            name: HostSettings(HOST, lambda raw, overlay: dict(raw)) for name in ("app1", "app2")
        }  # fmt: skip
        world: t.Any = self
        return RecreateSteps(
            settings, COMMON, world, world, Journal([]), {"token": 7}, None, lambda phase: world, Downtime(None), lambda line: None,
        )  # fmt: skip


def run(world: World) -> list[str]:
    recreate.recreate(world.steps())
    return [word for word, dummy in world.ended]


def failing(at: str, error: str = "it broke", times: int = 1) -> t.Callable[[str, str], str]:
    left = [times]

    def fails(word: str, host: str) -> str:
        if word == at and left[0] and host in ("app1", "lb1", "localhost"):
            left[0] -= 1
            return error
        return ""

    return fails


def test_forward() -> None:
    world = World()
    assert run(world) == ["done"]
    assert world.asked == FORWARD
    assert world.notes == [
        "page on", "drain", "stop", "backup", "backup", "update", "health", "serve", "page off",
    ]  # fmt: skip


def test_where_no_backup_fits_nothing_is_touched() -> None:
    world = World(failing("database_backup checked", "no room"))
    with pytest.raises(StepFailed, match="no room"):
        run(world)
    assert (world.notes, world.ended) == ([], [])


@pytest.mark.parametrize("at", FORWARD[3:8])
def test_whatever_fails_the_old_version_is_back_before_the_page_goes(at: str) -> None:
    world = World(failing(at))
    assert run(world) == ["failed", "restored"]
    assert world.asked == [*FORWARD[: FORWARD.index(at) + 1], *BACK]


def test_hosts_that_were_drained_only_are_put_back_in_service_as_they_are() -> None:
    world = World(failing("lb_member drained"))
    assert run(world) == ["failed", "restored"]
    assert world.asked == [*FORWARD[:3], *BACK[-3:]]


@pytest.mark.parametrize("step", ["drain", "update"])
def test_where_an_earlier_run_may_have_stopped_hosts_a_failure_brings_them_all_up(step: str) -> None:
    world = World(failing("lb_member drained"), step=step)
    assert run(world) == ["failed", "restored"]
    assert world.asked == [*FORWARD[:3], *BACK]


def test_a_page_that_cannot_be_shown_is_removed_and_no_host_is_touched() -> None:
    world = World(failing("lb_page present"))
    assert run(world) == ["failed", "restored"]
    assert world.asked == [*FORWARD[:2], "lb_page absent"]


def test_a_way_back_that_fails_leaves_the_page_up() -> None:
    world = World(failing("health_wait", times=2))
    assert run(world) == ["failed", "stuck"]
    assert world.asked[-1] == "health_wait"
    assert world.ended[-1][1]["error"] == (
        "it broke; the maintenance page is still up. Fix this, then run recreate.yml again with -e rollout_resume=revert"
    )


def test_once_users_were_let_in_nothing_is_rolled_back() -> None:
    world = World(failing("lb_page absent"))
    assert run(world) == ["failed"]
    assert world.asked == FORWARD


def test_a_balancer_that_is_lost_is_left_alone_on_the_way_back() -> None:
    since = []

    def fails(word: str, host: str) -> str:
        since.append(word)
        return "lost" if host == "lb2" and "lb_member drained" in since else ""

    world = World(fails)
    assert run(world) == ["failed", "restored"]


def test_a_balancer_whose_host_lives_and_that_is_down_is_left_alone_as_well() -> None:
    """The way back ended there, with the page up on the balancer that was well."""
    since = []

    def fails(word: str, host: str) -> str:
        since.append(word)
        return "connection refused" if host == "lb2" and "lb_member drained" in since else ""

    assert run(World(fails)) == ["failed", "restored"]


def test_where_the_old_version_serves_again_a_later_run_stops_nothing() -> None:
    world = World(status="reverting", step="restored")
    assert run(world) == ["restored"]
    assert world.asked == ["health_wait", "lb_member in_service", "lb_page absent"]


def test_a_run_that_was_rolling_back_goes_on_so() -> None:
    world = World(status="reverting")
    assert run(world) == ["restored"]
    assert world.asked == BACK


def test_the_backup_of_a_killed_run_is_kept() -> None:
    world = World(backup={"path": "/b/0"})
    assert run(world) == ["done"]
    assert [word for word in world.asked if word.startswith("database_backup")] == []


def test_downtime_is_from_the_first_request_that_failed_to_the_first_that_did_not() -> None:
    clock = [0.0]
    served = [True]
    downtime = Downtime(lambda: served[0], lambda: clock[0])
    for moment, is_served in ((1.0, True), (2.0, False), (3.0, False), (5.5, True), (9.0, True)):
        clock[0], served[0] = moment, is_served
        downtime.look()
    downtime._thread = None
    assert (downtime._first, downtime._last) == (2.0, 5.5)
