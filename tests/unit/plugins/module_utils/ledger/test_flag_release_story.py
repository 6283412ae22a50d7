# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release by a flag whatever happens to it: invariants 6, 11, 12 and 14 for users in the place of hosts."""

from __future__ import annotations

import typing as t

from hypothesis import given, settings
from hypothesis import strategies as st
from support.ledger_client import OWNER, LedgerClient

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger import dispatch

STEPS = [{"percent": 1, "bake": 60}, {"percent": 10, "bake": 60}, {"percent": 50}, {"percent": 100, "bake": 60}]
BAD = ("fail", "inconclusive", "no_data")
CALM = {"verdict": "pass", "killed": "", "broken": False, "other": None, "operator": ""}

MOMENTS = st.fixed_dictionaries(
    {
        "verdict": st.sampled_from(["pass", "pass", "pass", "not_judged", *BAD]),
        "killed": st.sampled_from(["", "", "", "before the change", "after the change"]),
        "broken": st.sampled_from([False, False, False, True]),
        "other": st.sampled_from([None] * 6 + [0, 30, 100]),
        "operator": st.sampled_from(["", "", "", "", "aborted", "promoted", "promoted to the end"]),
    }
)


class World:
    """One flag, and the same command run again and again; *moments* say what goes wrong at each question."""

    def __init__(self) -> None:
        self.client = LedgerClient()
        self.share = 0
        self.broken = False
        self.is_bad = False
        """Whether this rollout has had a verdict that is not good, or was stopped by somebody."""
        self.outcomes: list[str] = []

    def run(self, moments: t.Iterator[dict[str, t.Any]]) -> None:
        """One run of the playbook, up to its end or until its controller is killed."""
        self.client.fake.move(120)
        try:
            opened = self._call("opened", flag="checkout", steps=STEPS, found=self.found, owner=OWNER)
        except RolloutError:
            self.share = 0  # It is on for more than the first step by somebody else's doing, who turns it off now.
            return
        if opened["nothing_to_do"]:
            self.outcomes.append("done")
            return
        self.client.run, self.client.token = opened["run"], opened["token"]
        self.is_bad = opened["status"] != "open"
        asked = self._call("next", found=self.found)
        while asked["act"] != "over":
            moment = next(moments, CALM)
            if not self._survives(moment, asked):
                return
            verdict = {"verdict": moment["verdict"]} if asked["act"] == "bake" else {}
            self.is_bad = self.is_bad or verdict.get("verdict") in BAD
            asked = self._call("next", found=self.found, **verdict)
            self.is_bad = self.is_bad or asked["status"] != "open"
        self.outcomes.append(self._call("concluded")["outcome"])

    def _survives(self, moment: dict[str, t.Any], asked: dict[str, t.Any]) -> bool:
        """Carries the act out, unless the controller is killed before or right after it."""
        self.broken = moment["broken"]
        if moment["killed"] == "before the change":
            return False
        if not self.broken:
            self._change(asked)
        if moment["other"] is not None:
            self.share = moment["other"]
        self._operate(moment["operator"])
        return not moment["killed"]

    def _change(self, asked: dict[str, t.Any]) -> None:
        if asked["act"] == "set":
            assert not self.is_bad, "a share was set after a verdict that was not good"
            assert asked["percent"] in (1, 10, 50, 100)
            self.share = asked["percent"]
        elif asked["act"] == "off":
            self.share = 0

    def _operate(self, word: str) -> None:
        options = {"to": "end"} if word.endswith("end") else {}
        if word:
            try:
                self.client.rollout(word.split()[0], **options)
            except RolloutError:
                return  # There was nothing to promote.
        self.is_bad = self.is_bad or word == "aborted"

    @property
    def found(self) -> list[dict[str, t.Any]]:
        state = {"where": "here", "state": "on" if self.share else "off", "percent": self.share}
        return [{**state, "why": "it does not answer" if self.broken else ""}]

    def _call(self, state: str, **options: t.Any) -> dict[str, t.Any]:
        given = {"service": "shop", "state": state, "run": self.client.run, "token": self.client.token, **options}
        return dispatch.performed(self.client.ledger, dispatch.OF_FLAG_RELEASE[state], given)


@settings(max_examples=150)
@given(st.lists(MOMENTS, max_size=25))
def test_no_share_grows_after_a_bad_verdict_and_a_rerun_ends_at_the_last_step_or_at_none(
    moments: list[dict[str, t.Any]],
) -> None:
    world, coming = World(), iter(moments)
    for dummy in range(12):
        world.run(coming)
    world.broken = False
    for dummy in range(3):
        world.run(iter(()))
    assert world.outcomes[-1] == "done"
    assert world.share == 100


@settings(max_examples=150)
@given(st.lists(MOMENTS, max_size=12))
def test_one_more_run_after_any_kill_continues_or_ends_at_none(moments: list[dict[str, t.Any]]) -> None:
    world = World()
    world.run(iter(moments))
    before, world.broken = len(world.outcomes), False
    world.run(iter(()))
    if len(world.outcomes) > before:
        assert (world.outcomes[-1], world.share) in (("done", 100), ("reverted", 0))
