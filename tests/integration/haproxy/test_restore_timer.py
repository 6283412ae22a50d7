# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore timer's own program on a real HAProxy, as its unit runs it, at a later clock."""

from __future__ import annotations

import concurrent.futures
import glob
import os
import pathlib
import shutil
import time
import typing as t

import pytest
from support.haproxy import Node
from support.timed_host import TimedHost

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import record

PLACES = ("/usr/bin", "/usr/local/bin", *glob.glob(os.path.expanduser("~/.pyenv/versions/3.8.*/bin")))
OLDEST = shutil.which("python3.8", path=os.pathsep.join(PLACES))
LOOK_BEGINS_WITHIN = 1.5
SILENT = "no heartbeat from its run for"


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> TimedHost:
    return TimedHost(tmp_path, monkeypatch)


@pytest.fixture
def timed(node: Node, make_balancer: t.Any) -> t.Any:
    return make_balancer(node)


def drain(balancer: t.Any, host: TimedHost, *names: str, token: int = 3) -> None:
    outcome = balancer.put(*names, state="drained", claim=host.claim(token), restore_timer=True)
    assert outcome.error == ""


def states(balancer: t.Any) -> dict[str, str]:
    return {name: member["own"] for name, member in balancer.info()["members"].items()}


def test_only_unchanged_members_are_back_once_the_controller_is_silent(host: TimedHost, timed: t.Any) -> None:
    assert host.begin()["armed"]
    drain(timed, host, "app1", "app2")
    assert host.call("changing", members=["app2"])["changed"]
    assert host.look() == (0, "")
    assert states(timed) == {"app1": "drained", "app2": "drained", "app3": "in_service"}
    host.later(601)
    status, said = host.look()
    assert status == 0, said
    assert states(timed) == {"app1": "in_service", "app2": "drained", "app3": "in_service"}
    where = timed.settings["host"] + " " + timed.settings["socket"]
    assert said.startswith(f"shop: app1 was put back in service on {where}: {SILENT} 60")
    assert "shop: app2 was not restored on " in said
    assert "but it was being changed; run the same playbook again to resume or roll back." in said
    # A subprocess cannot reach the root of this test, so its stop found nothing; the record says it has nothing to do.
    assert host.record["is_scheduled"] is False
    assert host.members() == [([], ["app2"])]


@pytest.mark.skipif(not OLDEST, reason="needs Python 3.8")
def test_the_oldest_python_of_a_host_restores_too(host: TimedHost, timed: t.Any) -> None:
    host.begin()
    drain(timed, host, "app1")
    host.later(601)
    assert host.look(str(OLDEST))[0] == 0
    assert states(timed)["app1"] == "in_service"


def test_the_next_run_reports_it_and_does_what_is_left(host: TimedHost, timed: t.Any) -> None:
    host.begin()
    drain(timed, host, "app1", "app2")
    host.call("changing", members=["app2"])
    host.later(601)
    host.look()
    reports = host.begin(4)["reports"]
    assert [(one["member"], one["outcome"]) for one in reports] == [("app1", "restored"), ("app2", "left_changing")]
    assert host.record["token"] == 4
    assert host.members() == [([], ["app2"])]
    outcome = timed.put("app2", state="in_service", claim=host.claim(4))
    assert outcome.error == ""
    assert host.members() == []
    assert host.call("renewed", 4)["armed"]
    assert host.begin(5)["reports"] == []


def test_a_run_that_goes_on_is_never_interfered_with(host: TimedHost, timed: t.Any) -> None:
    host.begin()
    drain(timed, host, "app1")
    host.later(601)
    assert host.call("renewed")["armed"]
    assert host.look() == (0, "")
    assert states(timed)["app1"] == "drained"


def test_nothing_is_done_against_a_newer_claim(host: TimedHost, timed: t.Any) -> None:
    host.begin()
    drain(timed, host, "app1")
    host.later(601)
    host.acquire(4)
    assert host.look() == (0, "")
    assert states(timed)["app1"] == "drained"
    assert host.call("renewed").error.endswith(
        "(token 4, ours is 3) has taken over; this run makes no further changes."
    )


def test_what_a_run_without_a_timer_may_have_changed_stays_out(host: TimedHost, timed: t.Any) -> None:
    """The third run would have restored what the second one, which had no timer, left half-updated."""
    host.begin()
    drain(timed, host, "app1")
    host.acquire(4)
    host.begin(5)
    host.later(601)
    assert host.look() == (0, "")
    assert states(timed)["app1"] == "drained"


