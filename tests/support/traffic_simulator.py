# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two groups of hosts behind two balancer nodes, and runs that shift traffic as the playbooks do, one act at a time.

Where traffic goes is judged by the world after every single act, from the weights that the nodes really have and the
versions that the hosts really run, never from what the ledger records.
"""

from __future__ import annotations

import dataclasses
import typing as t

from support.ledger_client import LedgerClient

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.shift import next_act

NODES = ("lb1", "lb2")
LIMIT = 120.0
GROUPS = {"canary": ("main", "canary"), "blue_green": ("blue", "green")}
VERDICTS = ("fail", "no_data", "inconclusive")


@dataclasses.dataclass
class Host:
    name: str
    group: str
    version: str = "1"
    is_whole: bool = True
    """False in the middle of a change, when what it serves is anybody's guess."""


class World:
    """*refusing* nodes answer and take no other split; *silent* ones do not answer at all."""

    def __init__(self, strategy: str, sizes: tuple[int, int], rotten: t.Collection[str] = ()) -> None:
        self.strategy = strategy
        self.live, self.candidate = GROUPS[strategy]
        names = [(self.live, number) for number in range(sizes[0])] + [
            (self.candidate, number) for number in range(sizes[1])
        ]
        self.hosts = {f"{group}{number}": Host(f"{group}{number}", group) for group, number in names}
        usual = 100 if strategy == "canary" else 0
        self.weights = {
            node: {host.name: 100 if host.group == self.live else usual for host in self.hosts.values()}
            for node in NODES
        }
        self.rotten = set(rotten)
        self.refusing: set[str] = set()
        self.unreachable: set[str] = set()

    def of(self, group: str) -> list[Host]:
        return [host for host in self.hosts.values() if host.group == group]

    @property
    def groups(self) -> dict[str, list[str]]:
        return {group: [host.name for host in self.of(group)] for group in (self.live, self.candidate)}

    def is_healthy(self, host: Host) -> bool:
        return host.is_whole and host.version not in self.rotten

    def looks(self) -> list[dict[str, t.Any]]:
        return [
            {"name": host.name, "healthy": self.is_healthy(host), "version": host.version}
            for host in self.hosts.values()
        ]

    def nodes(self, asked: dict[str, float] | None = None) -> list[dict[str, t.Any]]:
        """*asked* is the split that they were asked about; those that refuse it say so."""
        return [
            {"host": node, "members": {}, "unreachable": "no answer"}
            if node in self.unreachable
            else self._node(node, asked)
            for node in NODES
        ]

    def _node(self, node: str, asked: dict[str, float] | None) -> dict[str, t.Any]:
        why = "it takes no other split" if asked and self._refuses(node, asked) else ""
        members = {name: self._member(node, host) for name, host in self.hosts.items()}
        return {"host": node, "members": members, "why": why}

    def _member(self, node: str, host: Host) -> dict[str, t.Any]:
        healthy, weight = self.is_healthy(host), self.weights[node][host.name]
        return {
            "admin": "in_service",
            "operational": "up" if healthy else "down",
            "weight": weight,
            "in_rotation": healthy and weight > 0,
        }

    def set(self, node: str, split: dict[str, float]) -> None:
        """As lb_weight does: it refuses a group that has nobody to serve."""
        if node in self.unreachable or self._refuses(node, split):
            return
        sizes = {group: len(self.of(group)) for group in split}
        for name, host in self.hosts.items():
            self.weights[node][name] = round(split[host.group] * 100 / sizes[host.group])

    def _refuses(self, node: str, split: dict[str, float]) -> bool:
        has_nobody = any(share > 0 and not any(map(self.is_healthy, self.of(group))) for group, share in split.items())
        return has_nobody or node in self.refusing

    def share(self, node: str, group: str) -> float:
        total = sum(self.weights[node].values())
        return 100.0 * sum(self.weights[node][host.name] for host in self.of(group)) / total if total else 0.0

    def check(self) -> None:
        """Invariant 10: whoever has traffic is whole, and all of its group are on one version."""
        for node in NODES:
            if not any(self.weights[node].values()):
                raise AssertionError(f"invariant 10: {node} sends traffic to nobody")
            for group in (self.live, self.candidate):
                if not self.share(node, group):
                    continue
                hosts = self.of(group)
                if any(not host.is_whole for host in hosts) or len({host.version for host in hosts}) > 1:
                    raise AssertionError(f"invariant 10: {node} gives {self.share(node, group):.0f} % to {hosts}")
                if any(not self.is_healthy(host) for host in hosts):
                    raise AssertionError(
                        f"invariant 10: {node} gives {self.share(node, group):.0f} % to unhealthy {hosts}"
                    )

    def serves(self, version: str | None) -> bool:
        """Whether all traffic of every node goes to this version, to hosts that are well."""
        served = [host for host in self.hosts.values() if any(self.weights[node][host.name] for node in NODES)]
        return all(host.version == version and self.is_healthy(host) for host in served)

    def splits(self) -> set[tuple[float, float]]:
        return {(round(self.share(node, self.live)), round(self.share(node, self.candidate))) for node in NODES}


