# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet behind two balancer nodes, and runs that change it as the roles do, one act at a time.

What the world does is judged by the world: floor, window, order and stages are counted from the hosts and
nodes as they really are, never from what the ledger records.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from support.ledger_client import OWNER, LedgerClient

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.gate import (
    claim_last_gate,
    judge_gate,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.observe import observe
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import LeaseLost

NODES = (0, 1)
FORWARD = ("consent", "drain0", "drain1", "change", "update", "health", "restore0", "restore1", "prove")
BACK = ("consent", "drain0", "drain1", "change", "update", "health", "restore0", "restore1", "revert")
RETURN = ("update", "health", "restore0", "restore1", "revert")
RECOVER = ("health", "restore0", "restore1", "prove")
LIMIT = 120.0
VETO_WAIT, VETO_POLL = 60.0, 10.0
COUNTED = (
    "SELECT rollout, zone, lb_state, CASE in_scope WHEN 1 THEN phase ELSE 'outside' END AS phase_now, condition, COUNT(*) "
    "FROM host GROUP BY rollout, zone, lb_state, phase_now, condition"
)
UNCLEAR = ("fail", "no_data", "inconclusive")


@dataclasses.dataclass
class Host:
    """One real machine; *admin* is the admin state that was set on each balancer node."""

    name: str
    zone: str
    in_scope: bool
    version: str = "1"
    broken: bool = False
    admin: list[str] = dataclasses.field(default_factory=lambda: ["up", "up"])
    stood: set[str] = dataclasses.field(default_factory=set)
    """Versions that were seen healthy and in service here."""


@dataclasses.dataclass
class Allowed:
    """The policy in hosts, worked out by the test's own arithmetic."""

    window: int
    floor: int
    zones: dict[str, int]
    failures: int
    stages: list[int]
    bake: float
    gate: bool


class World:
    def __init__(self, hosts: list[Host], rotten: set[str], tells_revisions: bool = True) -> None:
        self.hosts = {host.name: host for host in hosts}
        self.rotten = rotten
        self.tells_revisions = tells_revisions
        self.claim = 0
        self.objecting: set[str] = set()
        """Hosts whose service objects to losing them."""
        self.sets: list[set[str]] = []
        """Replica sets: of each at most one host may be out of service."""
        self.disturbed = False
        """Something outside our hands changed since the plan was made; then only the live guard can protect."""

    def is_healthy(self, host: Host) -> bool:
        return not host.broken and host.version not in self.rotten

    def is_serving(self, host: Host) -> bool:
        return host.admin == ["up", "up"] and self.is_healthy(host)

    def serving(self, zone: str | None = None) -> int:
        return sum(1 for host in self.hosts.values() if self.is_serving(host) and zone in (None, host.zone))

    def out(self) -> int:
        return len(self.hosts) - self.serving()

    def probes(self) -> list[dict[str, t.Any]]:
        return [
            {
                "name": host.name,
                "zone": host.zone,
                "in_scope": host.in_scope,
                "healthy": self.is_healthy(host),
                **self._reported(host),
            }
            for host in self.hosts.values()
        ]

    def _reported(self, host: Host) -> dict[str, t.Any]:
        """The release in its health answer: the version, and the revision only where hosts report it."""
        version, revision = versions.split(None if host.broken else host.version)
        return {"version": version, "revision": revision if self.tells_revisions and version else None}

    def nodes(self) -> list[dict[str, t.Any]]:
        return [{"host": f"lb{node}", "members": self._members(node)} for node in NODES]

    def _members(self, node: int) -> dict[str, t.Any]:
        return {
            host.name: {
                "admin": "in_service" if host.admin[node] == "up" else "drained",
                "operational": "up" if self.is_healthy(host) else "down",
                "in_rotation": host.admin[node] == "up" and self.is_healthy(host),
            }
            for host in self.hosts.values()
        }

    def would_break(self, host: Host, allowed: Allowed) -> bool:
        """What lb_member's guard finds on the live state before it takes a member out."""
        if not self.is_serving(host):
            return False
        return (
            self.serving() - 1 < max(allowed.floor, 1)
            or self.serving(host.zone) - 1 < allowed.zones.get(host.zone, 0)
            or self.out() + 1 > allowed.window
        )


@dataclasses.dataclass
class Worker:
    """One fork with one host."""

    host: Host
    steps: list[str] = dataclasses.field(default_factory=lambda: ["ask"])
    target: str = ""
    went_back: bool = False
    was_touched: bool = False
    answer: dict[str, t.Any] = dataclasses.field(default_factory=dict)


class Run:
    """One ansible-playbook: Begin, Roll, Roll back, Conclude."""

    def __init__(self, ledger: LedgerClient, world: World, allowed: Allowed, forks: int) -> None:
        self.ledger, self.world, self.allowed, self.forks = ledger, world, allowed, forks
        self.run, self.token, self.version = ledger.run, ledger.token, ""
        self.rollout = 0
        self.direction = "forward"
        self.play = "roll"
        self.queue: list[str] = []
        self.workers: list[Worker] = []
        self.conclusion: dict[str, t.Any] | None = None
        self.refusal = ""
        # The test's own record of this plan.
        self.weak: set[str] = set()
        self.touched: set[str] = set()
        self.left_alone: set[str] = set()
        self.proven: set[str] = set()
        self.failed: set[str] = set()
        self.moving: dict[str, float] = {}
        """Hosts in flight and when their declared time is over."""
        self.passed: dict[int, float] = {}
        self.gates_passed: set[int] = set()
        self.is_stopped = False
        self.objected_since: dict[str, float] = {}
        self.is_vetoed = False
        """An objection lasted for too long, so that no further host is taken."""
        self.has_watch = False
        self.bad_observations: dict[str, list[bool]] = {}
        """The newest health observations of each proven host, True where it was bad."""

    @property
    def is_over(self) -> bool:
        return self.conclusion is not None

    # Begin

    def begin(
        self, version: str | None, policy: dict[str, t.Any], earlier: t.Sequence[Run] = (), **options: t.Any
    ) -> None:
        opened = self.ledger.open(**versions.target(version), **options)
        self.rollout = opened["rollout"]
        self.run, self.token = opened["run"], opened["token"]
        self.version, self.direction = versions.of_target(opened) or "", opened["direction"]
        self.world.claim = self.token
        left = {entry["host"] for entry in opened["in_flight"]}
        try:
            plan = self._as_me().plan(
                self.world.probes(), balancers=self.world.nodes(), policy=policy, forks=self.forks
            )
        except InputError as refusal:
            self.refusal = refusal.message
            self.conclusion = self._as_me().rollout("concluded", refused=refusal.message)
            return
        self.world.disturbed = False
        for host in self.world.hosts.values():
            if self.world.is_serving(host):
                host.stood.add(host.version)
        self.queue = list(plan["order"])
        self.left_alone = {entry["host"] for entry in plan["excluded"]}
        self.allowed = allowed(policy, self.world.hosts.values(), self.left_alone)
        same_rollout = [run for run in earlier if run.rollout == self.rollout and not run.refusal]
        self._note_plan(left, plan, same_rollout)
        self._inherit(same_rollout)
        self._start_workers()

    def _note_plan(self, left: set[str], plan: dict[str, t.Any], same_rollout: t.Sequence[Run]) -> None:
        if plan["status"] == "reverting":
            self.is_stopped = True
        for host in self.world.hosts.values():
            if not host.in_scope or host.name in self.left_alone:
                continue
            if self._was_drained_after_proof(host, same_rollout):
                self.proven.add(host.name)
            elif not self.world.is_serving(host) or host.name in left:
                self.weak.add(host.name)
            elif versions.covers(self.version, host.version):
                self.proven.add(host.name)
        self._note_stages()

    def _was_drained_after_proof(self, host: Host, same_rollout: t.Sequence[Run]) -> bool:
        """What an operator drains once this rollout is done with it is left to the operator."""
        return (
            host.admin == ["drained_externally"] * 2
            and any(host.name in run.proven & run.touched for run in same_rollout)
            and versions.covers(self.version, host.version)
        )

    def _inherit(self, same_rollout: t.Sequence[Run]) -> None:
        """A stage that was complete stays so for the same rollout, while it means as many hosts."""
        for before in reversed(same_rollout):
            self._inherit_stages(before)

    def _inherit_stages(self, before: Run) -> None:
        """Also over a run in between that only went back, and in which the stage was not complete."""
        for stage, since in before.passed.items():
            same = before.allowed.stages[stage - 1 : stage] == self.allowed.stages[stage - 1 : stage]
            if same and stage in self.passed:
                self.passed[stage] = since
                self.gates_passed |= before.gates_passed & {stage}

    def _as_me(self) -> LedgerClient:
        """The ledger with this run's token, which may be stale by now."""
        self.ledger.run, self.ledger.token = self.run, self.token
        return self.ledger

    def _start_workers(self) -> None:
        while self.queue and len(self.workers) < self.forks:
            self.workers.append(Worker(self.world.hosts[self.queue.pop(0)]))

    # Roll and Roll back

    def step(self, number: int, outcome: str) -> bool:
        """One act of one worker, or the next play when none is left; False when the worker could only wait."""
        if self.is_over:
            return False
        if not self.workers:
            self._next_play()
            return True
        worker = self.workers[number % len(self.workers)]
        act = worker.steps[0]
        moved = self._ask(worker, outcome) if act == "ask" else self._act(worker, act, outcome)
        if not worker.steps:
            self.workers.remove(worker)
            self._start_workers()
        return moved

    def _next_play(self) -> None:
        if self.play == "roll":
            self.play = "back"
            asked = claim_last_gate(self.ledger.ledger, self._gate_params("ask"))
            if asked["verdict"] == "gate":
                self._judge(asked["gate"], "pass")
            back = self._as_me().rollout("reverting")
            if back["status"] == "reverting":
                self.is_stopped = True
            self.queue = list(back["order"])
            self._start_workers()
        else:
            self.conclusion = self._as_me().rollout(
                "concluded", hosts=self.world.probes(), balancers=self.world.nodes()
            )

    def watch(self, nodes: bool) -> None:
        """One report of the run's watch: all hosts are probed, and the balancers' view is read as well or not."""
        if self.is_over:
            return
        self.has_watch = True
        self._note_vanished()
        bad = [name for name in sorted(self.proven) if self._fails_after_proof(self.world.hosts[name], nodes)]
        drained = [host for host in self.world.hosts.values() if nodes and "drained_externally" in host.admin]
        answer = observe(
            self.ledger.ledger,
            {
                "service": self.ledger.service,
                "run": self.run,
                "token": self.token,
                "balancers": self.world.nodes() if nodes else None,
                "hosts": [{**probe, "why": "HTTP 500"} for probe in self.world.probes()],
            },
        )
        for name in bad:
            _must(any(line.startswith(f"{name} failed (") for line in answer["messages"]), 17, f"{name} failed unseen")
            self.proven.discard(name)
            self._count(self.world.hosts[name], "health")
        if self.play == "roll":
            _must(answer["stop"] or not self.is_stopped, 17, f"{bad} failed after their proof, and it goes on")
        for host in drained:
            if host.in_scope and host.name not in self.touched | self.proven:
                self.left_alone.add(host.name)
        if nodes and self.play == "roll" and not self._admitted_before():
            # The ledger has recorded the state of the world by now, so admission has to respect it.
            self.world.disturbed = False

    def _admitted_before(self) -> bool:
        """Whether a host was admitted and is not drained yet: for it only the guard on the balancers can know."""
        return any(worker.steps[0] in ("consent", "drain0") for worker in self.workers)

    def _fails_after_proof(self, host: Host, nodes: bool) -> bool:
        """Worked out from what was shown, not from what the ledger makes of it."""
        if self.play != "roll" or host.name not in self.touched or host.name in self.moving:
            return False
        if nodes and "drained_externally" in host.admin:
            self.bad_observations[host.name] = []
            return False
        is_bad = not self.world.is_healthy(host)
        seen = self.bad_observations[host.name] = [*self.bad_observations.get(host.name, []), is_bad][-5:]
        return (nodes and is_bad and host.admin != ["drained_externally"] * 2) or sum(seen) >= 3

    def _ask(self, worker: Worker, outcome: str) -> bool:
        quorums = [
            {"name": f"set {number}", "hosts": sorted(names), "max_out": 1}
            for number, names in enumerate(self.world.sets, start=1)
        ]
        answer = self._as_me().admit(worker.host.name, limit=LIMIT, quorums=quorums)
        self._note_vanished()
        if answer["verdict"] == "wait":
            return False
        if answer["verdict"] == "gate":
            stage = answer["gate"]["stage"]
            self._judge(answer["gate"], UNCLEAR[stage % len(UNCLEAR)] if outcome == "bad" else "pass")
        elif answer["verdict"] == "stop":
            worker.steps = []
            if answer["phase"] in ("excluded", "stuck"):
                self.left_alone.add(worker.host.name)
        else:
            self._admitted(worker, answer)
        return True

    def _note_vanished(self) -> None:
        for name, deadline in list(self.moving.items()):
            if self.ledger.fake.time > deadline:
                del self.moving[name]
                self._count(self.world.hosts[name], "lost")

    def _admitted(self, worker: Worker, answer: dict[str, t.Any]) -> None:
        goes_back = self.play == "back"
        self._check_admission(worker.host, goes_back)
        worker.answer, worker.target = answer, versions.of_target(answer["target"])
        if goes_back or answer["direction"] == "back":
            self._check_target(worker.host, worker.target)
        if goes_back:
            worker.steps = list(BACK)
            worker.went_back = True
        else:
            steps = {"forward": FORWARD, "back": BACK, "recover": RECOVER}[answer["direction"]]
            worker.steps = list(steps)
        worker.was_touched = worker.host.name in self.touched
        self.touched.add(worker.host.name)
        self.moving[worker.host.name] = self.ledger.fake.time + LIMIT

    def _judge(self, gate: dict[str, t.Any], verdict: str) -> None:
        params = {**self._gate_params(verdict), "stage": gate["stage"], "claim": gate["claim"]}
        judged = judge_gate(self.ledger.ledger, params)
        _must(judged["passed"] is (verdict == "pass"), 11, f"{verdict} was taken for {judged}")
        if verdict == "pass":
            self.gates_passed.add(gate["stage"])
        else:
            self.is_stopped = True

    def _gate_params(self, verdict: str) -> dict[str, t.Any]:
        return {"service": self.ledger.service, "run": self.run, "token": self.token, "verdict": verdict}

    def _act(self, worker: Worker, act: str, outcome: str) -> bool:
        host = worker.host
        if outcome == "bad" and act not in ("prove", "revert", "change"):
            self._fail(worker, "start")
            return True
        try:
            kind = self._consent(worker) if act == "consent" else self._do(worker, act)
        except LeaseLost:
            raise
        except RolloutError:
            # What the ledger does not take any more: the host was too slow and counts as vanished.
            self._count(host, "lost")
            kind = "step"
        if kind == "deferred":
            return True
        if kind:
            self._fail(worker, kind)
        else:
            worker.steps.pop(0)
            if act in ("prove", "revert"):
                self._arrived(host, act, worker)
        return True

    def _consent(self, worker: Worker) -> str:
        host = worker.host
        if host.name not in self.world.objecting:
            self.objected_since.pop(host.name, None)
            return ""
        now = self.ledger.fake.time
        is_over = now - self.objected_since.setdefault(host.name, now) >= VETO_WAIT
        before = self._in_the_books(host)
        answer = self._as_me().host("deferred", host.name, error="not now", wait=VETO_WAIT, poll=VETO_POLL, counts=True)
        after = self._in_the_books(host)
        _must(after["lb_state"] == before["lb_before"], 3, f"{host.name} was deferred, and yet it counts as {after}")
        _must(answer["verdict"] == ("stop" if is_over else "wait"), 6, f"{host.name}: {answer['msg']}")
        self.moving.pop(host.name, None)
        if not worker.was_touched:
            self.touched.discard(host.name)
        if answer["verdict"] == "wait":
            worker.steps = ["ask"]
            return "deferred"
        worker.steps = []
        if self.play == "roll":
            self.is_vetoed = True
        return "deferred"

    def _in_the_books(self, host: Host) -> dict[str, t.Any]:
        row = self.ledger.store.connection.execute(
            "SELECT lb_state, lb_before FROM host WHERE rollout = ? AND name = ?", (self.rollout, host.name)
        ).fetchone()
        return dict(row)

    def _do(self, worker: Worker, act: str) -> str:
        """The kind of the failure, or nothing."""
        host = worker.host
        if act.startswith("drain"):
            return self._drain(host, int(act[-1]))
        if act.startswith("restore"):
            return self.restore(host, int(act[-1]), self.token)
        if act == "change":
            self._as_me().host("changing", host.name, step="update", limit=LIMIT)
            self.moving[host.name] = self.ledger.fake.time + LIMIT
        elif act == "update":
            self._check_intent(host)
            if host.broken:
                return "unreachable"
            host.version = worker.target
        elif act == "health":
            return "" if self.world.is_healthy(host) else "health"
        elif act == "prove":
            self._as_me().host("proven", host.name, **versions.target(host.version))
        elif act == "revert":
            self._as_me().host("reverted", host.name, **versions.target(host.version))
        return ""

    def _drain(self, host: Host, node: int) -> str:
        self._check_intent(host)
        if host.admin[node] == "drained_externally":
            for other in NODES:
                if host.admin[other] == "drained_by_us":
                    host.admin[other] = "up"
            return "drained_externally"
        if node == 0 and self.world.would_break(host, self.allowed):
            if not self.world.disturbed:
                raise AssertionError(
                    f"invariants 1-3: {host.name} was admitted although the floor or window would break"
                )
            return "guard"
        host.admin[node] = "drained_by_us"
        return ""

    def restore(self, host: Host, node: int, token: int | None) -> str:
        if token != self.world.claim:
            return "balancer"
        if host.admin[node] == "drained_externally":
            return "restore"
        host.admin[node] = "up"
        return ""

    def _fail(self, worker: Worker, kind: str) -> None:
        host = worker.host
        if (
            worker.went_back
            or self.direction == "recover"
            or (self.direction == "back" and kind != "drained_externally")
        ):
            self._as_me().host("stuck", host.name, kind=kind, error="it does not work")
            worker.steps = []
            self.moving.pop(host.name, None)
            if self.direction == "back":
                self._count(host, kind)
            return
        answer = self._as_me().host("failed", host.name, kind=kind, error="it does not work", limit=LIMIT)
        self.moving.pop(host.name, None)
        if kind == "drained_externally":
            self.left_alone.add(host.name)
            worker.steps = []
            return
        self._count(host, kind)
        worker.went_back = True
        worker.target = versions.of_target(answer["target"])
        if answer["go_back"]:
            self._check_target(host, worker.target)
        worker.steps = list(RETURN) if answer["go_back"] else []
        if answer["go_back"]:
            self.moving[host.name] = self.ledger.fake.time + LIMIT
        if answer["go_back"] and not answer["was_changed"]:
            worker.steps.remove("update")

    def _count(self, host: Host, kind: str) -> None:
        self.failed.add(host.name)
        if len(self.failed) > self.allowed.failures or kind == "balancer":
            self.is_stopped = True

    def _arrived(self, host: Host, act: str, worker: Worker) -> None:
        self.moving.pop(host.name, None)
        host.stood.add(host.version)
        self.bad_observations.pop(host.name, None)
        if act == "prove" or (self.direction == "back" and not worker.went_back):
            self.proven.add(host.name)
            self._note_stages()
        else:
            self.proven.discard(host.name)

    def _note_stages(self) -> None:
        for stage, slots in enumerate(self.allowed.stages, start=1):
            if len(self.proven) >= slots:
                self.passed.setdefault(stage, self.ledger.fake.time)

    # What must hold, in the words of invariants.md

    def _check_admission(self, host: Host, goes_back: bool) -> None:
        if not goes_back:
            _must(not self.is_stopped, 6, f"{host.name} was admitted after the rollout stopped")
            _must(not self.is_vetoed, 6, f"{host.name} was admitted after an objection had ended the run")
            _must(host.name not in self.left_alone, 12, f"{host.name} was left alone and yet admitted")
            waiting = self.weak - self.touched - self.left_alone - {host.name}
            _must(host.name in self.weak or not waiting, 4, f"{host.name} is healthy, {sorted(waiting)} wait")
        if self.direction == "forward" and not goes_back:
            self._check_stage(host)
        _must(
            len(self.moving) + 1 <= self.allowed.window, 3, f"{sorted(self.moving)} and {host.name} are changed at once"
        )

        for names in self.world.sets:
            self._check_set(host, names - {host.name} if host.name in names else set())

    def _check_set(self, host: Host, others: set[str]) -> None:
        """The quorum: never two of one replica set."""
        changing = sorted(others & self.moving.keys())
        _must(not changing, 3, f"{host.name} and {changing} of one set are changed at once")
        out = [name for name in sorted(others) if not self.world.is_serving(self.world.hosts[name])]
        harmless = self.world.disturbed or not self.world.is_serving(host)
        _must(harmless or not out, 3, f"{host.name} goes although {out} of its set are out of service")

    def _check_stage(self, host: Host) -> None:
        slot = len(self.proven) + len(self.moving.keys() - self.failed) + 1
        for stage, slots in enumerate(self.allowed.stages, start=1):
            if slot <= slots:
                return
            since = self.passed.get(stage)
            _must(since is not None, 5, f"{host.name} got place {slot}, stage {stage} is not proven")
            _must(self.ledger.fake.time >= since + self.allowed.bake, 5, f"stage {stage} has not baked")
            _must(
                not self.allowed.gate or stage in self.gates_passed,
                5,
                f"{host.name} got place {slot}, the gate of stage {stage} has not passed",
            )

    def _check_target(self, host: Host, target: str) -> None:
        bad = {found["version"] for found in self._as_me().info(limit=1)["bad"]}
        _must(not {target, target.split()[0]} & bad, 9, f"{host.name} goes back to {target}, which is bad")
        _must(target in host.stood, 9, f"{host.name} goes back to {target}, which never stood there")

    def _check_intent(self, host: Host) -> None:
        if self.world.claim != self.token:
            return
        info = self._as_me().info(limit=1)
        _must(host.name in {left["host"] for left in info["left_out"]}, 12, f"{host.name} changes without a record")


def _must(holds: bool, invariant: int, words: str) -> None:
    if not holds:
        raise AssertionError(f"invariant {invariant}: {words}")


def allowed(policy: dict[str, t.Any], hosts: t.Collection[Host], left_alone: t.Container[str] = ()) -> Allowed:
    """The arithmetic of the policy once more, from its documentation."""
    fleet = len(hosts)
    in_scope = sum(1 for host in hosts if host.in_scope and host.name not in left_alone)
    zones = {host.zone for host in hosts if host.zone}
    sizes = {zone: sum(1 for host in hosts if host.zone == zone) for zone in zones}
    stages: list[int] = []
    for stage in [*policy["stages"], "100%"]:
        slots = max(1, min(_amount(stage, in_scope, math.ceil), in_scope))
        if not stages or slots > stages[-1]:
            stages.append(slots)
    return Allowed(
        window=max(_amount(policy["max_unavailable"], fleet, math.floor), 1),
        floor=max(_amount(policy["min_available"], fleet, math.ceil), 1),
        zones={
            zone: 0 if size == 1 else _amount(policy["zone_min_available"], size, math.ceil)
            for zone, size in sizes.items()
        },
        failures=_amount(policy["max_failures"], in_scope, math.floor),
        stages=stages,
        bake=policy["bake_time"],
        gate=policy["gate"],
    )


def is_possible(rules: Allowed, hosts: t.Collection[Host]) -> bool:
    """Whether every host in scope could be taken out while all are well."""
    if len(hosts) - 1 < rules.floor:
        return False
    sizes = {zone: sum(1 for host in hosts if host.zone == zone) for zone in rules.zones}
    touched = {host.zone for host in hosts if host.in_scope and host.zone}
    return all(sizes[zone] - 1 >= rules.zones[zone] for zone in touched)


def _amount(text: str, of: int, rounded: t.Callable[[float], int]) -> int:
    if text.endswith("%"):
        return rounded(int(text[:-1]) * of / 100)
    return int(text)


def opened_by(name: str) -> dict[str, t.Any]:
    return {**OWNER, "user": name}
