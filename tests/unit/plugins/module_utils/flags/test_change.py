# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""feature_flag: set, set again where somebody else changes it, and seen by the instances."""

from __future__ import annotations

import typing as t

import pytest
from support.flag_doubles import InMemory

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import instances
from ansible_collections.steady.rollout.plugins.module_utils.flags.change import TRIES, FlagChange
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

ON = Flag("a", exists=True, on=True, percent=100)
NOBODY = instances.Instances({}, None, 30.0)


class Time:
    """Each look at the clock takes a tenth of a second."""

    def __init__(self) -> None:
        self.now = 100.0

    def look(self) -> float:
        self.now += 0.1
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def change(
    system: InMemory, wanted: Wanted, listed: instances.Instances = NOBODY, check_mode: bool = False
) -> dict[str, t.Any]:
    params = {"name": "a", "allow_rules": False}
    call = Call(params, check_mode, True, lambda text: None, lambda *words: (0, "", ""))
    time = Time()
    return FlagChange(call, system, wanted, Clock(time.look, time.sleep), listed).run()


def test_a_change_is_read_back_and_timed() -> None:
    system = InMemory(ON)
    result = change(system, Wanted("killed", reason="orders twice"))
    assert (result["changed"], result["before"]["state"], result["after"]["state"]) == (True, "on", "killed")
    assert result["msg"] == "a is killed (orders twice): sent after 0.1 s"
    assert result["diff"]["after"] == {"state": "killed", "percent": 100, "rules": [], "reason": "orders twice"}


def test_what_is_there_already_is_not_sent() -> None:
    system = InMemory(ON)
    result = change(system, Wanted("on"))
    assert (result["changed"], result["sent_ms"], result["msg"], system.applied) == (False, None, "a is on", 0)


def test_check_mode_predicts_and_sends_nothing() -> None:
    system = InMemory(ON)
    result = change(system, Wanted("off"), check_mode=True)
    assert (result["changed"], result["after"]["state"], result["msg"]) == (True, "off", "a would be off")
    assert (system.applied, system.flags["a"]) == (0, ON)


@pytest.mark.parametrize("compares", [True, False])
def test_a_second_writer_is_overruled(compares: bool) -> None:
    system = InMemory(ON, others=[ON, ON], compares=compares)
    assert change(system, Wanted("killed", reason="x"))["after"]["state"] == "killed"
    assert system.applied == 3


@pytest.mark.parametrize("compares", [True, False])
def test_a_second_writer_that_does_not_stop_is_named(compares: bool) -> None:
    system = InMemory(ON, others=[ON] * TRIES, compares=compares)
    with pytest.raises(RolloutError) as failed:
        change(system, Wanted("off"))
    assert failed.value.message == (
        f"memory: 'a' was set {TRIES} times and is on again, not off. Somebody else changes it at the same time; stop them, "
        "then run again."
    )
    assert failed.value.result["kind"] == "flag_contested"
    assert failed.value.result["after"]["state"] == "on"


def test_a_system_that_is_down_is_an_error_with_all_keys() -> None:
    system = InMemory(ON)
    system.is_down = True
    with pytest.raises(RolloutError) as failed:
        change(system, Wanted("off"))
    assert failed.value.message == "memory: did not answer within 5 s."
    assert (failed.value.result["changed"], failed.value.result["not_seen"]) == (False, {})


def seen(monkeypatch: pytest.MonkeyPatch, **answers: list[bool | str]) -> instances.Instances:
    """Instances that answer these values one after the other, the last one for ever."""

    def ask(listed: instances.Instances, url: str, timeout: float) -> bool | str:
        return answers[url].pop(0) if len(answers[url]) > 1 else answers[url][0]

    monkeypatch.setattr(instances, "_ask", ask)
    return instances.Instances({name: name for name in answers}, None, 5.0)


def test_it_is_reported_when_all_instances_have_seen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = seen(monkeypatch, app1=[True, False], app2=[False])
    result = change(InMemory(ON), Wanted("killed", reason="x"), listed)
    assert result["msg"] == "a is killed (x): sent after 0.1 s, seen by 2 of 2 instances after 0.65 s"
    assert (result["instances"], result["seen_ms"], result["not_seen"]) == (2, 650, {})


def test_an_instance_that_never_sees_it_fails_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = seen(monkeypatch, app1=[True], app2=[False], app3=["refused the connection"])
    with pytest.raises(RolloutError) as failed:
        change(InMemory(ON), Wanted("off"), listed)
    assert failed.value.message.startswith("a is off: sent after 0.1 s, seen by 1 of 3 instances after 5.")
    assert failed.value.message.endswith(
        " s; not by app1: still answers true; app3: refused the connection. The flag itself is off; look at these instances."
    )
    assert failed.value.result["not_seen"] == {"app1": "still answers true", "app3": "refused the connection"}
    assert (failed.value.result["kind"], failed.value.result["seen_ms"]) == ("not_seen", None)


def test_instances_are_not_read_for_a_share_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = seen(monkeypatch, app1=[True])
    assert change(InMemory(ON), Wanted("on", 10), listed)["instances"] == 0
