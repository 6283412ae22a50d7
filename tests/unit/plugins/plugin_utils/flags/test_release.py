# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release by a flag as the controller carries it out: what is sent where, and what is reported to the ledger."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Share, Step
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.release import FlagPlaces, ReleaseDrive
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.release_settings import ReleaseRequest
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.settings import flags_of
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Invocation, Outcome

FILE = {"type": "file", "path": "/etc/shop/features.env"}
LIMIT = {"name": "queue", "source": "prom", "limit": "< 100", "query": "sum(queue)"}
Answer = t.Dict[str, t.Any]


def asked(act: str, **options: t.Any) -> Answer:
    return {"act": act, "step": 0, "share": 10, "status": "open", "messages": [], **options}


class World:
    """A ledger that says what is on its list, and a flag on two hosts."""

    def __init__(
        self,
        *answers: Answer,
        metrics: t.Sequence[Answer] = (),
        gate: str = "",
        steps: tuple[Step, ...] = (Step(10, 60.0), Step(100, 0.0)),
    ) -> None:
        self.answers = list(answers)
        self.heard: list[Answer] = []
        self.sent: list[tuple[str, str, int | None, bool]] = []
        self.segments: list[list[str] | None] = []
        self.measured: list[Answer] = []
        self.baked: list[bool] = []
        self.verdicts: list[Answer] = []
        self.failing: set[str] = set()
        self.shares = {"app1": 0, "app2": 0}
        self.naps: list[float] = []
        flag = flags_of([{"name": "checkout", "system": FILE, "instances": ["http://app1/health"]}], ["app1", "app2"])[
            0
        ]
        variants = {"canary": ["on"], "baseline": ["off"]}
        request = ReleaseRequest(flag, steps, tuple(metrics), variants)
        self.places = FlagPlaces(request, self.together)
        settings = {
            "rollout_analysis_interval": 10,
            "rollout_gate_tasks": gate,
            "rollout_metric_sources": {},
            "rollout_metric_policy": {},
            "__rollout_search_paths": [],
        }
        self.drive = ReleaseDrive(
            request,
            self.places,
            settings,
            t.cast("t.Any", self),
            ["m1", "m2"],
            list,
            lambda line: None,
            sleep=self.naps.append,
        )

    def next_act(self, **seen: t.Any) -> Answer:
        self.heard.append(seen)
        return self.answers.pop(0)

    def bake(self, seconds: t.Any) -> bool:
        return self.baked.pop(0)

    def measure(self, **options: t.Any) -> Answer:
        self.measured.append(options)
        return self.verdicts.pop(0)

    def together(self, calls: t.Sequence[Invocation]) -> list[Outcome]:
        return [Outcome(one, self.answer(one), None, 0.1) for one in calls]

    def answer(self, one: Invocation) -> Answer:
        percent, options = self.shares[one.host], one.arguments
        if one.module == "feature_flag_info":
            return {"flags": {"checkout": {"state": "on" if percent else "off", "percent": percent}}}
        self.sent.append((one.host, str(options["state"]), options.get("percent"), "instances" in options))
        self.segments.append(options.get("segments"))
        if one.host in self.failing:
            return {"failed": True, "msg": f"{one.host}: the disk is full."}
        self.shares[one.host] = int(options["percent"]) if options["state"] == "on" else 0
        return {"changed": True}


def found(app1: int, app2: int, why: str = "") -> list[Answer]:
    return [
        {"where": "app1", "state": "on" if app1 else "off", "percent": app1, "why": ""},
        {"where": "app2", "state": "on" if app2 else "off", "percent": app2, "why": why},
    ]


def test_a_share_is_set_on_all_hosts_and_read_back() -> None:
    world = World(asked("set", percent=10), asked("over"))
    world.drive.drive(world.drive.begin())
    assert world.sent == [("app1", "on", 10, True), ("app2", "on", 10, True)]
    assert world.heard == [{"found": found(0, 0)}, {"found": found(10, 10)}]


