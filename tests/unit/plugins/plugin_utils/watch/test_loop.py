# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch by a clock of its own: what it reads, reports, shows, and when it ends."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.watch.loop import (
    DEAD_FOR,
    IDLE_FOR,
    INTERVAL,
    SHOW_EVERY,
    UNREACHABLE,
    Run,
    Watch,
    observed_health,
    progress,
)

ANSWER: dict[str, t.Any] = {
    "holds_lease": True, "holder": None, "reason": "", "messages": [], "observe": {"app1": "2.0.0"},
    "in_flight": [{"host": "app2", "step": "health", "seconds": 4.2}], "waiting": 3, "done": 1, "total": 6,
    "if_interrupted": ["app2: drained on lb1"], "now": 1000.0,
}  # fmt: skip


class Late:
    """Work that is over at a time of the world's clock."""

    def __init__(self, world: World, work: t.Callable[[], t.Any], seconds: float) -> None:
        self._world = world
        self._work = work
        self._over_at = world.clock + seconds

    def is_over(self) -> bool:
        return self._world.clock >= self._over_at

    def result(self) -> t.Any:
        return self._work()


class World:
    """A run that lasts *lasts* seconds; *answers* come in turn, the last one for ever.

    *takes* are the seconds that every reading and every report takes, *worker_dies_at* when that of app2 does.
    """

    def __init__(
        self,
        *answers: dict[str, t.Any] | None,
        lasts: float = 10.0,
        suspended: bool = False,
        takes: tuple[float, float] = (0.0, 0.0),
        worker_dies_at: float = math.inf,
        last_worker_dies_at: float = math.inf,
        interrupted_at: float = math.inf,
        crashes_at: float = math.inf,
        beat_takes: float = 0.0,
    ) -> None:
        self.beaten_at: list[float] = []
        self._beat_takes = beat_takes
        self._crashes_at = crashes_at
        self.kept: list[tuple[float, list[str]]] = []
        self.clock = 0.0
        self.reports: list[tuple[t.Any, ...]] = []
        self.probed: list[dict[str, str]] = []
        self.shown: list[str] = []
        self.shown_at: list[float] = []
        self.lost: list[str] = []
        self.renewed = 0
        self.ended_at = math.inf
        self._answers = list(answers) or [ANSWER]
        self._takes = takes
        self._begun = 0
        Watch(
            run=Run(
                is_there=lambda: self.clock < min(lasts, self.ended_at),
                is_suspended=lambda: suspended,
                lost_hosts=lambda: ["app2"] if self.clock >= worker_dies_at else [],
                has_workers=lambda: self.clock < last_worker_dies_at,
                end=self._end,
            ),
            read_balancers=lambda: [
                {"host": "lb1", "members": {"m1": {"operational": "up", "went_down": self._crashes()}}}
            ],
            members={"app1": "m1"},
            probe=self._probe,
            report=self._report,
            show=self._show,
            keep=lambda lines: self.kept.append((round(self.clock, 1), list(lines))),
            is_asked=lambda: self.clock >= interrupted_at and not any(at >= interrupted_at for at, dummy in self.kept),
            renew=self._renew,
            lose=self.lost.append,
            beat=lambda: self.beaten_at.append(round(self.clock)),
            begin=self._begin,
            now=lambda: self.clock,
            sleep=self._sleep,
        ).until_the_run_is_over()

    @property
    def observations(self) -> list[tuple[t.Any, ...]]:
        """The reports that say more than that the run is alive."""
        return [report for report in self.reports if report[0] is not None]

    def _begin(self, work: t.Callable[[], t.Any]) -> Late:
        if "beaten_at" in work.__code__.co_names:
            work()
            return Late(self, lambda: None, self._beat_takes)
        is_report = "report" in work.__code__.co_names
        return Late(self, work, self._takes[is_report])

    def _probe(self, wanted: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
        self.probed.append(dict(wanted))
        return [{"name": name, "healthy": True} for name in wanted]

    def _report(self, *seen: t.Any) -> dict[str, t.Any] | None:
        self.reports.append(seen)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def _show(self, line: str) -> None:
        self.shown.append(line)
        self.shown_at.append(self.clock)

    def _crashes(self) -> int:
        return 1 if self.clock >= self._crashes_at else 0

    def _renew(self) -> None:
        self.renewed += 1

    def _end(self) -> None:
        self.ended_at = self.clock

    def _sleep(self, seconds: float) -> None:
        self.clock += seconds


def test_it_reports_every_two_seconds_for_as_long_as_the_run_lives() -> None:
    assert len(World(lasts=10.0).observations) == 5


def test_an_interruption_is_answered_at_once_and_once() -> None:
    kept = World(lasts=6.0, interrupted_at=3.1).kept
    assert [lines for at, lines in kept if 3.1 <= at < 3.5] == [["app2: drained on lb1"]]
    assert len(kept) == len(World(lasts=6.0).kept) + 1


def test_a_run_that_was_killed_before_the_first_observation_kept_its_lease_for_the_limits_of_its_hosts() -> None:
    """It beats before it reads anything."""
    assert World(lasts=1.0, takes=(2.0, 0.0)).reports == [(None, [], None)]


def test_the_lease_counts_as_held_with_every_report_that_was_answered() -> None:
    world = World(lasts=6.0)
    assert world.renewed == len(world.reports)
    assert World(None, lasts=6.0).renewed == 0


def test_it_probes_what_the_ledger_names() -> None:
    world = World(lasts=3.9)
    assert world.probed == [{"app1": "2.0.0"}] * 2
    assert world.observations[0][1] == [{"name": "app1", "healthy": True}]


def test_when_it_was_read_is_said_by_the_coordinators_clock_however_long_reports_take() -> None:
    """Their time on the way was missing from an age: hosts proven meanwhile were judged by what was read before."""
    world = World(lasts=12.0, takes=(1.0, 3.0))
    assert [round(report[2]) for report in world.observations] == [1000, 1000]


def test_what_is_read_before_the_coordinator_has_said_what_time_it_is_is_old() -> None:
    assert World(None, lasts=3.0).observations[0][2] == 0.0


def test_a_crash_between_two_observations_is_reported_once_and_of_proven_hosts_only() -> None:
    world = World(lasts=12.0, crashes_at=5.0)
    assert [report[0][0]["members"]["m1"]["operational"] for report in world.observations].count("down") == 1
    nobody = {**ANSWER, "observe": {}}
    unproven = World(nobody, lasts=12.0, crashes_at=5.0)
    assert [report[0][0]["members"]["m1"]["operational"] for report in unproven.observations].count("down") == 0


def test_it_ends_with_the_lease_and_names_only_another_holder() -> None:
    ended = {**ANSWER, "holds_lease": False, "reason": "lease lost."}
    assert World(ANSWER, ANSWER, ended).shown == []
    taken = World(ANSWER, ANSWER, {**ended, "holder": {"run": "r2"}})
    assert (taken.shown, len(taken.reports), taken.lost) == (["lease lost."], 3, ["lease lost."])


def test_the_watch_of_one_service_of_several_ends_and_leaves_the_lease_mark_to_the_next_one() -> None:
    over = {**ANSWER, "holds_lease": False, "is_over": True, "holder": {"run": "r2"}, "reason": "lease lost."}
    world = World(ANSWER, over, lasts=60.0)
    assert (world.shown, len(world.reports), world.lost) == ([], 2, [])


def test_the_end_of_the_watch_wrote_into_a_directory_that_the_run_was_removing() -> None:
    """Warned of a directory that was not empty, as the last line. A run that goes on must know that it may not."""
    ended = {**ANSWER, "holds_lease": False, "reason": "lease lost."}
    assert World(ANSWER, ANSWER, ended, lasts=9.0).lost == []
    assert World(ANSWER, ANSWER, ended, lasts=60.0).lost == ["lease lost."]


def test_a_suspended_controller_kept_its_lease_for_ever() -> None:
    """A watch that went on beating would have kept everybody else out."""
    assert World(suspended=True).reports == []


def test_what_an_observation_has_changed_is_shown_at_once() -> None:
    assert World({**ANSWER, "messages": ["app1 failed (health: no)"]}, ANSWER).shown == ["app1 failed (health: no)"]


def test_it_shows_what_is_in_flight_every_fifteen_seconds() -> None:
    world = World(lasts=3 * SHOW_EVERY)
    assert world.shown == [
        "in progress: app2 health for 5 s; 1 of 6 hosts done",
        "in progress: app2 health for 4 s; 1 of 6 hosts done",
    ]


def test_a_coordinator_that_does_not_answer_is_no_silence_and_no_end() -> None:
    world = World(None, lasts=2 * SHOW_EVERY + 1)
    assert world.shown == [UNREACHABLE] * 2


def test_a_coordinator_that_was_lost_was_first_mentioned_after_twenty_seconds() -> None:
    """Each report waits for ssh; lines of progress do not."""
    world = World(ANSWER, None, lasts=60.0, takes=(0.0, 11.0))
    assert max(after - before for before, after in zip([0.0, *world.shown_at], world.shown_at)) <= SHOW_EVERY + 0.1
    assert world.shown[-1] == UNREACHABLE


def test_a_balancer_that_does_not_answer_kept_the_heartbeat_from_the_lease() -> None:
    world = World(lasts=40.0, takes=(30.0, 0.0))
    assert len(world.reports) >= 40.0 / (INTERVAL + 0.2) - 1
    assert len(world.observations) == 1
    assert world.observations[0][2] >= 30.0
    assert world.shown == [
        "in progress: app2 health for 5 s; 1 of 6 hosts done; no answer from load balancers or hosts for 15 s",
        "in progress: app2 health for 6 s; 1 of 6 hosts done; no answer from load balancers or hosts for 30 s",
    ]


def test_a_worker_that_was_killed_kept_the_run_waiting_for_ever() -> None:
    """Ansible does not notice it under host_pinned."""
    world = World(lasts=60.0, worker_dies_at=5.0)
    assert 4.0 + DEAD_FOR <= world.ended_at <= 5.0 + DEAD_FOR + 3 * INTERVAL
    assert world.shown[-1:] == [
        "The worker process of app2 was killed, and Ansible would wait for it for ever. The run ends now; run the same "
        "playbook again to resume or roll back."
    ]


def test_a_run_that_is_interrupted_ends_its_workers_first() -> None:
    """It was reported that they had been killed, and SIGTERM came once more while it printed what it left."""
    assert World(lasts=13.0, worker_dies_at=5.0).shown == []
    assert World(lasts=60.0, worker_dies_at=5.0, interrupted_at=12.0).ended_at == math.inf


def test_a_worker_that_was_killed_in_a_step_of_the_users_is_missed_once_no_other_is_left() -> None:
    world = World(lasts=60.0, last_worker_dies_at=5.0)
    assert 4.0 + IDLE_FOR <= world.ended_at <= 5.0 + IDLE_FOR + 2 * INTERVAL
    assert world.shown[-1] == (
        "No worker process of this run is left, and Ansible waits for ever for app2. The run ends now; run the same "
        "playbook again to resume or roll back."
    )


def test_between_two_plays_there_is_no_worker() -> None:
    idle = {**ANSWER, "in_flight": []}
    assert World(idle, lasts=90.0, last_worker_dies_at=5.0).ended_at == math.inf


def test_many_hosts_in_flight_are_counted() -> None:
    many = [{"host": f"app{number}", "step": "", "seconds": 1.0} for number in range(1, 9)]
    assert progress({**ANSWER, "in_flight": many}).startswith("in progress: app1 admitted for 1 s, ")
    assert "app6 admitted for 1 s and 2 more;" in progress({**ANSWER, "in_flight": many})


def test_with_no_host_in_flight_the_waiting_ones_are_counted() -> None:
    assert progress({**ANSWER, "in_flight": []}) == "in progress: no host in flight, 3 waiting; 1 of 6 hosts done"


def test_a_healthy_host_on_another_version_is_not_what_was_proven() -> None:
    rows = [{"name": "app1", "healthy": True, "version": "1.0.0", "why": ""},
            {"name": "app2", "healthy": True, "version": None, "why": ""},
            {"name": "app3", "healthy": False, "version": None, "why": "answered 500"}]  # fmt: skip
    assert observed_health(rows, {"app1": "2.0.0", "app2": "2.0.0", "app3": "2.0.0"}) == [
        {"name": "app1", "healthy": False, "why": "answers as 1.0.0, expected 2.0.0"},
        {"name": "app2", "healthy": True, "why": ""},
        {"name": "app3", "healthy": False, "why": "answered 500"},
    ]


def test_another_revision_is_a_failure_only_where_the_host_reports_it() -> None:
    rows: list[dict[str, t.Any]] = [
        {"name": name, "healthy": True, "version": "2.0.0", "revision": revision}
        for name, revision in (("app1", "6"), ("app2", None), ("app3", "7"))
    ]
    wanted = "2.0.0 revision 7"
    assert observed_health(rows, {"app1": wanted, "app2": wanted, "app3": wanted}) == [
        {"name": "app1", "healthy": False, "why": "answers as revision 6, expected 7"},
        {"name": "app2", "healthy": True, "why": ""},
        {"name": "app3", "healthy": True, "why": ""},
    ]


def test_the_restore_timers_hear_of_the_run_as_long_as_it_is_there() -> None:
    assert World(lasts=21.0).beaten_at == [0, 6, 13, 19]


def test_a_host_that_takes_no_heartbeat_delays_nothing_and_gets_no_second_one_meanwhile() -> None:
    world = World(lasts=21.0, beat_takes=10.0)
    assert world.beaten_at == [0, 10]
    assert len(world.observations) == len(World(lasts=21.0).observations)


def test_a_run_that_is_suspended_or_has_lost_its_lease_gives_no_heartbeat() -> None:
    assert World(suspended=True).beaten_at == []
    lost = {**ANSWER, "holds_lease": False, "holder": "another", "reason": "lost"}
    assert World(lost).beaten_at == []


def test_a_coordinator_that_does_not_answer_stops_no_heartbeat() -> None:
    assert World(None, lasts=14.0).beaten_at == [0, 6, 13]
