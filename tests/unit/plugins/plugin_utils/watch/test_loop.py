# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch by a clock of its own: what it reads, reports, shows, and when it ends."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.watch.loop import (
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
    "if_interrupted": ["app2: drained on lb1"],
}  # fmt: skip


class World:
    """A run that lasts *lasts* seconds; *answers* come in turn, the last one for ever."""

    def __init__(
        self,
        *answers: dict[str, t.Any] | None,
        lasts: float = 10.0,
        suspended: bool = False,
        interrupted_at: float = 1000.0,
    ) -> None:
        self.kept: list[tuple[float, list[str]]] = []
        self.clock = 0.0
        self.reports: list[tuple[t.Any, ...]] = []
        self.probed: list[dict[str, str]] = []
        self.shown: list[str] = []
        self._answers = list(answers) or [ANSWER]
        Watch(
            run=Run(lambda: self.clock < lasts, lambda: suspended),
            read_balancers=lambda: [{"host": "lb1", "members": {}}],
            probe=self._probe,
            report=self._report,
            show=self.shown.append,
            keep=lambda lines: self.kept.append((round(self.clock, 1), list(lines))),
            is_asked=lambda: self.clock >= interrupted_at and not any(at >= interrupted_at for at, dummy in self.kept),
            now=lambda: self.clock,
            sleep=self._sleep,
        ).until_the_run_is_over()

    def _probe(self, wanted: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
        self.probed.append(dict(wanted))
        return [{"name": name, "healthy": True} for name in wanted]

    def _report(self, *seen: t.Any) -> dict[str, t.Any] | None:
        self.reports.append(seen)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def _sleep(self, seconds: float) -> None:
        self.clock += seconds


def test_it_reports_every_two_seconds_for_as_long_as_the_run_lives() -> None:
    assert len(World(lasts=10.0).reports) == 5


def test_an_interruption_is_answered_at_once_and_once() -> None:
    kept = World(lasts=6.0, interrupted_at=3.1).kept
    assert [lines for at, lines in kept if 3.1 <= at < 3.5] == [["app2: drained on lb1"]]
    assert len(kept) == len(World(lasts=6.0).kept) + 1


def test_it_probes_what_the_ledger_names() -> None:
    world = World(lasts=3.9)
    assert world.probed == [{"app1": "2.0.0"}]
    assert world.reports[1][1] == [{"name": "app1", "healthy": True}]


def test_it_ends_with_the_lease_and_names_only_another_holder() -> None:
    ended = {**ANSWER, "holds_lease": False, "reason": "lease lost."}
    assert World(ANSWER, ended).shown == []
    taken = World(ANSWER, {**ended, "holder": {"run": "r2"}})
    assert (taken.shown, len(taken.reports)) == (["lease lost."], 2)


def test_a_suspended_controller_kept_its_lease_for_ever() -> None:
    """A watch that went on beating would have kept everybody else out."""
    assert World(suspended=True).reports == []


def test_what_an_observation_has_changed_is_shown_at_once() -> None:
    assert World({**ANSWER, "messages": ["app1 failed (health: no)"]}, ANSWER).shown == ["app1 failed (health: no)"]


def test_it_shows_what_is_in_flight_every_fifteen_seconds() -> None:
    world = World(lasts=3 * SHOW_EVERY)
    assert world.shown == ["in progress: app2 health for 4 s; 1 of 6 hosts done"] * 2


def test_a_coordinator_that_does_not_answer_is_no_silence_and_no_end() -> None:
    world = World(None, lasts=SHOW_EVERY)
    assert world.shown == [UNREACHABLE] * 2


def test_many_hosts_in_flight_are_counted() -> None:
    many = [{"host": f"app{number}", "step": "", "seconds": 1.0} for number in range(1, 9)]
    assert progress({**ANSWER, "in_flight": many}).startswith("in progress: app1 admitted for 1 s, ")
    assert "app6 admitted for 1 s and 2 more;" in progress({**ANSWER, "in_flight": many})


def test_with_nobody_in_flight_those_who_wait_are_counted() -> None:
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
