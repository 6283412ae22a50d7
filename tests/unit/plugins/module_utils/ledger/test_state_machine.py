# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random fleets, policies, failures and crashes against the invariants that must hold at every instant.

Each check names the number of its invariant. HYPOTHESIS_PROFILE=ci runs 2,000 examples.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support import fleet_simulator as worlds
from support.fleet_simulator import Host, Run, World
from support.ledger_client import LedgerClient
from support.seeds import searched

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import LeaseLost

AMOUNTS = st.sampled_from(["1", "2", "3", "25%", "34%", "50%", "100%"])
FLOORS = st.sampled_from(["0", "1", "2", "30%", "50%", "60%", "75%"])
POLICIES = st.fixed_dictionaries(
    {
        "max_unavailable": AMOUNTS,
        "min_available": FLOORS,
        "zone_min_available": st.sampled_from(["0", "1", "2", "50%"]),
        "max_failures": st.sampled_from(["0", "0", "1", "2", "50%"]),
        "stages": st.sampled_from([["100%"], ["1", "100%"], ["1", "50%", "100%"], ["10%", "2", "60%"]]),
        "bake_time": st.sampled_from([0.0, 0.0, 30.0]),
        "on_failure": st.sampled_from(["revert", "revert", "hold"]),
        "gate": st.booleans(),
    }
)
HOSTS = st.lists(
    st.tuples(st.sampled_from(["a", "b", ""]), st.sampled_from([True, True, True, False])), min_size=1, max_size=7
)
ACTS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["good"] * 14 + ["bad"])), min_size=1, max_size=12)
VERSIONS = st.sampled_from(["2", "2", "3", "2 revision a", "2 revision b"])
SEVEN = st.integers(0, 6)