def test_what_a_host_had_against_it_reaches_the_ledger() -> None:
    world = World(asked("set", percent=10), asked("over"))
    world.failing = {"app2"}
    world.drive.drive(world.drive.begin())
    assert world.heard[1] == {"found": found(10, 0, "app2: the disk is full.")}


def test_turning_it_off_waits_for_no_instance_and_is_tried_again_after_a_moment() -> None:
    world = World(asked("off"), asked("off"), asked("off"), asked("over"))
    world.failing = {"app2"}
    world.drive.drive(world.drive.begin())
    assert world.sent[:2] == [("app1", "off", None, False), ("app2", "off", None, False)]
    assert world.naps == [1.0, 1.0]


def test_without_metrics_time_alone_judges() -> None:
    world = World(asked("bake"), asked("bake"), asked("over"))
    world.baked = [False, True]
    world.drive.drive(world.drive.begin())
    assert world.heard[1:] == [
        {"found": found(0, 0)},
        {"found": found(0, 0), "verdict": "not_judged", "reason": "nothing is measured"},
    ]


def test_metrics_judge_each_poll() -> None:
    world = World(asked("bake"), asked("bake"), asked("over"), metrics=[LIMIT])
    world.verdicts = [{"verdict": "wait"}, {"verdict": "fail", "reason": "queue is 200"}]
    world.drive.drive(world.drive.begin())
    assert [one["groups"] for one in world.measured] == [{"canary": ["on"], "baseline": ["off"]}] * 2
    assert (world.measured[0]["step"], world.measured[0]["window"]) == ("flag checkout, step 1", "60.0")
    assert world.measured[0]["judge"] == {"gates": 1}
    assert "verdict" not in world.heard[1]
    assert (world.heard[2]["verdict"], world.heard[2]["reason"]) == ("fail", "queue is 200")


def test_a_gate_that_cannot_measure_is_no_good_news() -> None:
    world = World(asked("bake"), asked("over"), metrics=[LIMIT])
    world.verdicts = [{"failed": True, "msg": "no such source"}]
    world.drive.drive(world.drive.begin())
    assert (world.heard[1]["verdict"], world.heard[1]["reason"]) == ("no_data", "no such source")


def test_steps_of_the_users_confirm_a_good_verdict(tmp_path: pathlib.Path) -> None:
    gate = tmp_path / "gate.yml"
    gate.write_text("[]", encoding="utf-8")
    world = World(asked("bake"), gate=str(gate))
    world.baked = [True]
    at, verdict = world.drive.drive(world.drive.begin())
    assert (at["act"], verdict["verdict"]) == ("bake", "not_judged")
    world.answers = [asked("over")]
    world.drive.resume(verdict)
    assert world.heard[-1] == {"found": found(0, 0), **verdict}


def test_steps_that_are_not_there_stop_it() -> None:
    world = World(asked("bake"), asked("over"), gate="/nowhere/gate.yml")
    world.baked = [True]
    world.drive.drive(world.drive.begin())
    assert world.heard[1]["verdict"] == "fail"
    assert "/nowhere/gate.yml" in world.heard[1]["reason"]


@pytest.mark.parametrize("failing", [set(), {"app1"}])
def test_what_would_be_refused_is_known_before_anything_is_sent(failing: set[str]) -> None:
    world = World()
    world.failing = failing
    outcomes = world.places.set(Share(10), check_mode=True)
    assert [one.invocation.check_mode for one in outcomes] == [True, True]
    assert [one.failed for one in outcomes] == ["app1" in failing, False]


def test_segments_are_sent_only_by_a_release_that_decides_about_them() -> None:
    world = World(asked("set", percent=10), asked("off"), asked("over"))
    world.drive.drive(world.drive.begin())
    assert world.segments == [None] * 4
    steps = (Step(0, 60.0, ("internal",)), Step(100, 0.0, ("internal",)))
    world = World(asked("set", percent=0, segments=["internal"]), asked("set", percent=100), asked("over"), steps=steps)
    world.drive.drive(world.drive.begin())
    assert world.segments == [["internal"], ["internal"], [], []]