Atom = t.Tuple[str, ...]


class Run:
    """One ansible-playbook: begins, then acts as the ledger says, and concludes."""

    def __init__(self, ledger: LedgerClient, world: World) -> None:
        self.ledger, self.world = ledger, world
        self.todo: list[Atom] = []
        self.played: str | None = None
        self.checked: dict[str, float] | None = None
        self.verdict: str | None = None
        self.planned: dict[str, t.Any] = {}
        self.asked: dict[str, t.Any] = {}
        self.conclusion: dict[str, t.Any] | None = None
        self.targets: dict[str, str] = {}
        self.words: dict[str, str] = {}

    @property
    def is_over(self) -> bool:
        return self.conclusion is not None

    def begin(self, version: str | None, steps: list[dict[str, t.Any]], **options: t.Any) -> None:
        self.version = version
        self.ledger.open(version, **options)
        self.run, self.token = self.ledger.run, self.ledger.token
        wish: dict[str, t.Any] = {
            "strategy": self.world.strategy,
            "groups": self.world.groups,
            "steps": steps,
            "rollback_window": "1h",
        }
        if self.world.strategy == "canary":
            wish["candidate"] = self.world.candidate
        try:
            self.planned = self.ledger.plan(self.world.looks(), balancers=self.world.nodes(), shift=wish)
        except RolloutError as refusal:
            self.conclusion = self.ledger.rollout("concluded", refused=refusal.message)

    def act(self, goes_well: bool, variant: int = 0) -> None:
        """One act, after which this process may be killed; the world is judged after it."""
        if self.todo:
            self._do(self.todo.pop(0), goes_well)
        else:
            self._ask(goes_well, variant)
        self.world.check()

    def _do(self, atom: Atom, goes_well: bool) -> None:
        try:
            getattr(self, f"_{atom[0]}")(goes_well, *atom[1:])
        except RolloutError as refusal:
            # A host that took longer than it said counts as vanished; its report comes too late.
            if "cannot become" not in refusal.message:
                raise
            self._fail(atom[1], atom[0] == "reverted" or self.words.get(atom[1]) == "reverted", "coordinator")

    def _ask(self, goes_well: bool, variant: int) -> None:
        checked, self.checked = self.checked, None
        self.asked = next_act(
            self.ledger.ledger,
            {
                **self._me(),
                "hosts": self.world.looks(),
                "balancers": self.world.nodes(checked),
                "checked": checked,
                "played": self.played,
                "verdict": self.verdict,
                "reason": "as scripted",
            },
        )
        self.verdict = None
        getattr(self, f"_to_{self.asked['act']}")(goes_well, variant)

    def _me(self) -> dict[str, t.Any]:
        return {"service": self.ledger.service, "run": self.run, "token": self.token}

    def _to_check(self, goes_well: bool, variant: int) -> None:
        self.todo = [("check", node) for node in NODES]

    def _to_set(self, goes_well: bool, variant: int) -> None:
        self.todo = [("set", node) for node in NODES]

    def _to_bake(self, goes_well: bool, variant: int) -> None:
        self.ledger.fake.move(self.asked["seconds"])
        self.verdict = "pass" if goes_well else VERDICTS[variant % len(VERDICTS)]

    def _to_prepare(self, goes_well: bool, variant: int) -> None:
        self.played = self.asked["act"]
        self.todo = [("admit", host) for host in self.asked["hosts"]]

    _to_promote = _to_prepare

    def _to_demote(self, goes_well: bool, variant: int) -> None:
        self.played = self.asked["act"]
        self.todo = [("plan_back",)]

    _to_revert = _to_demote

    def _to_over(self, goes_well: bool, variant: int) -> None:
        self.todo = [("conclude",)]

    def _conclude(self, goes_well: bool) -> None:
        self.conclusion = self.ledger.rollout("concluded", hosts=self.world.looks(), balancers=self.world.nodes())

    def _plan_back(self, goes_well: bool) -> None:
        order = self.ledger.rollout("reverting")["order"]
        for place, group in enumerate((self.world.live, self.world.candidate)):
            is_going = any(host.name in order for host in self.world.of(group))
            has_traffic = any(split[place] for split in self.world.splits())
            assert not (is_going and has_traffic), f"{group} is rolled back and has traffic"
        self.todo = [("admit", host) for host in order]

    def _check(self, goes_well: bool, node: str) -> None:
        if not goes_well:
            self.world.refusing.add(node)
        self.checked = self.asked["split"]

    def _set(self, goes_well: bool, node: str) -> None:
        """Where it does not go well the node takes no other split for a while."""
        if not goes_well:
            self.world.refusing.add(node)
        self.world.set(node, self.asked["split"])

    def _admit(self, goes_well: bool, name: str) -> None:
        answer = self.ledger.admit(name, limit=LIMIT)
        if answer["verdict"] == "go":
            self.targets[name] = answer["target"]["version"]
            word = self.words[name] = "reverted" if answer["direction"] == "back" else "proven"
            self.todo[:0] = [("change", name), ("update", name), ("health", name, word), (word, name)]

    def _change(self, goes_well: bool, name: str) -> None:
        self.ledger.host("changing", name, step="update", limit=LIMIT)
        self.world.hosts[name].is_whole = False

    def _update(self, goes_well: bool, name: str) -> None:
        self.world.hosts[name].version = self.targets[name]

    def _health(self, goes_well: bool, name: str, word: str) -> None:
        host = self.world.hosts[name]
        if goes_well and host.version not in self.world.rotten:
            host.is_whole = True
            return
        self._fail(name, word == "reverted", "health")

    def _fail(self, name: str, went_back: bool, kind: str) -> None:
        self.todo = [atom for atom in self.todo if atom[1:2] != (name,) or atom[0] == "admit"]
        if went_back:
            self.ledger.host("stuck", name, kind=kind, error="it does not work")
            return
        answer = self.ledger.host("failed", name, kind=kind, error="it does not work", limit=LIMIT)
        if answer["go_back"]:
            self.words[name] = "reverted"
            self.targets[name] = answer["target"]["version"]
            self.todo[:0] = [("update", name), ("health", name, "reverted"), ("reverted", name)]

    def _proven(self, goes_well: bool, name: str) -> None:
        self.ledger.host("proven", name, version=self.world.hosts[name].version)

    def _reverted(self, goes_well: bool, name: str) -> None:
        self.ledger.host("reverted", name, version=self.world.hosts[name].version)


def finish(run: Run, most: int = 400) -> bool:
    """Lets a run go on with nothing going wrong; False where it does not end."""
    for dummy in range(most):
        if run.is_over:
            return True
        run.act(True)
    return run.is_over
