# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release by a flag at the ledger: its lease, its steps, what operators do to it, and what a killed run leaves."""

from __future__ import annotations

import typing as t

import pytest
from support.ledger_client import OWNER, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger import dispatch

STEPS = [{"percent": 1, "bake": "30m"}, {"percent": 10, "bake": 60}, {"percent": 100}]
BAD = ("fail", "inconclusive", "no_data")


class Release(LedgerClient):
    """With a flag that is set without errors."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.percent, self.why = "off", 0, ""
        self.segments: list[str] = []

    @property
    def found(self) -> list[dict[str, t.Any]]:
        shown = {"state": self.state, "percent": self.percent, "segments": self.segments, "why": self.why}
        return [{"where": "localhost", **shown}]

    def begin(self, **options: t.Any) -> dict[str, t.Any]:
        given = {"flag": "checkout", "place": "redis r1:6379", "command": "ansible ...", "steps": STEPS, **options}
        opened = self.of("opened", **{"found": self.found, "owner": OWNER, **given})
        if not opened["nothing_to_do"]:
            self.run, self.token = opened["run"], opened["token"]
        return opened

    def of(self, state: str, **options: t.Any) -> dict[str, t.Any]:
        return self._performed(dispatch.OF_FLAG_RELEASE[state], self._params(state, options))

    def ask(self, **options: t.Any) -> dict[str, t.Any]:
        return self.of("next", **{"found": self.found, **options})

    def obey(self, asked: dict[str, t.Any]) -> dict[str, t.Any]:
        """Sets the flag as asked and asks again."""
        if asked["act"] == "set":
            self.state, self.percent, self.segments = "on", asked["percent"], asked["segments"]
        elif asked["act"] == "off":
            self.state, self.percent = "off", 0
        return self.ask()

    def to(self, percent: int) -> dict[str, t.Any]:
        """Up to the bake at that share."""
        asked = self.ask()
        while asked["act"] != "bake" or self.percent != percent:
            asked = self.ask(verdict="pass") if asked["act"] == "bake" else self.obey(asked)
        return asked

    def withdrawn(self) -> dict[str, t.Any]:
        asked = self.ask()
        while asked["act"] != "over":
            assert asked["act"] == "off"
            asked = self.obey(asked)
        return self.of("concluded")

    def kill_the_controller(self) -> None:
        """And let the lease expire."""
        self.fake.move(120)


@pytest.fixture
def client() -> Release:
    return Release()


def test_a_release_goes_through_its_steps(client: Release) -> None:
    opened = client.begin()
    assert opened["text"] == ["shop: release of checkout at redis r1:6379: 1 % for 30 min, 10 % for 1 min, 100 %"]
    asked = client.obey(client.ask())
    assert (asked["act"], asked["seconds"]) == ("bake", 1800.0)
    assert asked["messages"] == ["checkout is on for 1 % of the users, bakes for 30 min"]
    assert client.info()["flag_release"]["text"] == "flag checkout at redis r1:6379: on for 1 %, step 1 of 3"
    asked = client.obey(client.ask(verdict="pass", reason="no more errors"))
    assert asked["messages"] == ["checkout is on for 10 % of the users, bakes for 1 min"]
    asked = client.obey(client.ask(verdict="pass"))
    assert (asked["act"], client.percent) == ("bake", 100)
    assert client.ask(verdict="not_judged", reason="nothing is measured")["act"] == "over"
    done = client.of("concluded")
    assert (done["succeeded"], done["message"]) == (True, "shop: checkout is on for 100 % of the users.")
    assert client.info()["services"][0]["holder"] is None


def test_running_what_is_released_again_moves_nothing(client: Release) -> None:
    client.state, client.percent = "on", 100
    opened = client.begin()
    assert (opened["nothing_to_do"], opened["changed"]) == (True, False)
    assert opened["text"] == ["shop: checkout is on for 100 % of the users; there is nothing to do"]
    assert client.info()["services"] == []


@pytest.mark.parametrize("verdict", BAD)
def test_a_verdict_that_is_not_good_turns_it_off_first(client: Release, verdict: str) -> None:
    client.begin()
    client.to(10)
    asked = client.ask(verdict=verdict, reason="3 % errors.")
    assert asked["act"] == "off"
    assert asked["messages"] == [f"stopped: the gate at 10 %: {verdict}: 3 % errors; turning checkout off"]
    assert client.obey(asked)["messages"] == ["checkout is off"]
    done = client.of("concluded")
    assert (done["succeeded"], done["outcome"]) == (False, "reverted")
    assert done["message"] == f"shop: checkout is off; the gate at 10 %: {verdict}: 3 % errors."


def test_one_lease_for_rollouts_and_releases(client: Release) -> None:
    client.begin()
    with pytest.raises(RolloutError, match=r"^shop: a rollout of flag checkout is being run by ops on laptop"):
        client.open("2.0.0")


def test_a_release_that_was_killed_goes_on_where_it_was_and_bakes_again(client: Release) -> None:
    client.begin()
    client.to(10)
    client.kill_the_controller()
    opened = client.begin()
    assert opened["resumed"] is True
    assert opened["text"][1] == "an earlier run has left it unfinished; this run resumes: on for 10 %"
    asked = client.ask()
    assert (asked["act"], asked["share"], asked["seconds"]) == ("bake", 10, 60.0)


def test_a_share_that_was_set_by_a_run_killed_right_after_it_was_taken_for_somebody_else_s(client: Release) -> None:
    client.begin()
    client.to(1)
    asked = client.ask(verdict="pass")
    assert (asked["act"], asked["percent"]) == ("set", 10)
    intended = [event["data"] for event in client.info()["events"] if event["kind"] == "flag_intended"]
    assert intended[-1] == {"flag": "checkout", "percent": 10, "number": 1}
    client.percent = 10
    client.kill_the_controller()
    client.begin()
    asked = client.ask()
    assert (asked["act"], asked["share"]) == ("bake", 10)


def test_a_release_that_was_killed_while_it_was_turned_off_is_turned_off(client: Release) -> None:
    client.begin()
    client.to(10)
    client.ask(verdict="fail", reason="3 % errors")
    client.kill_the_controller()
    opened = client.begin(refused="its rules", steps=[{"percent": 50}])
    assert opened["text"][1] == "an earlier run has left it unfinished; this run turns the flag off"
    assert client.withdrawn()["message"] == "shop: checkout is off; the gate at 10 %: fail: 3 % errors."


def test_other_steps_are_another_release(client: Release) -> None:
    client.begin()
    client.to(10)
    client.kill_the_controller()
    with pytest.raises(RolloutError) as refused:
        client.begin(steps=[{"percent": 50}])
    assert refused.value.message == (
        "shop: the release of flag checkout is not finished (on for 10 %). Run it again with the steps 1 % for 30 min, 10 % for 1 "
        "min, 100 % to resume it, or with -e rollout_resume=revert to turn the flag off; then begin another one."
    )


def test_the_operator_has_it_turned_off(client: Release) -> None:
    client.begin()
    client.to(10)
    client.kill_the_controller()
    client.begin(resume="revert")
    done = client.withdrawn()
    assert (done["succeeded"], done["message"]) == (True, "shop: checkout is off; the operator asked for a rollback.")
    with pytest.raises(RolloutError) as refused:
        client.begin(resume="revert")
    assert refused.value.message == (
        "shop: there is no unfinished release of checkout. Turn a flag off with state=off of steady.rollout.feature_flag."
    )


def test_an_abort_turns_it_off(client: Release) -> None:
    client.begin()
    client.to(1)
    client.rollout("aborted")
    done = client.withdrawn()
    assert (done["succeeded"], done["message"]) == (False, "shop: checkout is off; the operator aborted it.")


def test_a_pause_holds_the_next_share_until_it_is_resumed(client: Release) -> None:
    client.begin()
    client.to(1)
    client.rollout("paused")
    client.fake.at(client.fake.time + 30, lambda: client.rollout("resumed"))
    asked = client.ask(verdict="pass")
    assert (asked["act"], client.percent) == ("read", 1)
    assert client.ask()["percent"] == 10


def test_a_promotion_ends_the_bake(client: Release) -> None:
    client.begin()
    client.to(1)
    client.rollout("promoted")
    assert client.of("baked", timeout=10)["baked"] is False
    assert client.ask()["percent"] == 10


def test_a_bake_lasts_as_long_as_its_step(client: Release) -> None:
    client.begin()
    client.to(10)
    assert client.of("baked", timeout="10")["baked"] is False
    assert client.of("baked", timeout="100")["baked"] is True


def test_a_kill_ends_the_release(client: Release) -> None:
    client.begin()
    client.to(10)
    client.state = "killed"
    params = {"service": "shop", "state": "killed", "flag": "checkout", "reason": "orders twice", "owner": OWNER}
    killed = dispatch.performed(client.ledger, dispatch.OF_FLAG["killed"], params)
    assert killed["msg"] == (
        "shop: the rollout of flag checkout is stopped; the flag stays killed, and the release ends"
    )
    done = client.withdrawn()
    assert done["message"] == "shop: checkout is off; checkout was killed: orders twice."


def test_the_reason_of_a_kill_is_no_line_for_a_terminal(client: Release) -> None:
    client.begin()
    client.to(1)
    found = [{"where": "localhost", "state": "killed", "reason": "orders\x1b[2J twice\n"}]
    asked = client.ask(found=found)
    assert asked["messages"] == [
        "stopped: checkout was killed at localhost: orders [2J twice ; turning checkout off",
        "checkout is off",
    ]


def test_a_flag_that_cannot_be_turned_off_is_named_with_the_command(client: Release) -> None:
    client.begin()
    client.to(10)
    client.why = "redis does not answer"
    asked = client.ask(verdict="fail", reason="3 % errors")
    tries = 0
    while asked["act"] != "over":
        asked, tries = client.ask(), tries + 1
    assert tries == 10
    done = client.of("concluded")
    assert (done["outcome"], done["message"]) == (
        "failed",
        "shop: checkout may still be on: it could not be turned off (localhost: redis does not answer); the gate at 10 %: "
        "fail: 3 % errors. Run the same command again to turn it off, or run: ansible ...",
    )
    client.why = ""
    client.begin()
    assert client.withdrawn()["outcome"] == "reverted"


def test_a_run_that_ends_early_says_that_nobody_judges(client: Release) -> None:
    client.begin()
    client.to(10)
    assert client.of("concluded")["message"] == (
        "shop: checkout is left as it is (on for 10 %), and is no longer judged. Run the same command again to resume the release, or "
        "with -e rollout_resume=revert to turn the flag off."
    )


def test_no_release_on_half_a_fleet(client: Release) -> None:
    client.open("2.0.0")
    client.plan(fleet(2), balancers=[pool(fleet(2))])
    client.go("app1")
    client.kill_the_controller()
    with pytest.raises(RolloutError) as refused:
        client.begin()
    assert refused.value.message == (
        "shop: the rollout of 2.0.0 is not complete, so not every host may serve the feature. Run its playbook again to finish it, "
        "or to roll it back with -e rollout_resume=revert; then run this one."
    )


def test_no_new_version_while_some_users_have_the_feature(client: Release) -> None:
    client.begin()
    client.to(10)
    client.kill_the_controller()
    client.open("2.0.0")
    with pytest.raises(RolloutError) as refused:
        client.plan(fleet(2), balancers=[pool(fleet(2))])
    assert refused.value.message == (
        "shop: the release of flag checkout is not finished (on for 10 %). Run flag.yml again to resume it, or to turn the flag "
        "off with -e rollout_resume=revert; then run this one."
    )


def test_a_flag_that_its_system_would_refuse_begins_no_release(client: Release) -> None:
    with pytest.raises(RolloutError, match=r"^on localhost: it has rules\.$"):
        client.begin(refused="on localhost: it has rules.")
    assert client.info()["services"] == []


def test_a_run_that_was_replaced_changes_nothing(client: Release) -> None:
    client.begin()
    client.to(1)
    old = {"run": client.run, "token": client.token}
    client.kill_the_controller()
    client.begin()
    with pytest.raises(RolloutError):
        client.ask(**old)


def test_the_watch_shows_how_long_it_still_bakes(client: Release) -> None:
    client.begin()
    client.to(1)
    client.fake.move(30)
    seen = client.watch()
    assert seen["progress"] == "checkout: on for 1 %, another 1770 s to bake"
    assert seen["if_interrupted"] == [
        "checkout: on for 1 %",
        "Run the same command again to resume its release, or with -e rollout_resume=revert to turn the flag off.",
    ]


BY_SEGMENT = [{"segment": "internal", "bake": "1d"}, {"segment": "beta", "bake": 60}, {"percent": 10}, {"percent": 100}]


def test_a_release_goes_from_segment_to_segment_and_then_to_all(client: Release) -> None:
    opened = client.begin(steps=BY_SEGMENT)
    assert opened["text"][0].endswith("segment internal for 1 d, segment beta for 1 min, 10 %, 100 %")
    asked = client.obey(client.ask())
    assert (asked["act"], asked["share"], asked["share_segments"]) == ("bake", 0, ["internal"])
    assert asked["messages"] == ["checkout is on for the segment internal, bakes for 1 d"]
    asked = client.obey(client.ask(verdict="pass"))
    assert (asked["messages"], client.segments) == (
        ["checkout is on for the segments beta, internal, bakes for 1 min"],
        ["beta", "internal"],
    )
    asked = client.obey(client.ask(verdict="pass"))
    assert asked["messages"] == ["checkout is on for the segments beta, internal and 10 % of the users"]
    client.obey(client.ask(verdict="pass"))
    assert (client.percent, client.segments) == (100, [])
    assert client.ask(verdict="pass")["act"] == "over"
    assert client.of("concluded")["message"] == "shop: checkout is on for 100 % of the users."


def test_a_segment_that_was_added_right_before_the_run_was_killed_is_no_surprise(client: Release) -> None:
    client.begin(steps=BY_SEGMENT)
    client.obey(client.ask())
    asked = client.ask(verdict="pass")
    assert (asked["act"], asked["segments"]) == ("set", ["beta", "internal"])
    client.segments = asked["segments"]
    client.kill_the_controller()
    opened = client.begin(steps=BY_SEGMENT)
    assert opened["text"][1].endswith("this run resumes: on for segment internal, segments beta, internal is being set")
    assert client.ask()["act"] == "bake"


def test_a_segment_that_somebody_else_added_stops_the_release(client: Release) -> None:
    client.begin(steps=BY_SEGMENT)
    client.obey(client.ask())
    client.segments = ["internal", "partners"]
    asked = client.ask()
    assert asked["messages"] == [
        "stopped: somebody else has changed checkout: it is on for segments internal, partners at localhost, expected segment "
        "internal; turning checkout off"
    ]
    done = client.withdrawn()
    assert (client.state, done["outcome"]) == ("off", "reverted")


def test_no_release_takes_the_feature_from_a_segment(client: Release) -> None:
    client.state, client.segments = "on", ["partners"]
    with pytest.raises(
        RolloutError, match="checkout is on for segment partners already at localhost, and the first step "
    ):
        client.begin(steps=BY_SEGMENT)
