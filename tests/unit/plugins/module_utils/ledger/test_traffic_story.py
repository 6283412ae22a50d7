# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole shifts of traffic, act by act: they succeed, are rolled back, interrupted, and controlled by the operator."""

from __future__ import annotations

import copy
import typing as t

import pytest
from support.ledger_client import LedgerClient
from support.traffic_simulator import NODES, Run, World, finish

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

STEPS = [{"share": 5, "bake": "1m"}, {"share": 50, "bake": 60}, {"share": 100, "bake": 60}]
SWITCH = [{"share": 100, "bake": 60}]
USUAL = {(67, 33)}


class Site:
    def __init__(self, strategy: str, rotten: t.Collection[str] = ()) -> None:
        self.strategy = strategy
        self.world = World(strategy, (2, 1) if strategy == "canary" else (2, 2), rotten)
        self.ledger = LedgerClient()

    def start(self, version: str = "2", **options: t.Any) -> Run:
        self.ledger.fake.move(300)
        run = Run(self.ledger, self.world)
        run.begin(version, STEPS if self.strategy == "canary" else SWITCH, **options)
        return run

    def until(self, run: Run, phase: str, act: str = "") -> None:
        """Goes on until the ledger says so."""
        for dummy in range(200):
            if run.asked.get("phase") == phase and act in ("", run.asked["act"]):
                return
            run.act(True)
        raise AssertionError(f"never came to {phase} {act}: {run.asked}")

    def versions(self) -> dict[str, set[str]]:
        return {
            group: {host.version for host in self.world.of(group)} for group in (self.world.live, self.world.candidate)
        }

    def bad(self) -> list[str]:
        return [found["version"] for found in self.ledger.info()["bad"]]


@pytest.fixture
def canary() -> Site:
    return Site("canary")


@pytest.fixture
def colours() -> Site:
    return Site("blue_green")


def ended(run: Run) -> dict[str, t.Any]:
    assert finish(run)
    assert run.conclusion is not None
    return run.conclusion


def test_a_canary_ends_with_the_whole_fleet_on_the_version_and_the_usual_split(canary: Site) -> None:
    conclusion = ended(canary.start())
    assert (conclusion["succeeded"], conclusion["outcome"]) == (True, "done")
    assert canary.versions() == {"main": {"2"}, "canary": {"2"}}
    assert canary.world.splits() == USUAL
    assert conclusion["message"] == "shop: all 3 hosts are in service on 2. Traffic: main 66.67 %, canary 33.33 %."
    assert [line.split("  ", 1)[1].strip() for line in conclusion["text"][5:-2]] == [
        "main 100 %, canary 0 %        -        -",
        "main 95 %, canary 5 %         pass     as scripted",
        "main 50 %, canary 50 %        pass     as scripted",
        "main 0 %, canary 100 %        pass     as scripted",
        "main 66.67 %, canary 33.33 %  -        -",
    ]


def test_a_switch_leaves_the_old_colour_as_it_was(colours: Site) -> None:
    conclusion = ended(colours.start())
    assert conclusion["outcome"] == "done"
    assert colours.versions() == {"blue": {"1"}, "green": {"2"}}
    assert colours.world.splits() == {(0, 100)}
    assert conclusion["message"].startswith(
        "shop: green serves, 2 hosts on 2. Traffic: blue 0 %, green 100 %. blue is kept ready until "
    )


def test_a_switch_is_made_once(colours: Site) -> None:
    ended(colours.start())
    again = colours.start()
    assert ended(again)["outcome"] == "done"
    assert colours.versions() == {"blue": {"1"}, "green": {"2"}}
    assert colours.world.splits() == {(0, 100)}


def test_the_next_version_goes_to_the_other_colour(colours: Site) -> None:
    ended(colours.start("2"))
    assert ended(colours.start("3"))["outcome"] == "done"
    assert colours.versions() == {"blue": {"3"}, "green": {"2"}}
    assert colours.world.splits() == {(100, 0)}


