# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member that a pool is to have, or to have no longer, on a pool in memory."""

from __future__ import annotations

import typing as t

from support.cores import Outcome, params_of
from support.pools import FakePool, ManualClock, member

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import MemberBusy, NewMember
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools import membership
from ansible_collections.steady.rollout.plugins.modules import lb_pool

NEW = {"member": "app9", "address": "192.0.2.9:80"}


class Growing(FakePool):
    """A pool that can be changed; *busy* is how often it refuses to remove, *forgets* what it loses at a reload."""

    capabilities = FakePool.capabilities | {contract.CAN_ADD}

    def __init__(self, *names: str, busy: int = 0, ignores_changes: bool = False) -> None:
        super().__init__(*(member(name) for name in names))
        self.busy = busy
        self.ignores_changes = ignores_changes

    def add_member(self, new: NewMember) -> None:
        self.asked.append(("add", new))
        if not self.ignores_changes:
            self.members[new.name] = member(new.name, contract.DRAINED, address=new.address)

    def remove_member(self, name: str) -> None:
        self.asked.append(("remove", name))
        if self.busy:
            self.busy -= 1
            raise MemberBusy(f"lb1: '{name}' has connections.")
        if not self.ignores_changes:
            del self.members[name]

    def lost_by_reload(self, change: NewMember | str) -> str:
        return f"write {change if isinstance(change, str) else change.name}"


def called(pool: FakePool, check_mode: bool = False, time: ManualClock | None = None, **options: t.Any) -> Outcome:
    settings = {"type": "haproxy", "host": "lb1", "socket": "/a.sock", "pool": "shop", "member_parameters": "check"}
    call = Call(params_of(lb_pool, {"balancer": settings, **options}), check_mode, True, str, lambda: (0, "", ""))
    try:
        return Outcome(membership.changed(call, pool, (time or ManualClock()).clock), "", [])
    except RolloutError as error:
        return Outcome(error.result, error.message, [])


def done(pool: FakePool) -> list[str]:
    return [verb for verb, dummy in pool.asked]


def test_a_new_member_is_drained_and_what_a_reload_undoes_is_said() -> None:
    pool = Growing("app1")
    outcome = called(pool, **NEW)
    assert (outcome.error, outcome["changed"], outcome["to_configure"]) == ("", True, "write app9")
    assert outcome["actions"] == ["added 'app9' (192.0.2.9:80) to pool 'shop', drained"]
    assert outcome["msg"] == "app9 on lb1: added 'app9' (192.0.2.9:80) to pool 'shop', drained. write app9"
    assert pool.asked == [("add", NewMember("app9", "192.0.2.9:80", "check"))]
    assert outcome["diff"]["before"] == {"app1": "192.0.2.1:80"}
    assert outcome["diff"]["after"] == {"app1": "192.0.2.1:80", "app9": "192.0.2.9:80"}


def test_a_member_that_is_there_is_left_as_it_is() -> None:
    pool = Growing("app1")
    pool.members["app9"] = member("app9", address="192.0.2.9:80")
    outcome = called(pool, **NEW)
    assert (outcome.error, outcome["changed"], outcome["to_configure"], pool.asked) == ("", False, "", [])


def test_a_member_with_another_address_is_refused() -> None:
    pool = Growing("app1")
    outcome = called(pool, member="app1", address="192.0.2.9:80")
    assert outcome.error == (
        "lb1: expected 'app1' of pool 'shop' to have the address 192.0.2.9:80, found 192.0.2.1:80. Nothing was changed; "
        "correct address, or remove the member first (state=absent)."
    )
    assert pool.asked == []


def test_a_member_that_is_accepted_and_not_shown_is_an_error() -> None:
    outcome = called(Growing("app1", ignores_changes=True), **NEW)
    assert outcome.error == (
        "lb1: pool 'shop' accepted 'app9' but does not show it. Check whether the load balancer is being reloaded, then run again."
    )


def test_a_removed_member_is_drained_first() -> None:
    pool = Growing("app1", "app2")
    outcome = called(pool, member="app2", state="absent")
    assert (outcome.error, outcome["to_configure"], list(pool.members)) == ("", "write app2", ["app1"])
    assert done(pool) == ["set_admin", "remove", "save"]
    assert outcome["actions"] == [
        "set 'app2' of pool 'shop' from in_service to drained",
        "removed 'app2' from pool 'shop'",
    ]
    assert outcome["diff"]["after"] == {"app1": "192.0.2.1:80"}
    again = called(pool, member="app2", state="absent")
    assert (again.error, again["changed"], again["actions"]) == ("", False, [])


def test_a_node_that_still_closes_connections_is_asked_again() -> None:
    pool = Growing("app1", "app2", busy=3)
    outcome = called(pool, member="app2", state="absent")
    assert (outcome.error, done(pool)) == ("", ["set_admin", *["remove"] * 4, "save"])
    assert outcome["actions"][1:] == ["removed 'app2' from pool 'shop'"]


def test_a_member_that_stays_busy_stays_out_of_service() -> None:
    pool = Growing("app1", "app2", busy=1000)
    outcome = called(pool, member="app2", state="absent", timeout="5")
    assert outcome.error == (
        "lb1: 'app2' has connections. It is out of service and was not removed within 5 s; run again to remove it."
    )
    assert outcome["actions"] == ["set 'app2' of pool 'shop' from in_service to drained"]
    assert pool.members["app2"].own == contract.DRAINED


def test_a_member_that_somebody_puts_back_meanwhile_is_not_removed() -> None:
    pool, time = Growing("app1", "app2", busy=1), ManualClock()
    time.at(0.3, lambda: pool.operator_sets("app2", contract.IN_SERVICE))
    outcome = called(pool, time=time, member="app2", state="absent")
    assert outcome.error == (
        "lb1: 'app2' of pool 'shop' was put back in service by somebody else, so it was not removed. Find out what changes it "
        "besides this call, then run again."
    )
    assert "app2" in pool.members


def test_the_last_member_in_rotation_is_not_removed() -> None:
    pool = Growing("app1")
    outcome = called(pool, member="app1", state="absent")
    assert outcome.error == (
        "lb1: refused to take 'app1' out of pool 'shop': no member would be left in rotation (guard.allow_outage permits "
        "that). In rotation now: 'app1'. Nothing was changed; return other members to service first."
    )
    assert "app1" in pool.members


def test_check_mode_changes_nothing_and_says_the_same() -> None:
    pool = Growing("app1", "app2")
    for asked in (NEW, {"member": "app2", "state": "absent"}):
        would, is_now = called(pool, check_mode=True, **asked), list(pool.members)
        assert (would.error, would["changed"], pool.asked, is_now) == ("", True, [], ["app1", "app2"])
        assert set(would["diff"]["before"]) != set(would["diff"]["after"])


def test_a_type_that_cannot_is_refused_only_where_something_is_to_be_changed() -> None:
    pool = Growing("app1")
    pool.lacks = {contract.CAN_ADD: "it is carved in stone"}  # type: ignore[misc]
    outcome = called(pool, **NEW)
    assert outcome.error == (
        "lb1: cannot add or remove members of pool 'shop': it is carved in stone. Nothing was changed."
    )
    assert called(pool, member="app1", address="http://192.0.2.1").error == ""
    assert called(pool, member="app9", state="absent").error == ""
    assert called(pool, member="app1", state="absent").error.endswith("it is carved in stone. Nothing was changed.")
    assert pool.asked == []
