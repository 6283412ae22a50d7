# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every flag system has to do, seen by the applications that get their flags from it."""

from __future__ import annotations

import threading

import pytest
from support.flag_calls import Flags, note
from support.flag_systems import FLAG, SEGMENTS
from support.haproxy import wait_until

from ansible_collections.steady.rollout.plugins.module_utils.flags import contract

USERS = 20_000
PERCENTAGES = (0, 1, 10, 50, 100)


def test_a_flag_is_created_read_and_removed(flags: Flags) -> None:
    assert flags.state()["state"] == "absent"
    created = flags.set("on", kind="experiment", description="New checkout, SHOP-1")
    assert (created["changed"], created["before"]["state"], created["after"]["state"]) == (True, "absent", "on")
    wait_until(flags.real.is_on, "the application has the feature")
    assert flags.set("on")["changed"] is False
    assert FLAG in {name.lower() for name in flags.info(names=[])["flags"]}
    removed = flags.set("absent")
    assert (removed["changed"], removed["after"]["state"]) == (True, "absent")
    assert flags.set("absent")["changed"] is False
    wait_until(lambda: not flags.real.is_on(), "the application has the feature no more")
    assert flags.set("on")["after"]["state"] == "on"


def test_off_and_on_again(flags: Flags) -> None:
    assert flags.set("off")["after"]["state"] == "off"
    assert flags.set("off")["changed"] is False
    flags.set("on")
    wait_until(flags.real.is_on, "the application has the feature")
    flags.set("off")
    wait_until(lambda: not flags.real.is_on(), "the application has the feature no more")


def test_each_percentage_is_what_users_get_and_who_is_in_stays_in(flags: Flags) -> None:
    flags.require(contract.CAN_PERCENT)
    members: set[int] = set()
    measured = {}
    for percent in PERCENTAGES:
        assert flags.set("on", percent=percent).error == ""
        assert flags.state()["percent"] == percent
        wait_until(
            lambda percent=percent: abs(len(flags.real.users(2000)) - 20 * percent) <= min(60, 15 * percent),
            f"{percent} % is seen",
        )
        now = flags.real.users(USERS)
        measured[str(percent)] = len(now) * 100 / USERS
        assert abs(measured[str(percent)] - percent) <= 1.5
        assert members <= now
        members = now
    off_by = max(abs(share - float(percent)) for percent, share in measured.items())
    note(flags.real.name, percentages=measured, largest_share_error=round(off_by, 3))


def test_each_segment_is_what_users_get_and_who_is_in_stays_in(flags: Flags) -> None:
    flags.require(contract.CAN_SEGMENTS)
    flags.real.make_segments()
    flags.set("off")
    internal, beta = (set(SEGMENTS[name]) for name in ("internal", "beta"))
    for names, members in ((["internal"], internal), (["internal", "beta"], internal | beta)):
        outcome = flags.set("on", percent=0, segments=names)
        assert (outcome.error, outcome.result.get("changed")) == ("", True)
        assert (flags.state()["percent"], flags.state()["segments"]) == (0, sorted(names))
        assert flags.set("on", percent=0, segments=names)["changed"] is False
        wait_until(lambda members=members: flags.real.users(2000) == members, f"{names} have the feature")
    if flags.can(contract.CAN_PERCENT):
        assert flags.set("on", percent=10, segments=["internal", "beta"]).error == ""
        wait_until(lambda: abs(len(flags.real.users(2000)) - 227) <= 60, "a tenth of the others has it too")
        assert internal | beta <= flags.real.users(2000)
    assert flags.set("on", percent=100, segments=["internal", "beta"]).error == ""
    wait_until(lambda: len(flags.real.users(2000)) == 2000, "everybody has the feature")
    flags.set("off")
    wait_until(lambda: not flags.real.users(2000), "nobody has the feature")
    assert flags.set("on", percent=0, segments=["internal"]).error == ""
    wait_until(lambda: flags.real.users(2000) == internal, "the segment alone has the feature again")
    assert flags.set("killed", reason="orders twice").error == ""
    wait_until(lambda: not flags.real.users(2000), "nobody has the feature")


def test_a_segment_that_is_not_there_is_refused(flags: Flags) -> None:
    flags.require(contract.CAN_SEGMENTS)
    flags.real.make_segments()
    refused = flags.set("on", percent=0, segments=["internal", "insiders"])
    assert (
        f"cannot turn '{FLAG}' on for the segment 'insiders', which does not exist; there are beta, " in refused.error
    )
    assert flags.state()["state"] == "absent"


def test_segments_are_refused_where_there_are_none(flags: Flags) -> None:
    if flags.can(contract.CAN_SEGMENTS):
        pytest.skip("cannot: the system has segments")
    reason = flags.system.lacks[contract.CAN_SEGMENTS]
    refused = flags.set("on", percent=0, segments=["internal"])
    assert f"cannot turn '{FLAG}' on for the segment internal: {reason}." in refused.error
    assert flags.state()["state"] == "absent"


def test_a_segment_that_nobody_has_named_is_a_rule_of_others(flags: Flags) -> None:
    flags.require(contract.CAN_SEGMENTS)
    flags.require(contract.CAN_PERCENT)
    flags.real.make_segments()
    flags.set("on", percent=0, segments=["beta"])
    refused = flags.set("on", percent=50)
    assert f"'{FLAG}' has rules besides its percentage (the segment beta)" in refused.error
    assert flags.state()["percent"] == 0
    assert flags.set("on", percent=50, segments=[]).error == ""
    assert flags.state()["segments"] == []