def test_the_next_run_with_a_timer_restores_what_the_one_before_had_drained(host: TimedHost, timed: t.Any) -> None:
    host.begin()
    drain(timed, host, "app1")
    host.begin(4)
    host.later(601)
    assert host.look()[0] == 0
    assert states(timed)["app1"] == "in_service"


def test_a_run_that_was_silent_and_is_alive_after_all_changes_no_host_that_was_put_back(
    host: TimedHost, timed: t.Any
) -> None:
    host.begin()
    drain(timed, host, "app1")
    host.later(601)
    host.look()
    assert host.call("changing", members=["app1"]).error == (
        "The restore timer has put app1 back in service, because no heartbeat from this run had arrived for 600 s "
        "(rollout_restore_after). Its host is unchanged; check the connection to the balancer's host, then run the same "
        "playbook again."
    )
    host.asked.clear()
    assert host.call("renewed")["armed"]
    assert [word.split()[1] for word in host.asked] == ["enable", "restart"]
    drain(timed, host, "app1")
    assert host.call("changing", members=["app1"])["changed"]


def test_after_a_reboot_of_the_balancers_host_the_time_starts_again(host: TimedHost, timed: t.Any) -> None:
    host.begin()
    drain(timed, host, "app1")
    host.reboot()
    assert host.look() == (0, "")
    assert states(timed)["app1"] == "drained"
    host.later(601)
    host.look()
    assert states(timed)["app1"] == "in_service"


def test_what_somebody_else_has_changed_since_is_left_to_them(host: TimedHost, node: Node, timed: t.Any) -> None:
    host.begin()
    drain(timed, host, "app1", "app2")
    node.ask("set server shop/app1 state maint")
    host.later(601)
    status, said = host.look()
    assert status == 0
    assert states(timed) == {"app1": "maintenance", "app2": "in_service", "app3": "in_service"}
    assert "shop: app1 was not restored on" in said
    assert "somebody else has changed it, it is now maintenance." in said


def test_a_member_that_was_put_back_is_drained_by_an_operator_and_stays_so(
    host: TimedHost, node: Node, timed: t.Any
) -> None:
    host.begin()
    drain(timed, host, "app1")
    assert timed.put("app1", state="in_service", claim=host.claim()).error == ""
    node.ask("set server shop/app1 state drain")
    host.later(601)
    assert host.look() == (0, "")
    assert states(timed)["app1"] == "drained"


def test_a_balancer_that_does_not_answer_is_tried_again(host: TimedHost, node: Node, timed: t.Any) -> None:
    host.begin()
    drain(timed, host, "app1")
    host.later(601)
    place = pathlib.Path(node.socket("admin"))
    place.rename(f"{place}.away")
    status, said = host.look()
    assert status == 1
    assert said.startswith("shop: cannot put app1 back in service: ")
    pathlib.Path(f"{place}.away").rename(place)
    assert host.look()[0] == 0
    assert states(timed)["app1"] == "in_service"


def test_a_disarmed_timer_leaves_nothing_and_drains_as_ever(host: TimedHost, timed: t.Any) -> None:
    host.begin()
    drain(timed, host, "app1")
    assert host.call("disarmed")["changed"]
    assert not host.is_scheduled()
    assert not (host.directory / "shop.restore").exists()
    drain(timed, host, "app2")
    assert not (host.directory / "shop.restore").exists()
    assert host.call("changing", members=["app2"])["armed"] is False


def test_a_drain_without_leave_is_not_restored(host: TimedHost, timed: t.Any) -> None:
    host.begin()
    assert timed.put("app1", state="drained", claim=host.claim()).error == ""
    host.later(601)
    assert host.look() == (0, "")
    assert states(timed)["app1"] == "drained"


def test_a_mark_that_comes_while_the_timer_waits_for_its_turn_counts(host: TimedHost, timed: t.Any) -> None:
    """The program decides before it has the claim's lock, and again with it."""
    host.begin()
    drain(timed, host, "app1")
    host.later(601)
    path = str(host.directory / "shop.restore")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with claims.held(Claim(**host.claim())):
            looking = pool.submit(host.look)
            time.sleep(LOOK_BEGINS_WITHIN)
            timer = record.read(path)
            assert timer is not None
            record.write(path, timer.with_changing(["app1"]))
        status, said = looking.result()
    assert status == 0
    assert states(timed)["app1"] == "drained"
    assert said.startswith("shop: app1 was not restored on lb1 ")