def test_the_plan_says_where_the_traffic_goes_and_nothing_of_capacity_that_is_not_taken(colours: Site) -> None:
    there = colours.start()
    assert there.planned["text"][:2] == [
        "traffic goes from blue to green: 100 % for 60 s; then blue is kept for 3600 s",
        "shop: 2 of 4 hosts to 2, stages 2",
    ]
    assert [line for line in there.planned["text"] if line.startswith("max_unavailable")] == []
    ended(there)
    back = colours.start(None, direction="back")
    assert back.planned["text"] == [
        "traffic goes from green to blue: 100 %",
        "shop: nothing to install for the rollback from 2, 2 hosts are already on it",
    ]


def test_a_rollback_is_one_switch(colours: Site) -> None:
    ended(colours.start("2"))
    run = colours.start(None, direction="back")
    acts = []
    while not run.is_over:
        run.act(True)
        acts.append(run.asked["act"])
    assert {"prepare", "bake"} & set(acts) == set()
    assert run.conclusion is not None
    assert run.conclusion["message"] == "shop: blue serves again, 2 hosts on 1. Traffic: green 0 %, blue 100 %."
    assert colours.versions() == {"blue": {"1"}, "green": {"2"}}
    assert colours.world.splits() == {(100, 0)}


@pytest.mark.parametrize(("verdict", "bad"), [(0, ["2"]), (1, []), (2, [])])
def test_a_gate_that_does_not_pass_sends_the_share_to_nothing_first(canary: Site, verdict: int, bad: list[str]) -> None:
    run = canary.start()
    canary.until(run, "baking", "bake")
    said = run.verdict = ("fail", "no_data", "inconclusive")[verdict]
    run.act(True)
    assert (run.asked["act"], run.asked["split"], run.asked["urgent"]) == ("set", {"main": 100.0, "canary": 0.0}, True)
    assert run.asked["messages"] == [f"gate at 5 %: {said}, as scripted", "stopped"]
    conclusion = ended(run)
    assert (conclusion["succeeded"], conclusion["outcome"]) == (False, "reverted")
    assert canary.versions() == {"main": {"1"}, "canary": {"1"}}
    assert canary.world.splits() == USUAL
    assert canary.bad() == bad


@pytest.mark.parametrize(("verdict", "bad"), [("fail", ["2"]), ("inconclusive", [])])
def test_a_colour_that_is_no_match_gets_no_traffic(colours: Site, verdict: str, bad: list[str]) -> None:
    run = colours.start()
    colours.until(run, "preparing", "prepare")
    while run.todo:
        run.act(True)
    run.verdict = verdict
    conclusion = ended(run)
    assert conclusion["outcome"] == "reverted"
    assert f"rolled back: green failed the comparison with blue ({verdict}: as scripted)" in conclusion["message"]
    assert colours.versions() == {"blue": {"1"}, "green": {"1"}}
    assert colours.world.splits() == {(100, 0)}
    assert colours.bad() == bad


def test_a_candidate_that_fails_gets_no_traffic(canary: Site) -> None:
    canary.world.rotten.add("2")
    run = canary.start()
    shares = set()
    while not run.is_over:
        run.act(True)
        shares |= {round(canary.world.share(node, "canary")) for node in NODES}
    assert shares == {0, 33}
    assert run.conclusion is not None
    assert run.conclusion["outcome"] == "reverted"
    assert canary.bad() == ["2"]


def test_a_promotion_that_fails_halfway_never_sends_traffic_to_the_half_updated_group(canary: Site) -> None:
    """The world checks after each act that whoever has traffic is whole and on one version."""
    run = canary.start()
    canary.until(run, "promoting", "promote")
    while ("health", "main1", "proven") not in run.todo:
        run.act(True)
    while run.todo[0] != ("health", "main1", "proven"):
        run.act(True)
    run.act(False)
    torn = 0
    while not run.is_over:
        run.act(True)
        if len(canary.versions()["main"]) > 1:
            torn += 1
            assert canary.world.splits() == {(0, 100)}
    assert torn
    assert run.conclusion is not None
    assert run.conclusion["outcome"] == "reverted"
    assert canary.versions() == {"main": {"1"}, "canary": {"1"}}
    assert canary.world.splits() == USUAL


