# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags off before the first host, on after the last, and never in the way of a rollback."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.drive import FlagDrive
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.settings import flags_of
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Invocation, Outcome

REDIS = {"type": "redis", "address": "10.0.0.5:6379"}
COMMAND = (
    "ansible 'localhost' -m steady.rollout.feature_flag -a "
    '\'{{"name": "a", "state": "{0}", "system": {{"type": "redis", "address": "10.0.0.5:6379"}}}}\''
)


class World:
    """A flag system, a ledger, and what is said. *log* has all calls in their order."""

    def __init__(self, state: str = "off", **setting: t.Any) -> None:
        self.state = state
        self.log: list[str] = []
        self.said: list[str] = []
        self.refusal = self.refused = ""
        self.tried = False
        self.down = ""
        self.hangs: threading.Event | None = None
        self.unseen = ""
        self.killed = ""
        self.was_changed = True
        self.left = False
        self.steps: t.Any = None
        self.setting = {"name": "a", "system": REDIS, **setting}

    def drive(self, *fleet: str, limit: float = 5.0, now: t.Callable[[], float] = time.monotonic) -> FlagDrive:
        flags = flags_of([self.setting], fleet, self.steps)
        return FlagDrive(flags, self, self.together, self.said.append, limit, now)

    def begun(self, **options: t.Any) -> dict[str, t.Any]:
        if options.get("left"):
            return {"go": self.left}
        self.log.append(f"begun {options['goal']}")
        why = self.refusal or ("it is on" if options.get("refuse") and options["found"] == "on" else "")
        return {"go": not why, "why": why, "tried": self.tried}

    def done(self, **options: t.Any) -> dict[str, t.Any]:
        self.log.append(f"done {options['goal']}")
        return {"why": self.killed if options["goal"] == "on" else ""}

    def failed(self, **options: t.Any) -> dict[str, t.Any]:
        self.log.append(f"failed {options['goal']}: {options['error']}")
        return {}

    def together(self, calls: t.Sequence[Invocation]) -> list[Outcome]:
        return [Outcome(one, self.answer(one), None, 0.1) for one in calls]

    def answer(self, one: Invocation) -> dict[str, t.Any]:
        if self.hangs is not None:
            self.hangs.wait(10)
        if self.down and one.module == self.down:
            return {"failed": True, "msg": "redis at 10.0.0.5:6379: refused the connection."}
        if one.module == "feature_flag_info":
            self.log.append(f"read on {one.host}")
            return {"flags": {"a": {"state": self.state}}}
        if "instances" in one.arguments:
            self.log.append(f"seen within {one.arguments.get('seen_timeout', 'its time')}")
            seen = f"a is {self.state}: seen by 1 of 1 instances after 2 s"
            return {"failed": True, "msg": self.unseen} if self.unseen else {"changed": False, "msg": seen}
        if one.check_mode:
            self.log.append(f"rehearsed {one.arguments['state']}")
            return {"failed": True, "msg": self.refused} if self.refused else {"changed": True}
        self.state = one.arguments["state"]
        share = f" for {one.arguments['percent']} %" if "percent" in one.arguments else ""
        named = f" and {one.arguments['segments']}" if "segments" in one.arguments else ""
        self.log.append(f"{self.state}{share}{named} on {one.host}")
        return {"changed": self.was_changed, "msg": f"a is {self.state}: sent after 0.1 s"}


def test_the_intent_is_on_record_before_the_flag_is_changed() -> None:
    world = World("on", when_on="off")
    world.drive().before_first_host()
    assert world.log == ["read on localhost", "begun off", "off on localhost", "done off"]
    assert world.said == ["flag a is off: sent after 0.1 s"]


def test_a_flag_that_is_on_refuses_the_rollout_with_both_ways_out() -> None:
    world = World("on")
    with pytest.raises(RolloutError) as refused:
        world.drive().before_first_host()
    assert refused.value.message == (
        "a (redis 10.0.0.5:6379) is on, and only part of the fleet could serve it while hosts are updated. Nothing was touched. "
        f"Turn it off ({COMMAND.format('off')}), or let the rollout do it with when_on: 'off' in rollout_flags."
    )
    assert world.state == "on"


@pytest.mark.parametrize("down", ["feature_flag_info", "feature_flag"])
def test_a_system_that_is_down_stops_a_rollout_before_its_first_host(down: str) -> None:
    world = World()
    world.down = down
    with pytest.raises(RolloutError) as stopped:
        world.drive().before_first_host()
    assert stopped.value.message == "on localhost: redis at 10.0.0.5:6379: refused the connection."


