# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release of three services in the ledger, verb by verb; each service is rolled by verbs of its own."""

from __future__ import annotations

import typing as t

import pytest
from support.ledger_client import OWNER, FakeClock, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger import dispatch
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import HELD, LOST, LeaseLost
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.store import Store

TIERS = [
    {"name": "web", "service": "shop-web", "fleet": "web", "version": "2.0.0", "needs": ["api"]},
    {"name": "api", "service": "shop-api", "fleet": "api", "version": "2.0.0", "needs": ["db"]},
    {"name": "db", "service": "shop-db", "fleet": "db", "version": "2.0.0", "needs": []},
]
DRILL = [
    {**one, "version": "1.0.0", "revision": "rollback-drill" if one["name"] == "web" else "tiers-drill"}
    for one in TIERS
]
OTHER = {**OWNER, "pid": 815}


class Release:
    """The release, with what its services run; a run is one call of run()."""

    def __init__(self) -> None:
        self.store, self.fake = Store.in_memory(), FakeClock()
        self.ledger = Ledger(self.store, clock=self.fake.clock())
        self.runs = dict.fromkeys(("shop-db", "shop-api", "shop-web"), "1.0.0")
        self.run_id = ""
        self.number = 0

    def verb(self, state: str, **options: t.Any) -> dict[str, t.Any]:
        return dispatch.performed(self.ledger, dispatch.OF_TIERS[state], {"state": state, **options})

    def open(self, tiers: t.Sequence[dict[str, t.Any]] = (), **options: t.Any) -> dict[str, t.Any]:
        """All three of them unless some are given."""
        answer = self.verb("opened", **{"tiers": tiers or TIERS, "owner": OWNER, **options})
        self.run_id, self.number = answer["run"], 0
        return answer

    def next(self) -> dict[str, t.Any]:
        self.number += 1
        return self.verb("next", run=self.run_id, number=self.number)

    def conclude(self) -> dict[str, t.Any]:
        return self.verb("concluded", run=self.run_id)

    def client(self, turn: dict[str, t.Any]) -> LedgerClient:
        client = LedgerClient(turn["service"], self.store)
        client.ledger, client.fake = self.ledger, self.fake
        return client

    def begin(self, turn: dict[str, t.Any]) -> LedgerClient:
        client = self.client(turn)
        client.open(turn["version"], revision=turn["revision"], resume=turn["resume"], release_run=turn["release_run"])
        hosts = self.hosts(turn["service"])
        client.plan(hosts, balancers=[pool(hosts)])
        return client

    def hosts(self, service: str) -> list[dict[str, t.Any]]:
        return fleet(2, version=self.runs[service])

    def end(self, client: LedgerClient, **options: t.Any) -> dict[str, t.Any]:
        hosts = self.hosts(client.service)
        return client.rollout("concluded", hosts=hosts, balancers=[pool(hosts)], **options)

    def roll(self, turn: dict[str, t.Any], fails: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """The whole rollout of one service; *options* are of its end."""
        client = self.begin(turn)
        if turn["resume"] == "revert":
            self.go_back(client)
        elif fails:
            client.admit("app1")
            client.host("failed", "app1", kind="health", error="HTTP 500")
            client.host("reverted", "app1", version="1.0.0")
            client.rollout("reverting")
        else:
            for host in client.info()["hosts"]:
                if host["phase"] == "waiting":
                    client.go(host["host"])
            self.runs[client.service] = "2.0.0"
        return self.end(client, **options)

    def go_back(self, client: LedgerClient) -> None:
        for name in client.rollout("reverting")["order"]:
            client.admit(name)
            client.host("reverted", name, version="1.0.0")
        self.runs[client.service] = "1.0.0"

    def roll_all(self, failing: str = "") -> list[str]:
        """The services in the order in which they had their turn."""
        seen: list[str] = []
        while not (turn := self.next())["over"]:
            seen.append(f"{turn['name']} {turn['resume']}")
            self.roll(turn, fails=turn["name"] == failing and turn["resume"] == "continue")
        return seen


@pytest.fixture
def release() -> Release:
    return Release()


def test_three_services_are_released_in_the_order_of_needs(release: Release) -> None:
    opened = release.open()
    assert opened["text"] == [
        "release of 3 services, in this order",
        "service  version  release  needs  state",
        "db       -        2.0.0    -      not started",
        "api      -        2.0.0    db     not started",
        "web      -        2.0.0    api    not started",
    ]
    assert release.roll_all() == ["db continue", "api continue", "web continue"]
    end = release.conclude()
    assert (end["succeeded"], end["outcome"]) == (True, "done")
    assert end["message"] == "all 3 services are released: db 2.0.0, api 2.0.0, web 2.0.0."
    assert [service["holder"] for service in release.client({"service": None}).info()["services"]] == [None] * 3


def test_a_failure_in_the_second_service_takes_the_first_one_back(release: Release) -> None:
    release.open()
    assert release.roll_all(failing="api") == ["db continue", "api continue", "db revert"]
    end = release.conclude()
    assert (end["succeeded"], end["outcome"]) == (False, "reverted")
    assert end["message"] == (
        "The release of db, api, web was rolled back: shop-api: 2.0.0 rolled back: app1 failed (health: HTTP 500). The one "
        "changed host, app1, serves 1.0.0 again and 2.0.0 is marked bad. Roll out a corrected version. 2 services are back "
        "on the previous version: api, db."
    )
    assert set(release.runs.values()) == {"1.0.0"}


def test_a_service_that_was_on_its_version_keeps_it_when_the_others_go_back(release: Release) -> None:
    release.runs["shop-db"] = "2.0.0"
    release.open()
    assert release.roll_all(failing="web") == ["db continue", "api continue", "web continue", "api revert"]
    assert release.conclude()["states"] == {"db": "skipped", "api": "reverted", "web": "reverted"}


def test_a_finished_release_is_rolled_back_in_reverse_order(release: Release) -> None:
    release.open()
    release.roll_all()
    release.conclude()
    release.open()
    assert release.roll_all() == ["db continue", "api continue", "web continue"]
    assert release.conclude()["message"] == ("all 3 services are released (3 skipped): db 2.0.0, api 2.0.0, web 2.0.0.")
    opened = release.open(resume="revert")
    assert opened["text"][0] == (
        "rolling back the release of db, api, web, in reverse order (the operator asked for a rollback)"
    )
    assert release.roll_all() == ["web revert", "api revert", "db revert"]
    end = release.conclude()
    assert (end["succeeded"], end["outcome"]) == (True, "reverted")
    with pytest.raises(RolloutError) as refused:
        release.open(resume="revert")
    assert (
        refused.value.message
        == "there is no release of db, api, web to roll back: the last one was already rolled back."
    )


def test_the_status_screen_shows_the_release_of_a_service(release: Release) -> None:
    release.open()
    release.roll(release.next())
    client = release.client({"service": "shop-api"})
    assert client.info()["text"][-1] == (
        "release of several services (under way): db 2.0.0 released, api 2.0.0 not started, web 2.0.0 not started"
    )
    release.roll(release.next(), fails=True)
    shown = client.info()["release"]
    assert (shown["direction"], shown["services"][1]) == (
        "back",
        {"name": "api", "service": "shop-api", "version": "2.0.0", "needs": ["db"], "state": "reverted"},
    )
    assert shown["text"] == (
        "rollback of the release of several services (under way): db 2.0.0 released, api 2.0.0 rolled back, web 2.0.0 not "
        "started"
    )


def test_without_a_release_there_is_nothing_to_roll_back(release: Release) -> None:
    with pytest.raises(RolloutError) as refused:
        release.open(resume="revert")
    assert refused.value.message == "there is no release of db, api, web to roll back: the ledger has none."


def test_the_same_command_goes_on_where_a_killed_run_was(release: Release) -> None:
    release.open()
    release.roll(release.next())
    killed = release.begin(release.next())
    killed.go("app1")
    release.fake.move(61)
    again = release.open(owner=OTHER)
    assert again["resumed"] is True
    release.runs["shop-api"] = "1.0.0"
    assert release.roll_all() == ["api continue", "web continue"]
    assert release.conclude()["outcome"] == "done"
    with pytest.raises(LeaseLost):
        killed.host("failed", "app2", kind="health", error="HTTP 500")


def test_a_killed_run_is_rolled_back_as_a_whole_where_the_operator_says_so(release: Release) -> None:
    release.open()
    release.roll(release.next())
    release.begin(release.next()).go("app1")
    release.fake.move(61)
    release.open(owner=OTHER, resume="revert")
    assert release.roll_all() == ["api revert", "db revert"]
    assert release.conclude()["succeeded"] is True


def test_a_release_that_was_killed_before_it_changed_anything_does_not_take_the_one_before_it_back(
    release: Release,
) -> None:
    release.open()
    release.roll_all()
    release.conclude()
    newer = [{**one, "version": "2.1.0"} for one in TIERS]
    release.open(newer)
    release.fake.move(61)
    release.open(newer, owner=OTHER, resume="revert")
    assert release.next()["over"] is True
    end = release.conclude()
    assert (end["succeeded"], end["message"]) == (
        True,
        "The release of db, api, web was rolled back: the operator asked for a rollback. No service was changed.",
    )


def test_a_killed_way_back_goes_on_as_a_way_back(release: Release) -> None:
    release.open()
    release.roll(release.next())
    release.roll(release.next(), fails=True)
    release.begin(release.next()).rollout("reverting")
    release.fake.move(61)
    assert release.open(owner=OTHER)["direction"] == "back"
    assert release.roll_all() == ["db revert"]
    assert release.conclude()["outcome"] == "reverted"


def test_a_second_run_gets_no_lease_at_all_while_the_first_one_is_between_two_services(release: Release) -> None:
    release.open()
    release.roll(release.next())
    for attempt in (
        lambda: release.verb("opened", tiers=TIERS, owner=OTHER),
        lambda: release.client({"service": "shop-web"}).open("3.0.0"),
    ):
        with pytest.raises(RolloutError) as refused:
            attempt()
        assert refused.value.result["kind"] == HELD
        assert "a release of db, api, web is being run by ops on laptop (pid 4711)" in refused.value.message
    assert release.roll_all() == ["api continue", "web continue"]


def test_the_leases_of_services_that_wait_are_renewed_by_the_one_at_work(release: Release) -> None:
    release.open()
    client = release.begin(release.next())
    for dummy in range(4):
        release.fake.move(50)
        client.watch()
    with pytest.raises(RolloutError) as refused:
        release.client({"service": "shop-web"}).open("3.0.0")
    assert "is being run by ops on laptop" in refused.value.message


def test_one_proof_that_the_process_is_gone_counts_for_all_its_leases(release: Release) -> None:
    release.open()
    killed = release.begin(release.next())
    with pytest.raises(RolloutError) as refused:
        release.open(owner=OTHER)
    previous = refused.value.result["holder"]["run"]
    assert previous != killed.run
    assert release.open(owner=OTHER, owner_gone=True, previous_run=previous)["resumed"] is True


def test_a_release_that_lost_a_service_goes_no_further(release: Release) -> None:
    release.open()
    release.client({"service": "shop-web"}).open("3.0.0", take_over=True, owner=OTHER)
    with pytest.raises(LeaseLost) as lost:
        release.next()
    assert lost.value.message == (
        "lease lost: another run has taken the lease of shop-web, so this release stops. Run the same command again when that "
        "run has ended."
    )
    assert lost.value.result["kind"] == LOST


def test_the_watch_of_a_service_that_is_over_ends_quietly(release: Release) -> None:
    release.open()
    client = release.begin(release.next())
    client.go("app1")
    client.go("app2")
    release.runs["shop-db"] = "2.0.0"
    release.end(client)
    for dummy in range(2):
        answer = client.watch()
        assert (answer["holds_lease"], answer["is_over"], answer["messages"]) == (False, True, [])
        release.next()
    release.fake.move(61)
    release.open(owner=OTHER)
    answer = client.watch()
    assert (answer["holds_lease"], answer["is_over"]) == (False, False)
    assert "shop-db is now held by ops on laptop (pid 815)" in answer["messages"][0]


def test_a_bad_version_of_the_last_service_is_refused_before_the_first_is_touched(release: Release) -> None:
    release.open()
    release.roll_all(failing="web")
    release.conclude()
    with pytest.raises(InputError) as refused:
        release.open()
    assert refused.value.message == (
        "shop-web: 2.0.0 is marked bad since 2026-09-21 14:13:20 UTC (app1 failed (health: HTTP 500)). Release another "
        "version, or try this one again with -e rollout_allow_bad=true."
    )


def test_what_stops_a_service_before_its_first_host_holds_the_release(release: Release) -> None:
    release.open()
    release.roll(release.next())
    turn = release.next()
    release.verb("stopped", run=release.run_id, service=turn["service"], error="lb1 does not answer.", kind="balancer")
    assert release.next()["over"] is True
    end = release.conclude()
    assert (end["outcome"], end["reason_kind"]) == ("incomplete", "balancer")
    assert end["message"] == (
        "The release of db, api, web is not complete: shop-api: lb1 does not answer. State: db released; api not started; web "
        "not started. Fix the cause and run the same command again to resume, or roll back with -e rollout_resume=revert."
    )


def test_a_run_killed_right_after_its_last_host_lost_that_the_migration_had_failed(release: Release) -> None:
    """Each end of a service was recorded before what had failed after its hosts: the next service had its turn."""
    release.open()
    release.roll(release.next(), unfinished="contract failed: the column is still read")
    assert release.next()["over"]
    release.open(owner=OTHER, take_over=True)
    turn = release.next()
    assert (turn["name"], turn["resume"]) == ("db", "continue")
    release.roll(turn)
    assert release.next()["name"] == "api"


def test_the_failure_of_a_run_that_rolled_its_service_back_does_not_keep_the_others_from_going_back(
    release: Release,
) -> None:
    release.open()
    release.roll(release.next())
    turn = release.next()
    release.roll(turn, fails=True)
    release.verb("stopped", run=release.run_id, service=turn["service"], error="shop-api: 2.0.0 rolled back: HTTP 500.")
    assert release.roll_all() == ["db revert"]


def test_other_versions_replace_a_release_that_is_not_finished(release: Release) -> None:
    release.open()
    release.roll(release.next())
    release.conclude()
    newer = [{**one, "version": "2.1.0"} for one in TIERS]
    assert release.open(newer)["resumed"] is False


def test_services_that_were_done_did_not_get_the_revision_that_another_run_was_started_with(release: Release) -> None:
    """Only the versions were compared, so the run resumed the release of the revision before."""
    seventh = [{**one, "revision": "7"} for one in TIERS]
    release.open(seventh)
    release.conclude()
    assert release.open(seventh)["resumed"] is True
    release.conclude()
    opened = release.open([{**one, "revision": "8"} for one in TIERS])
    assert opened["resumed"] is False
    assert opened["text"][2] == "db       -        2.0.0 revision 8  -      not started"
    turn = release.next()
    assert (turn["version"], turn["revision"]) == ("2.0.0", "8")


def test_a_service_with_a_newer_rollout_of_its_own_is_not_rolled_back_by_the_release(release: Release) -> None:
    release.open()
    release.roll_all()
    release.conclude()
    own = release.client({"service": "shop-web"})
    own.open("2.0.1")
    hosts = release.hosts("shop-web")
    own.plan(hosts, balancers=[pool(hosts)])
    release.fake.move(61)
    release.open(resume="revert")
    with pytest.raises(RolloutError) as refused:
        release.begin(release.next())
    assert refused.value.message == (
        "shop-web: cannot roll back this release's rollout of 2.0.0: a rollout of 2.0.1 has replaced it. Roll this service "
        "back separately with rollback.yml."
    )


def test_a_restart_or_a_drill_after_the_release_does_not_stand_in_the_way_of_its_rollback(release: Release) -> None:
    release.open()
    release.roll_all()
    release.conclude()
    own = release.client({"service": "shop-web"})
    hosts = release.hosts("shop-web")
    own.open("", operation="restart", name="november")
    own.plan(hosts, balancers=[pool(hosts)])
    release.end(own)
    own.open("2.0.0", revision="rollback-drill")
    own.plan(hosts, balancers=[pool(hosts)])
    own.admit("app1")
    own.host("failed", "app1", kind="health", error=versions.ON_PURPOSE)
    own.host("reverted", "app1", version="2.0.0")
    own.rollout("reverting")
    assert release.end(own)["outcome"] == "reverted"
    release.open(resume="revert")
    assert release.roll_all() == ["web revert", "api revert", "db revert"]
    assert release.conclude()["outcome"] == "reverted"


def test_check_mode_gives_each_service_its_turn_and_records_nothing(release: Release) -> None:
    release.ledger = Ledger(release.store, True, clock=release.fake.clock())
    assert release.open()["run"] == ""
    given = [next(one for one in TIERS if one["name"] == name) for name in ("db", "api", "web")]
    turns = [release.verb("next", number=number, tiers=given) for number in (1, 2, 3, 4)]
    assert [turn["text"] for turn in turns] == [
        ["db: 2.0.0, service 1 of 3"],
        ["api: 2.0.0, service 2 of 3"],
        ["web: 2.0.0, service 3 of 3"],
        [],
    ]
    assert turns[-1]["over"] is True
    release.ledger = Ledger(release.store, clock=release.fake.clock())
    assert release.client({"service": None}).info()["services"] == []


def test_a_drill_passes_where_the_service_that_is_to_fail_was_rolled_back_and_the_others_after_it(
    release: Release,
) -> None:
    release.open(DRILL)
    assert drilled(release) == ["db continue", "api continue", "web continue", "api revert", "db revert"]
    end = release.conclude()
    assert (end["succeeded"], end["outcome"]) == (True, "reverted")
    assert end["message"] == (
        "The drill of db 1.0.0, api 1.0.0, web 1.0.0 has passed: app1 failed on purpose, and web, api, db were rolled back in this "
        "order, one host each, within 7.0 s. A release that never becomes healthy is noticed later, by rollout_healthy_deadline."
    )
    assert release.client({"service": None}).info()["bad"] == []


def test_a_drill_does_not_pass_where_another_service_failed(release: Release) -> None:
    release.open(DRILL)
    drilled(release, error="HTTP 500", failing="api")
    end = release.conclude()
    assert (end["succeeded"], end["outcome"]) == (False, "reverted")
    assert end["message"] == (
        "The release of db, api, web was rolled back: shop-api: 1.0.0 revision tiers-drill rolled back: app1 failed (health: HTTP "
        "500). The one changed host, app1, serves 1.0.0 again. Fix the cause, then run again. 2 services are back on the previous "
        "version: api, db."
    )


def test_a_drill_does_not_pass_where_the_service_failed_by_itself(release: Release) -> None:
    release.open(DRILL)
    drilled(release, error="HTTP 500")
    end = release.conclude()
    assert (end["succeeded"], end["outcome"]) == (False, "reverted")
    assert end["message"].startswith("The release of db, api, web was rolled back: "), end["message"]


def test_a_killed_drill_goes_on_whichever_service_is_to_fail_now(release: Release) -> None:
    release.open(DRILL)
    drill_one(release, release.next())
    release.fake.move(61)
    other = [{**one, "revision": "rollback-drill" if one["name"] == "api" else "tiers-drill"} for one in DRILL]
    assert release.open(other, owner=OTHER)["resumed"] is True
    assert drilled(release) == ["api continue", "web continue", "api revert", "db revert"]


def test_no_drill_replaces_a_release_that_is_not_finished(release: Release) -> None:
    release.open()
    release.roll(release.next())
    release.conclude()
    with pytest.raises(RolloutError) as refused:
        release.open(DRILL)
    assert refused.value.message == (
        "the release of db 2.0.0, api 2.0.0, web 2.0.0 is not finished, and a drill would replace it. Finish it or roll it back "
        "first. Nothing was touched."
    )


def test_a_release_of_what_runs_is_not_taken_for_the_drill_that_was_killed(release: Release) -> None:
    release.open(DRILL)
    drill_one(release, release.next())
    release.fake.move(61)
    assert release.open([{**one, "version": "1.0.0"} for one in TIERS], owner=OTHER)["resumed"] is False
    assert release.next()["revision"] == ""


def test_after_a_drill_the_release_before_it_is_rolled_back(release: Release) -> None:
    """The drill was the last one, and was rolled back already."""
    release.open()
    release.roll_all()
    release.conclude()
    release.open([{**one, "version": "2.0.0"} for one in DRILL])
    drilled(release)
    assert release.conclude()["succeeded"] is True
    release.open(resume="revert")
    assert release.roll_all() == ["web revert", "api revert", "db revert"]
    assert set(release.runs.values()) == {"1.0.0"}


def drilled(release: Release, error: str = versions.ON_PURPOSE, failing: str = "web") -> list[str]:
    """The services in the order in which they had their turn."""
    seen: list[str] = []
    while not (turn := release.next())["over"]:
        seen.append(f"{turn['name']} {turn['resume']}")
        fails = turn["name"] == failing and turn["resume"] == "continue"
        drill_one(release, turn, error if fails else "")
    return seen


def drill_one(release: Release, turn: dict[str, t.Any], error: str = "") -> None:
    """On one of its two hosts; a rollback takes 7 s."""
    client = release.client(turn)
    client.open(turn["version"], revision=turn["revision"], resume=turn["resume"], release_run=turn["release_run"])
    hosts = [{**host, "in_scope": host["name"] == "app1"} for host in release.hosts(turn["service"])]
    client.plan(hosts, balancers=[pool(hosts)])
    runs = release.runs[turn["service"]]
    if turn["resume"] == "revert":
        assert client.rollout("reverting")["order"] == ["app1"]
        client.admit("app1")
        client.host("reverted", "app1", version=runs)
    elif error:
        client.admit("app1")
        client.host("failed", "app1", kind="health", error=error)
        release.fake.move(7)
        client.host("reverted", "app1", version=runs)
        client.rollout("reverting")
    else:
        client.admit("app1")
        client.host("changing", "app1", step="update", limit=100)
        client.host("proven", "app1", version=runs, revision=turn["revision"])
    client.rollout("concluded", hosts=hosts, balancers=[pool(hosts)])