def test_where_the_half_updated_group_cannot_be_rolled_back_the_canary_keeps_the_traffic(canary: Site) -> None:
    run = canary.start()
    canary.until(run, "promoting", "promote")
    while not run.is_over:
        name = run.todo[0][1] if run.todo and len(run.todo[0]) > 1 else ""
        run.act(not (name == "main1" and run.todo[0][0] == "health"))
    assert canary.world.splits() == {(0, 100)}
    assert run.conclusion is not None
    assert run.conclusion["outcome"] == "failed"
    assert "main1" in run.conclusion["message"]


def test_a_node_that_refuses_has_the_switch_undone_on_the_others(colours: Site) -> None:
    run = colours.start()
    colours.until(run, "shifting", "set")
    colours.world.refusing.add("lb2")
    conclusion = ended(run)
    assert colours.world.splits() == {(100, 0)}
    assert conclusion["outcome"] == "failed"
    assert "lb2 shows blue 100 %, green 0 %" in conclusion["message"]
    colours.world.refusing.clear()
    assert ended(colours.start())["outcome"] == "done"
    assert colours.world.splits() == {(0, 100)}


def test_a_node_that_would_refuse_is_found_before_the_others_are_changed(colours: Site) -> None:
    run = colours.start()
    colours.until(run, "shifting", "check")
    colours.world.refusing.add("lb2")
    messages = []
    while not run.is_over:
        run.act(True)
        messages += [run.asked["split"]] if run.asked["act"] == "set" else []
    assert messages == []
    assert run.conclusion is not None
    assert "lb2 shows blue 100 %, green 0 %: it takes no other split" in run.conclusion["message"]
    assert colours.world.splits() == {(100, 0)}


def test_nothing_is_decided_before_every_node_was_asked(colours: Site) -> None:
    run = colours.start()
    colours.until(run, "shifting", "check")
    assert intended(colours) == []
    colours.until(run, "shifting", "set")
    assert intended(colours) == [{"blue": 0.0, "green": 100.0}]


def intended(site: Site) -> list[dict[str, float]]:
    events = site.ledger.info(limit=200)["events"]
    return [event["data"]["split"] for event in events if event["kind"] == "shares_intended"]


def test_a_node_that_forgot_its_weights_is_put_right(canary: Site) -> None:
    run = canary.start()
    canary.until(run, "baking", "bake")
    run.verdict = None
    for name in canary.world.hosts:
        canary.world.weights["lb1"][name] = 100
    run.act(True)
    assert (run.asked["act"], run.asked["split"]) == ("check", {"main": 95.0, "canary": 5.0})
    assert ended(run)["outcome"] == "done"


@pytest.mark.parametrize("strategy", ["canary", "blue_green"])
@pytest.mark.parametrize("verdicts", ["good", "bad"])
def test_one_more_run_after_a_crash_at_every_act_ends_well(strategy: str, verdicts: str) -> None:
    number = 0
    while True:
        site = Site(strategy)
        run = site.start()
        for _act in range(number):
            if not run.is_over:
                run.act(verdicts == "good" or run.asked.get("act") != "bake")
        was_over = run.is_over
        conclusion = ended(site.start(allow_bad=True))
        assert conclusion["outcome"] in ("done", "reverted"), f"after {number} acts: {conclusion['message']}"
        assert len(site.world.splits()) == 1
        assert all(len(versions) == 1 for versions in site.versions().values())
        assert site.ledger.info()["left_out"] == []
        if was_over:
            return
        number += 1


def test_a_host_whose_group_may_have_traffic_is_not_admitted(canary: Site) -> None:
    canary.until(canary.start(), "preparing", "prepare")
    answer = canary.ledger.admit("main0")
    assert (answer["verdict"], answer["reason"]) == (
        "stop",
        "main0 belongs to main, which may have traffic; it is changed once that group has none",
    )