def test_a_kill_says_why_and_who_has_seen_it(flags: Flags) -> None:
    flags.set("on")
    urls = flags.real.instances()
    wait_until(lambda: flags.set("on", instances=urls).error == "", "all instances see it")
    killed = flags.set("killed", reason="orders twice", instances=urls)
    assert killed.error == ""
    assert (killed["instances"], killed["not_seen"]) == (6, {})
    assert flags.state()["on"] is False
    if flags.can(contract.CAN_GIVE_REASON):
        assert (flags.state()["state"], flags.state()["reason"]) == ("killed", "orders twice")
    assert flags.set("killed", reason="orders twice")["changed"] is False
    note(flags.real.name, kill={"sent_ms": killed["sent_ms"], "seen_ms": killed["seen_ms"], "instances": 6})


def test_a_kill_prevails_over_a_second_writer(flags: Flags) -> None:
    flags.set("on")
    over = threading.Event()

    def write() -> None:
        for number in range(6):
            flags.real.overwrite(bool(number % 2))
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    outcomes = []
    while not over.is_set() or len(outcomes) < 2:
        outcomes.append(flags.set("killed", reason="orders twice").error)
    writer.join()
    assert flags.set("killed", reason="orders twice").error == ""
    assert flags.state()["on"] is False
    assert [error for error in outcomes if error and "Somebody else changes it" not in error] == []


def test_a_flag_that_was_killed_and_turned_on_by_hand_counted_as_killed(flags: Flags) -> None:
    """flagd's file kept the note of the kill, so the next kill found nothing to do: the feature stayed on."""
    flags.set("on")
    flags.set("killed", reason="orders twice")
    flags.real.overwrite(True)
    assert (flags.state()["on"], flags.state()["state"], flags.state()["reason"]) == (True, "on", "")
    again = flags.set("killed", reason="orders twice")
    assert (again.error, again["changed"]) == ("", True)
    assert flags.state()["on"] is False


def test_check_mode_changes_nothing(flags: Flags) -> None:
    predicted = flags.set("on", check_mode=True, diff=True)
    assert (predicted["changed"], predicted["after"]["state"], predicted["sent_ms"]) == (True, "on", None)
    assert predicted["diff"]["before"]["state"] == "absent"
    assert predicted["diff"]["after"]["state"] == "on"
    assert flags.state()["state"] == "absent"


@pytest.mark.parametrize("percent", [-1, 101, 150])
def test_no_percentage_outside_of_0_to_100(flags: Flags, percent: int) -> None:
    refused = flags.set("on", percent=percent)
    assert refused.error == f"percent: {percent} is not a whole number from 0 to 100."
    assert flags.state()["state"] == "absent"


@pytest.mark.parametrize("percent", ["150", "abc"])
def test_a_percentage_that_means_nothing_is_an_error_and_not_off(flags: Flags, percent: str) -> None:
    flags.set("on", percent=10 if flags.can(contract.CAN_PERCENT) else 100)
    try:
        flags.real.spoil(percent)
    except NotImplementedError:
        pytest.skip("cannot: the system has no percentage that is a text")
    assert f"is '{percent}', not a whole number from 0 to 100" in flags.info().error
    assert f"is '{percent}', not a whole number from 0 to 100" in flags.set("on", percent=20).error
    flags.real.spoil("10")


def test_rules_of_others_are_shown_and_refused(flags: Flags) -> None:
    flags.set("on")
    try:
        flags.real.add_rule()
    except NotImplementedError:
        pytest.skip("cannot: the system has nothing but the flag")
    flags.set("off")
    found = flags.state()
    rules = [*found["rules"], *(f"off for the segment {name}" for name in found["excluded"])]
    assert rules
    refused = flags.set("on", percent=50 if flags.can(contract.CAN_PERCENT) else 100)
    assert f"'{FLAG}' has rules besides its percentage ({'; '.join(rules)})" in refused.error
    assert flags.state()["on"] is False
    assert flags.set("on", allow_rules=True).error == ""
    assert flags.state()["on"] is True
    assert flags.set("killed", reason="orders twice").error == ""
    wait_until(lambda: not flags.real.users(100), "the rule gives it to nobody")


def test_an_instance_that_does_not_see_it_is_named(flags: Flags) -> None:
    flags.set("on")
    wait_until(flags.real.is_on, "the application has the feature")
    urls = flags.real.instances()[:1]
    outcome = flags.set(
        "killed", reason="orders twice", instances=[*urls, "http://127.0.0.1:9/health"], seen_timeout="3"
    )
    assert "seen by 1 of 2 instances" in outcome.error
    assert "not by http://127.0.0.1:9/health: refused the connection" in outcome.error
    assert outcome["kind"] == "not_seen"
    assert flags.state()["on"] is False


def test_zz_a_system_that_is_down_is_never_off(flags: Flags) -> None:
    flags.real.break_down()
    for outcome in (flags.info(), flags.set("on"), flags.set("off"), flags.set("killed", reason="orders twice")):
        assert outcome.error
        assert outcome.result.get("changed") in (None, False)
        for secret in (flags.real.settings().get(key) for key in ("password", "token")):
            assert not secret or secret not in f"{outcome.error}{outcome.result}"