def test_a_file_is_changed_on_every_host_and_counts_as_on_if_it_is_on_anywhere() -> None:
    world = World("on", system={"type": "file", "path": "/etc/shop.env"})
    with pytest.raises(RolloutError):
        world.drive("app1", "app2").before_first_host()
    world.setting["when_on"] = "off"
    world.drive("app1", "app2").before_first_host()
    assert world.log[-3:] == ["off on app1", "off on app2", "done off"]


def test_a_rollback_turns_it_off_without_asking_how_it_is() -> None:
    world = World("on")
    world.drive().before_rollback()
    assert world.log == ["begun off", "off on localhost", "done off"]


INSTANCES = ["http://app1:8080/health"]


def test_hosts_of_the_other_colour_showed_a_feature_that_the_rollback_had_just_turned_off() -> None:
    world = World("on", instances=INSTANCES)
    world.drive(limit=5.0, now=lambda: 100.0).before_rollback()
    assert world.log == ["begun off", "off on localhost", "done off", "seen within 4.5"]
    assert world.said == [
        "flag a is off: sent after 0.1 s",
        "flag a is off: seen by 1 of 1 instances after 2 s",
    ]


def test_a_rollback_goes_on_where_an_instance_does_not_see_it_in_time() -> None:
    world = World("on", instances=INSTANCES)
    world.unseen = "a is off: seen by 0 of 1 instances after 4.5 s; not by http://app1:8080/health: still answers true."
    world.drive().before_rollback()
    assert world.said == ["flag a is off: sent after 0.1 s", f"flag {world.unseen} The rollback goes on."]
    assert world.log[2] == "done off"


def test_no_instance_is_waited_for_where_the_flag_was_off_already() -> None:
    world = World("off", instances=INSTANCES)
    world.was_changed = False
    world.drive().before_rollback()
    assert world.log == ["begun off", "off on localhost", "done off"]


def test_a_limit_that_is_used_up_leaves_no_time_for_instances() -> None:
    world = World("on", instances=INSTANCES)
    world.drive(limit=0.4, now=lambda: 100.0).before_rollback()
    assert world.log == ["begun off", "off on localhost", "done off"]


def test_a_rollback_goes_on_where_the_system_is_down_and_names_the_command() -> None:
    world = World()
    world.down = "feature_flag"
    world.drive().before_rollback()
    assert world.said == [
        "flag a could not be turned off: on localhost: redis at 10.0.0.5:6379: refused the connection. The rollback goes on. "
        f"Run: {COMMAND.format('off')}"
    ]
    assert world.log[-1] == "failed off: on localhost: redis at 10.0.0.5:6379: refused the connection."


def test_a_rollback_goes_on_where_the_system_never_answers() -> None:
    world = World()
    world.hangs = threading.Event()
    try:
        world.drive(limit=0.1).before_rollback()
        assert world.said == [
            f"flags are not known to be off after 0.1 s. The rollback goes on. Run: {COMMAND.format('off')}"
        ]
    finally:
        world.hangs.set()


def test_what_failed_once_does_not_delay_the_rollback_again() -> None:
    world = World()
    world.tried = True
    world.drive().before_rollback()
    assert world.log == ["begun off"]


def test_on_at_the_end() -> None:
    world = World()
    assert world.drive().after_last_host({"hosts": []}) == []
    assert world.log == ["begun on", "read on localhost", "on on localhost", "done on"]


def test_a_flag_that_has_to_wait_is_no_failure() -> None:
    world = World()
    world.refusal = "app7 is on 1.0.0"
    assert world.drive().after_last_host({}) == []
    assert (world.state, world.said) == ("off", ["flag a stays as it is: app7 is on 1.0.0"])


def test_a_flag_that_somebody_has_killed_stays_killed() -> None:
    world = World("killed")
    assert world.drive().after_last_host({}) == []
    assert (world.state, world.said) == ("killed", ["flag a stays off: it was killed"])
    assert world.log[-1] == "failed on: it was killed"


def test_a_flag_that_is_left_to_people() -> None:
    world = World(at_end="leave")
    assert world.drive().after_last_host({}) == []
    assert world.log == []


def test_a_flag_that_cannot_be_turned_on_is_named_with_the_command() -> None:
    world = World()
    world.down = "feature_flag"
    assert world.drive().after_last_host({}) == [
        "a (redis 10.0.0.5:6379) could not be turned on: on localhost: redis at 10.0.0.5:6379: refused the connection. "
        f"Run: {COMMAND.format('on')}"
    ]