def test_the_operator_promotes_to_the_next_step_or_to_the_end(canary: Site) -> None:
    run = canary.start()
    canary.until(run, "baking", "bake")
    run.verdict = None
    canary.ledger.rollout("promoted")
    run.act(True)
    assert run.asked["split"] == {"main": 50.0, "canary": 50.0}
    canary.until(run, "baking", "bake")
    canary.ledger.rollout("promoted", to="end")
    run.verdict = None
    run.act(True)
    assert run.asked["split"] == {"main": 0.0, "canary": 100.0}
    assert ended(run)["outcome"] == "done"


def test_the_operator_aborts(canary: Site) -> None:
    run = canary.start()
    canary.until(run, "baking", "bake")
    run.verdict = None
    canary.ledger.rollout("aborted")
    run.act(True)
    assert (run.asked["split"], run.asked["urgent"]) == ({"main": 100.0, "canary": 0.0}, True)
    conclusion = ended(run)
    assert (conclusion["succeeded"], conclusion["outcome"]) == (False, "reverted")
    assert "rolled back: the operator aborted it" in conclusion["message"]
    assert canary.versions() == {"main": {"1"}, "canary": {"1"}}
    assert canary.bad() == []


def test_nothing_can_be_promoted_where_nothing_is_shifted(canary: Site) -> None:
    run = canary.start()
    with pytest.raises(RolloutError) as refusal:
        canary.ledger.rollout("promoted")
    assert refusal.value.message == (
        "shop: the rollout of 2 has no step that could be promoted, the shift is clearing."
    )
    assert not run.is_over


def test_nodes_that_disagree_are_refused_where_no_switch_explains_it(colours: Site) -> None:
    colours.world.weights["lb2"] = dict.fromkeys(colours.world.hosts, 100)
    run = colours.start()
    assert run.conclusion is not None
    assert run.conclusion["message"] == (
        "shop: nothing was started: shop: the balancers do not agree on one live colour (lb1: blue 100 %, green 0 %; "
        "lb2: blue 50 %, green 50 %), and no switch of this ledger explains it. Name the live colour with "
        "-e rollout_live_colour=...; the others then lose their traffic first."
    )


def test_a_node_that_cannot_be_read_is_refused_with_its_reason(canary: Site) -> None:
    """It was taken for one that sends traffic to nobody."""
    groups = {"main": ["shop-main"], "canary": ["shop-canary"]}
    unreachable = {"host": "front:80", "members": {}, "unreachable": "no region is set.", "groups": groups}
    wish = {"strategy": "canary", "groups": canary.world.groups, "candidate": "canary", "steps": STEPS}
    canary.ledger.open("2")
    with pytest.raises(InputError) as refusal:
        canary.ledger.plan(canary.world.looks(), nodes=[unreachable], shift=wish)
    assert refusal.value.message == ("front:80 cannot be read (no region is set), so the traffic split is unknown.")


def test_nodes_that_disagree_after_a_switch_are_put_right(colours: Site) -> None:
    ended(colours.start("2"))
    colours.world.weights["lb2"] = dict.fromkeys(colours.world.hosts, 100)
    for name in colours.world.hosts:
        colours.world.hosts[name].version = "2"
    assert ended(colours.start("3"))["outcome"] == "done"
    assert colours.world.splits() == {(100, 0)}


def test_another_version_waits_until_a_promotion_that_was_cut_off_is_ended(canary: Site) -> None:
    canary.until(canary.start(), "promoting", "promote")
    run = canary.start("3")
    assert run.conclusion is not None
    assert run.conclusion["message"] == (
        "shop: nothing was started: shop: the promotion of 2 was cut off: main may be half updated, and canary has all "
        "traffic. Finish it with -e rollout_version=2, or roll it back with -e rollout_resume=revert."
    )
    assert ended(canary.start(resume="revert"))["outcome"] == "reverted"
    assert canary.versions() == {"main": {"1"}, "canary": {"1"}}


