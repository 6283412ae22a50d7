# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random shifts of traffic, failures and crashes after every act, against the invariants of traffic.

After each single act the world itself is judged: no node gives traffic to a group that is not whole, healthy and on one
version. From wherever a shift was cut off, one more run ends with all nodes alike. HYPOTHESIS_PROFILE=ci runs 2,000 examples.
"""

from __future__ import annotations

import copy

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.ledger_client import LedgerClient
from support.seeds import searched
from support.traffic_simulator import Run, World, finish

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

STEPS = st.sampled_from(
    [
        [{"share": 100, "bake": 30}],
        [{"share": 5, "bake": 60}, {"share": 100}],
        [{"share": 5, "bake": 60}, {"share": 50, "bake": 60}, {"share": 100, "bake": 60}],
    ]
)


class Traffic(RuleBasedStateMachine):
    @initialize(
        strategy=st.sampled_from(["canary", "blue_green"]),
        sizes=st.tuples(st.integers(1, 2), st.integers(1, 2)),
        steps=STEPS,
        rotten=st.sets(st.sampled_from(["2", "3"]), max_size=1),
    )
    def build(self, strategy, sizes, steps, rotten):
        self.world = World(strategy, sizes, rotten)
        self.steps = steps
        self.ledger = LedgerClient()
        self.run: Run | None = None
        self.asked = ""
        self.was_given_up = False
        """Whether another version was begun while one was unfinished."""
        self.settled: tuple[str | None, dict[str, dict[str, int]]] | None = None
        """The version whose traffic a run has seen in place, and the weights then; until something else is asked for."""

    @property
    def is_running(self):
        return self.run is not None and not self.run.is_over

    def start(self, version, **options):
        if self.settled is not None and (version != self.settled[0] or options.get("resume")):
            self.settled = None
        run = Run(self.ledger, self.world)
        run.begin(version, self.steps, **options)
        self.run = run
        # What is refused while a promotion is cut off leaves that to be finished, as the refusal says.
        if not run.is_over or run.conclusion["outcome"] != "refused":
            self.was_given_up |= bool(self.asked) and version != self.asked and self.is_unfinished()
            self.asked = version or self.asked
        return run

    @precondition(lambda self: not self.is_running)
    @rule(version=st.sampled_from(["2", "2", "3"]), options=st.sampled_from([{}, {}, {"resume": "revert"}]))
    def another_run(self, version, options):
        self.ledger.fake.move(300)
        self.world.refusing.clear()
        try:
            self.start(version, **options)
        except RolloutError as refusal:
            if "marked bad" not in refusal.message and "no unfinished rollout" not in refusal.message:
                raise

    @precondition(lambda self: self.is_running)
    @rule(acts=st.integers(1, 40))
    def go_well(self, acts):
        for dummy in range(acts):
            if self.is_running:
                self.run.act(True)
                self.check_end()

    @precondition(lambda self: self.is_running)
    @rule(acts=st.integers(1, 3), variant=st.integers(0, 2))
    def go_wrong(self, acts, variant):
        for dummy in range(acts):
            if self.is_running:
                self.run.act(False, variant)
                self.check_end()

    @precondition(lambda self: self.is_running)
    @rule()
    def crash(self):
        self.run = None

    @precondition(lambda self: self.is_running)
    @rule()
    def abort(self):
        self.settled = None
        try:
            self.ledger.rollout("aborted")
        except RolloutError:
            return

    @precondition(lambda self: self.is_running)
    @rule(to=st.sampled_from(["step", "end"]))
    def promote(self, to):
        try:
            self.ledger.rollout("promoted", to=to)
        except RolloutError as refusal:
            if "could be promoted" not in refusal.message:
                raise

    @rule(node=st.sampled_from(["lb1", "lb2"]), is_silent=st.booleans())
    def node_falls_silent_or_answers_again(self, node, is_silent):
        if is_silent:
            self.world.unreachable.add(node)
        else:
            self.world.unreachable.discard(node)

    @rule(seconds=st.sampled_from([5.0, 130.0]))
    def time_passes(self, seconds):
        self.ledger.fake.move(seconds)

    @invariant()
    def history_is_intact(self):
        if self.asked and not self.ledger.info(limit=1)["chain"]["intact"]:
            raise AssertionError("the event chain is broken")

    def check_end(self):
        self.check_rerun()
        self.check_success()

    def check_rerun(self):
        """Invariant 18: from when a run has seen the traffic in place, runs of that version move none, cut off or not."""
        # A run that fails has decided to move the traffic elsewhere, whether or not a balancer was changed yet.
        is_over = self.run.asked.get("act") == "over" and self.run.asked["status"] == "open"
        if self.settled is None and is_over and len(self.world.splits()) == 1 and self.world.serves(self.run.version):
            self.settled = (self.run.version, copy.deepcopy(self.world.weights))
        if self.settled is not None and self.world.weights != self.settled[1]:
            raise AssertionError(f"invariant 18: a rerun of {self.settled} moved traffic: {self.world.weights}")

    def check_success(self):
        """Invariants 13 and 15: success is the version in service, with the split as meant, on every node."""
        if self.is_running or self.run.conclusion["outcome"] != "done":
            return
        if len(self.world.splits()) > 1:
            raise AssertionError(f"invariant 13: success was reported, but the nodes show {self.world.splits()}")
        for host in self.world.hosts.values():
            serves = all(self.world.weights[node][host.name] for node in self.world.weights)
            if serves and host.version != self.run.version:
                raise AssertionError(f"invariant 15: success was reported, but {host} serves")

    def teardown(self):
        """Invariant 14: with everybody answering, one more run ends with all nodes alike and nothing torn."""
        if not hasattr(self, "world") or not self.asked:
            return
        self.world.unreachable.clear()
        self.world.refusing.clear()
        self.ledger.fake.move(300)
        if self.is_running and not finish(self.run):
            raise AssertionError(f"the run does not end: {self.messages()}")
        self.ledger.fake.move(300)
        self.one_more_run(self.asked)
        if self.was_given_up and self.is_unfinished():
            # What a crash has left of a version that was then given up, idle and torn, stays where the next one is
            # rolled back, aborted or serves already. The release after that replaces it.
            self.ledger.fake.move(300)
            self.one_more_run("4")
        if self.torn():
            raise AssertionError(f"invariant 14: torn: {self.torn()} {self.messages()}")
        if self.ledger.info()["left_out"]:
            raise AssertionError(f"invariant 14: hosts are left out: {self.messages()}")
        self.world.check()

    def is_unfinished(self):
        return bool(self.torn() or self.ledger.info()["left_out"])

    def torn(self):
        """The groups that are not whole, or not on one version."""
        groups = [self.world.of(group) for group in (self.world.live, self.world.candidate)]
        return [
            hosts
            for hosts in groups
            if any(not host.is_whole for host in hosts) or len({host.version for host in hosts}) > 1
        ]

    def one_more_run(self, version):
        run = self.start(version, allow_bad=True)
        if run.is_over and run.conclusion["outcome"] == "refused":
            run = self.start("", resume="revert")
        if not finish(run):
            raise AssertionError(f"the run does not end: {self.messages()}")
        if len(self.world.splits()) > 1:
            raise AssertionError(f"invariant 14: the nodes disagree: {self.world.splits()} {self.messages()}")

    def messages(self):
        return [*self.ledger.info()["text"], (self.run.conclusion or {}).get("message") if self.run else ""]


TestTraffic = searched(Traffic, steps=20, usually=100)


def test_traffic_that_a_failing_run_could_not_move_back_was_held_to_be_in_place():
    traffic = Traffic()
    traffic.build("blue_green", (1, 1), [{"share": 100, "bake": 30}], set())
    traffic.another_run("2", {})
    traffic.go_well(12)
    for node, acts in (("lb1", 1), ("lb2", 10)):
        traffic.node_falls_silent_or_answers_again(node, True)
        traffic.go_well(acts)
    assert traffic.run.conclusion["outcome"] == "failed"
    for node in ("lb1", "lb2"):
        traffic.node_falls_silent_or_answers_again(node, False)
    traffic.another_run("2", {})
    traffic.go_well(5)
    traffic.teardown()