class Fleet(RuleBasedStateMachine):
    """The service's life: runs come, fail, crash and are replaced, and the world around them changes."""

    @initialize(
        drained=st.sets(SEVEN, max_size=1),
        hosts=HOSTS,
        policy=POLICIES,
        forks=st.integers(1, 7),
        rotten=st.sets(st.sampled_from(["2", "3", "2 revision b"]), max_size=1),
        tells_revisions=st.booleans(),
        sets=st.sampled_from([0, 0, 0, 1, 2]),
        objecting=st.sets(SEVEN, max_size=2),
    )
    def build(self, drained, hosts, policy, forks, rotten, tells_revisions, sets, objecting):
        named = [Host(f"app{n}", zone, scope) for n, (zone, scope) in enumerate(hosts, start=1)]
        named[0].in_scope = True
        for number in drained:
            named[number % len(named)].admin = ["drained_externally", "drained_externally"]
        self.world = World(named, rotten, tells_revisions)
        self.world.sets = [{host.name for host in named[first::sets]} for first in range(sets)]
        self.world.objecting = {named[number % len(named)].name for number in objecting}
        self.policy, self.forks = policy, forks
        self.allowed = worlds.allowed(policy, named)
        self.ledger = LedgerClient()
        self.runs: list[Run] = []
        self.orphans: list[tuple[Host, str, str, int]] = []
        self.highest_token = 0
        self.crashed = False
        self.asked: str | None = None

    # Runs

    @property
    def run(self) -> Run | None:
        return self.runs[-1] if self.runs and not self.runs[-1].is_over and not self.crashed else None

    def start(self, version, **options):
        run = Run(self.ledger, self.world, self.allowed, self.forks)
        run.begin(version, self.policy, earlier=self.runs, **options)
        if version and not options.get("resume") and run.version != version:
            raise AssertionError(f"invariant 16: {version} was asked for, {run.version} is rolled out")
        self.runs.append(run)
        self.crashed = False
        self.asked = version
        if run.token is None or run.token <= self.highest_token:
            raise AssertionError("invariant 8: the fencing token must grow")
        self.highest_token = run.token
        return run

    @precondition(lambda self: self.run is None)
    @rule(version=VERSIONS, options=st.sampled_from([{}, {}, {"resume": "revert"}]))
    def another_run(self, version, options):
        self.ledger.fake.move(300)
        try:
            self.start(version, **options)
        except RolloutError as refusal:
            if "marked bad" not in refusal.message and "no unfinished rollout" not in refusal.message:
                raise

    @precondition(lambda self: self.run is None)
    @rule(direction=st.sampled_from(["recover", "back"]))
    def a_run_home(self, direction):
        self.ledger.fake.move(300)
        try:
            self.start(None, direction=direction)
        except InputError as refusal:
            if "has rolled out nothing yet" not in refusal.message:
                raise

    @precondition(lambda self: self.run is not None)
    @rule(acts=ACTS)
    def work(self, acts):
        for number, outcome in acts:
            if self.run is not None:
                self.run.step(number, outcome)
                self.check_end()

    @precondition(lambda self: self.run is not None)
    @rule(nodes=st.booleans(), times=st.sampled_from([1, 1, 3]))
    def watch(self, nodes, times):
        """Invariant 17: proof does not expire unseen."""
        for _time in range(times):
            if self.run is not None:
                self.run.watch(nodes)

    @precondition(lambda self: self.run is not None and self.run.play == "roll")
    @rule(count=st.integers(1, 3))
    def work_until_hosts_are_proven(self, count):
        """Few random acts come so far that there is a proof to be lost."""
        before = len(self.run.proven & self.run.touched)
        for _round in range(60):
            run = self.run
            if run is None or run.play != "roll" or len(run.proven & run.touched) >= before + count:
                return
            if not run.step(_round, "good"):
                self.ledger.fake.move(3)
            self.check_end()

    @precondition(lambda self: self.run is not None and self.run.proven & self.run.touched)
    @rule(number=SEVEN, nodes=st.booleans(), heals=st.booleans())
    def a_proven_host_fails(self, number, nodes, heals):
        """Invariant 17: it counts, whether a balancer or only the probe detects it; one bad observation is no failure."""
        names = sorted(self.run.proven & self.run.touched)
        self.world.hosts[names[number % len(names)]].broken = True
        self.world.disturbed = True
        for time in range(3):
            self.run.watch(nodes)
            if heals and not time:
                self.world.hosts[names[number % len(names)]].broken = False

    @precondition(lambda self: self.run is not None)
    @rule()
    def work_on(self):
        """Most runs end well; without this few would end at all."""
        self.finish(40)

    @precondition(lambda self: self.run is not None)
    @rule(survivors=st.sets(SEVEN, max_size=3))
    def crash(self, survivors):
        """SIGKILL; what was just being done on some hosts is done all the same, later."""
        for number, worker in enumerate(self.runs[-1].workers):
            if number in survivors and worker.steps[0] != "ask":
                self.orphans.append((worker.host, worker.steps[0], worker.target, self.runs[-1].token))
        self.crashed = True

    @precondition(lambda self: self.orphans)
    @rule()
    def orphan_acts(self):
        host, act, target, token = self.orphans.pop(0)
        if act == "update" and not self.run:
            # A later run waits until nothing of an older one is at work; only a version that a host reports shows what does not.
            if self.world.tells_revisions or token == self.highest_token:
                host.version = target
        elif (
            act.startswith(("drain", "restore"))
            and token == self.world.claim
            and "drained_externally" not in host.admin
        ):
            host.admin[int(act[-1])] = "drained_by_us" if act.startswith("drain") else "up"

    @precondition(lambda self: self.run is not None)
    @rule()
    def second_run_is_refused(self):
        """Invariant 8: one owner; the refusal names the holder."""
        at_work = any(deadline >= self.ledger.fake.time for deadline in self.run.moving.values())
        if (not at_work or self.run.has_watch) and not self.ledger.info(limit=1)["services"][0]["is_held"]:
            return
        with pytest.raises(RolloutError, match="is being run by ops on laptop"):
            LedgerClient.open(self.ledger, "2", owner={"user": "somebody else"})

    @precondition(lambda self: len(self.runs) > 1)
    @rule()
    def stale_run_is_refused(self):
        """Invariant 8: whoever lost the lease starts nothing and changes nothing."""
        run, token = self.ledger.run, self.ledger.token
        self.ledger.run, self.ledger.token = self.runs[0].run, self.runs[0].token
        before = self.ledger.info(limit=1)
        for operation in (lambda: self.ledger.admit("app1"), lambda: self.ledger.rollout("reverting")):
            with pytest.raises(LeaseLost, match="lease lost"):
                operation()
        after = self.ledger.info(limit=10)
        new = after["events"][len(after["events"]) - (after["chain"]["events"] - before["chain"]["events"]) :]
        if any(event["kind"] != "refused_stale_run" for event in new) or after["hosts"] != before["hosts"]:
            raise AssertionError("invariant 8: a stale run wrote something")
        self.ledger.run, self.ledger.token = run, token

    # The world

    @rule(seconds=st.sampled_from([5.0, 31.0, 130.0]))
    def time_passes(self, seconds):
        self.ledger.fake.move(seconds)

    @rule(number=SEVEN)
    def operator_drains(self, number):
        host = self.some_host(number)
        left = {entry["host"] for entry in self.ledger.info(limit=1)["left_out"]}
        if host.admin == ["up", "up"] and host.name not in left:
            host.admin = ["drained_externally", "drained_externally"]
            self.world.disturbed = True

    @rule(number=SEVEN)
    def operator_returns(self, number):
        host = self.some_host(number)
        if host.admin == ["drained_externally", "drained_externally"]:
            host.admin = ["up", "up"]

    @rule(number=SEVEN, broken=st.booleans())
    def host_breaks_or_heals(self, number, broken):
        self.some_host(number).broken = broken
        self.world.disturbed = True

    @rule(number=SEVEN)
    def a_service_objects(self, number):
        self.world.objecting.add(self.some_host(number).name)

    @precondition(lambda self: self.world.objecting)
    @rule()
    def nobody_objects_any_more(self):
        self.world.objecting.clear()

    @precondition(lambda self: self.run is not None)
    @rule()
    def pause_and_resume(self):
        """Invariant 6: while paused nothing starts."""
        run = self.run
        try:
            self.ledger.rollout("paused")
        except RolloutError:
            return
        before = len(run.touched)
        for number in range(3):
            if run.workers and run.workers[number % len(run.workers)].steps[0] == "ask":
                run.step(number, "good")
        if len(run.touched) != before:
            raise AssertionError("invariant 6: a host was admitted while paused")
        self.ledger.rollout("resumed")

    @precondition(lambda self: self.run is not None)
    @rule()
    def abort(self):
        try:
            self.ledger.rollout("aborted")
        except RolloutError:
            return
        self.run.is_stopped = True

    def some_host(self, number) -> Host:
        return list(self.world.hosts.values())[number % len(self.world.hosts)]

    # What must hold

    def check_end(self):
        run = self.runs[-1]
        if run.is_over and run.conclusion["succeeded"] and run.conclusion["outcome"] == "done":
            self.check_success(run)

    def check_success(self, run):
        """Invariants 13 and 15: success is every host in scope, on its target, in service on every node."""
        for host in self.world.hosts.values():
            if not host.in_scope or run.direction == "recover":
                continue
            if not self.world.is_serving(host) or (
                run.direction == "forward" and not versions.covers(run.version, host.version)
            ):
                raise AssertionError(f"invariant 15: success was reported, but {host}")

    @invariant()
    def the_counters_count_the_hosts(self):
        """Invariants 1 to 3 are decided by counters that are kept up, never by counting the fleet."""
        if self.runs:
            connection = self.ledger.store.connection
            kept = {tuple(row) for row in connection.execute("SELECT * FROM tally WHERE size > 0")}
            if kept != {tuple(row) for row in connection.execute(worlds.COUNTED)}:
                raise AssertionError("the counters are not what the hosts are")

    @invariant()
    def history_is_intact(self):
        if self.runs and not self.ledger.info(limit=1)["chain"]["intact"]:
            raise AssertionError("the event chain is broken")

    def finish(self, most=600):
        """Every run ends, however few forks it has; True when it did within so many rounds."""
        for _round in range(most):
            if self.run is None:
                return True
            moved = [self.run.step(number, "good") for number in range(max(len(self.run.workers), 1)) if self.run]
            self.check_end()
            if not any(moved):
                self.ledger.fake.move(10)
        return False

    def teardown(self):
        if not hasattr(self, "world") or not worlds.is_possible(self.allowed, self.world.hosts.values()):
            return
        self.check_way_home()

    def check_way_home(self):
        """Invariant 14: from here, with everybody answering, one more run brings the fleet to one side."""
        if self.run is not None and not self.finish():
            raise AssertionError(f"the run does not end: {self.ledger.info()['text']}")
        if not self.runs or not self.asked:
            return
        self.world.objecting.clear()
        for host in self.world.hosts.values():
            host.broken = False
            host.admin = ["up" if admin == "drained_externally" else admin for admin in host.admin]
        self.ledger.fake.move(300)
        # Who holds on failure does so to look at it; a revert rolls back.
        self.policy = {**self.policy, "on_failure": "revert"}
        run = self.start(self.asked, allow_bad=True)
        if not self.finish():
            raise AssertionError(f"the run does not end: {self.ledger.info()['text']}")
        words = [*self.ledger.info()["text"], run.conclusion["message"]]
        # A host on which nothing was ever proven has no way back; it is named, which is all that can be done.
        lost = {left["host"] for left in self.ledger.info()["left_out"] if not left["proven"]}
        scope = [host for host in self.world.hosts.values() if host.in_scope and host.name not in lost]
        if any(host.admin != ["up", "up"] for host in scope) or len(self.ledger.info()["left_out"]) > len(lost):
            raise AssertionError(f"invariant 14: a host was left out of service: {scope} {words}")
        # A set that lacks a host for good is left as it is: nobody else of it may be taken out.
        held = {name for names in self.world.sets if names & lost for name in names}
        scope = [host for host in scope if host.name not in held]
        ahead = {host.name for host in scope if run.version and versions.covers(run.version, host.version)}
        if ahead and len(ahead) < len(scope) and not self.were_there_before(ahead, run.conclusion):
            raise AssertionError(f"invariant 14: the fleet is torn: {scope} {words}")
        if any(name not in run.conclusion["message"] for name in lost):
            raise AssertionError(f"invariant 14: {sorted(lost)} are not named: {words}")
        if any(host.version in self.world.rotten for host in scope):
            raise AssertionError(f"invariant 9: a bad version is in service: {scope} {words}")

    def were_there_before(self, names, conclusion):
        """No rollout undoes what an earlier one has done; one that is rolled back names who stays on its version."""
        skipped = {host["host"] for host in self.ledger.info()["hosts"] if host["phase"] == "skipped"}
        message = conclusion["message"]
        is_named = "rolled back" not in message or all(name in message for name in names)
        return names <= skipped and not conclusion["succeeded"] and is_named


TestFleet = searched(Fleet, steps=25, usually=300)


def test_hosts_that_were_ahead_before_a_rollback_were_called_a_torn_fleet():
    fleet = Fleet()
    policy = {
        "max_unavailable": "1",
        "min_available": "0",
        "zone_min_available": "0",
        "max_failures": "0",
        "stages": ["100%"],
        "bake_time": 0.0,
        "on_failure": "revert",
        "gate": False,
    }
    fleet.build(set(), [("a", True), ("a", True)], policy, 2, set(), False, 0, {0})
    for version in ("2 revision a", "2"):
        fleet.another_run(version, {})
        fleet.work_on()
    fleet.another_run("2", {"resume": "revert"})
    fleet.crash(set())
    fleet.teardown()
    assert "Still on 2: app2" in fleet.runs[-1].conclusion["message"]