def test_a_rolling_deployment_does_not_meddle_with_a_shift(canary: Site) -> None:
    canary.until(canary.start(), "baking", "bake")
    canary.ledger.fake.move(300)
    canary.ledger.open("2")
    with pytest.raises(InputError) as refusal:
        canary.ledger.plan(canary.world.looks(), balancers=canary.world.nodes())
    assert refusal.value.message == (
        "shop: the canary of 2 is not finished (it is baking), so the traffic may be split. Run canary.yml again, or roll it "
        "back with its -e rollout_resume=revert."
    )


@pytest.mark.parametrize("cut_off_after", [0, 1])
def test_a_rerun_of_the_live_version_that_was_killed_sent_all_traffic_to_the_old_colour_and_back(
    colours: Site, cut_off_after: int
) -> None:
    """Invariant 18."""
    ended(colours.start("2"))
    ended(colours.start("3"))
    killed = colours.start("3")
    for dummy in range(cut_off_after):
        killed.act(True)
    rerun = colours.start("3")
    splits = []
    while not rerun.is_over:
        rerun.act(True)
        splits.append(colours.world.splits())
    assert splits == [{(100, 0)}] * len(splits)
    assert rerun.conclusion is not None
    assert rerun.conclusion["outcome"] == "done"


def test_a_switch_that_was_killed_before_its_conclusion_is_not_made_again(colours: Site) -> None:
    """Invariant 18."""
    killed = colours.start("2")
    while killed.asked.get("act") != "over":
        killed.act(True)
    rerun = colours.start("2")
    assert (rerun.planned["shift"]["phase"], rerun.planned["shift"]["candidate"]) == ("over", "green")
    assert ended(rerun)["outcome"] == "done"
    assert colours.versions() == {"blue": {"1"}, "green": {"2"}}


def test_a_rerun_that_was_killed_has_nothing_to_revert(colours: Site) -> None:
    ended(colours.start("2"))
    colours.start("2")
    reverted = colours.start("2", resume="revert")
    ended(reverted)
    assert colours.world.splits() == {(0, 100)}
    assert colours.versions() == {"blue": {"1"}, "green": {"2"}}


def test_a_node_that_forgot_the_switch_before_its_conclusion_is_set_right_and_the_others_stay(colours: Site) -> None:
    killed = colours.start("2")
    while killed.asked.get("act") != "over":
        killed.act(True)
    colours.world.set("lb2", {"blue": 100.0, "green": 0.0})
    rerun = colours.start("2")
    seen = set()
    while not rerun.is_over:
        rerun.act(True)
        seen.add(colours.world.share("lb1", "green"))
    assert seen == {100.0}
    assert colours.world.splits() == {(0, 100)}


def test_a_rerun_of_the_live_version_sent_all_traffic_to_one_group_because_a_balancer_was_silent(canary: Site) -> None:
    """Invariant 18."""
    ended(canary.start())
    before = copy.deepcopy(canary.world.weights)
    rerun = canary.start()
    canary.world.unreachable.add("lb1")
    conclusion = ended(rerun)
    assert (conclusion["outcome"], canary.world.weights) == ("failed", before)
    assert "could not be set on every balancer (lb1: no answer)" in conclusion["message"]
    canary.world.unreachable.clear()
    assert ended(canary.start())["outcome"] == "done"
    assert canary.world.weights == before


def test_a_rerun_of_the_live_version_switched_colours_because_a_balancer_could_not_be_set_right(colours: Site) -> None:
    """Invariant 18."""
    ended(colours.start())
    colours.world.set("lb2", {"blue": 100.0, "green": 0.0})
    colours.world.refusing.add("lb2")
    conclusion = ended(colours.start())
    assert (conclusion["outcome"], colours.world.share("lb1", "green")) == ("failed", 100.0)
    colours.world.refusing.clear()
    assert ended(colours.start())["outcome"] == "done"
    assert colours.world.splits() == {(0, 100)}