def test_instances_are_waited_for_once_the_change_is_on_record() -> None:
    world = World(instances=INSTANCES)
    world.drive().before_first_host()
    assert world.log[-3:] == ["off on localhost", "done off", "seen within its time"]
    assert world.drive().after_last_host({}) == []
    assert world.log[-3:] == ["on on localhost", "done on", "seen within its time"]
    assert world.said[-1] == "flag a is on: seen by 1 of 1 instances after 2 s"


def test_a_flag_that_not_all_have_seen_is_named() -> None:
    world = World(instances=INSTANCES)
    world.unseen = "a is on: seen by 0 of 1 instances after 30 s; not by http://app1:8080/health: still answers false."
    assert world.drive().after_last_host({}) == [
        f"a (redis 10.0.0.5:6379) could not be turned on: on localhost: {world.unseen} Run: {COMMAND.format('on')}"
    ]
    assert world.log[-1] == f"failed on: on localhost: {world.unseen}"


def test_a_kill_that_came_between_the_intent_and_the_change_was_undone_by_it() -> None:
    world = World(instances=INSTANCES)
    world.killed = "it was killed during this rollout: orders twice"
    assert world.drive().after_last_host({}) == []
    assert world.log[2:] == ["on on localhost", "done on", "killed on localhost"]
    assert world.said[-1] == "flag a is off again: it was killed during this rollout: orders twice"


STEPS = [{"percent": 1, "bake": "30m"}, {"percent": 100}]


def test_the_steps_of_a_flag_are_begun_and_the_command_to_go_on_is_shown() -> None:
    world = World(at_end="steps", instances=INSTANCES)
    world.steps = STEPS
    assert world.drive().after_last_host({}) == []
    assert world.log == ["begun on", "read on localhost", "on for 1 % on localhost", "done on"]
    assert world.said == [
        "flag a is on: sent after 0.1 s",
        "flag a is on for 1 % of the users; to continue with its steps, run: ansible-playbook steady.rollout.flag -e rollout_flag=a",
    ]


def test_steps_that_begin_with_a_segment() -> None:
    world = World(at_end="steps")
    world.steps = [{"segment": "internal"}, {"percent": 100}]
    world.down = "feature_flag"
    assert (
        'Run: ansible \'localhost\' -m steady.rollout.feature_flag -a \'{"name": "a", "state": "on", "percent": 0, '
        in (world.drive().after_last_host({})[0])
    )
    world.down = ""
    assert world.drive().after_last_host({}) == []
    assert "on for 0 % and ['internal'] on localhost" in world.log


def test_a_first_step_that_its_system_refuses_was_refused_only_once_all_hosts_were_updated() -> None:
    world = World(at_end="steps")
    world.steps = STEPS
    world.refused = "redis at r1: cannot turn 'a' on for 1 % of the users."
    with pytest.raises(RolloutError) as stopped:
        world.drive().before_first_host()
    assert stopped.value.message == f"on localhost: {world.refused}"
    assert world.log == ["read on localhost", "rehearsed on"]


def test_a_flag_that_no_rollback_has_left_on_is_no_matter_at_the_end() -> None:
    world = World("on")
    assert world.drive().after_rollback() == []
    assert (world.log, world.state) == ([], "on")


def test_a_flag_that_a_rollback_could_not_turn_off_stayed_on_until_somebody_ran_the_command() -> None:
    world = World("on")
    world.left = True
    assert world.drive().after_rollback() == []
    assert world.log == ["off on localhost", "done off"]
    assert world.said == ["flag a is off: sent after 0.1 s"]


def test_a_flag_that_may_still_be_on_is_named_at_the_end_with_both_ways() -> None:
    world = World("on")
    world.left, world.down = True, "feature_flag"
    assert world.drive().after_rollback() == [
        "a (redis 10.0.0.5:6379) may still be on: on localhost: redis at 10.0.0.5:6379: refused the connection. Run the same "
        f"command again to turn it off, or run: {COMMAND.format('off')}"
    ]
    assert world.log == ["failed off: on localhost: redis at 10.0.0.5:6379: refused the connection."]


def test_a_system_that_never_answers_does_not_hold_the_end_of_a_rollback() -> None:
    world = World("on")
    world.left, world.hangs = True, threading.Event()
    try:
        assert world.drive(limit=0.1).after_rollback() == [
            "a (redis 10.0.0.5:6379) may still be on: there was no answer within 0.1 s. Run the same command again to turn it "
            f"off, or run: {COMMAND.format('off')}"
        ]
    finally:
        world.hangs.set()
