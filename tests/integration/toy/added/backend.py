# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer made for a test: JSON over TCP, a question and an answer on each connection."""

from __future__ import annotations

import dataclasses
import json
import socket
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer, Member, Snapshot
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError


def open_toy(settings: dict[str, t.Any]) -> Toy:
    return Toy(settings["pool"], settings["toy_port"])


class Toy(Balancer):
    """One pool of the toy."""

    capabilities = frozenset(
        {contract.CAN_DRAIN, contract.CAN_MAINTAIN, contract.CAN_WEIGH, contract.CAN_WEIGH_AT_ONCE}
    )
    lacks: t.ClassVar[t.Mapping[str, str]] = dict.fromkeys(
        set(contract.ALL_CAPABILITIES) - capabilities, "the toy is made for a test"
    )

    def __init__(self, pool: str, port: int) -> None:
        super().__init__(pool, f"127.0.0.1:{port}")
        self._port = port

    def version(self) -> str:
        return "1.0"

    def require_admin(self) -> None:
        if not self._ask({})["writable"]:
            raise RolloutError(f"{self.where}: no change is allowed here.")

    def snapshot(self) -> Snapshot:
        pools = self._ask({})["pools"]
        if self.pool not in pools:
            raise InputError(f"{self.where}: no pool '{self.pool}'; its pools are {contract.quoted(pools)}.")
        return Snapshot(self.pool, {name: _member(name, one) for name, one in pools[self.pool].items()})

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        self._ask({"pool": self.pool, "set": {name: {"state": state} for name, state in states.items()}})

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        self._ask({"pool": self.pool, "set": {name: {"weight": weight} for name, weight in weights.items()}})

    def _ask(self, question: dict[str, t.Any]) -> t.Any:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=5) as stream:
                stream.sendall(json.dumps(question).encode() + b"\n")
                return json.loads(b"".join(iter(lambda: stream.recv(65536), b"")))
        except (OSError, ValueError) as error:
            raise contract.Unreachable(f"{self.where}: the toy does not answer ({error}).") from error


def _member(name: str, one: dict[str, t.Any]) -> Member:
    own = one["state"]
    usable = own == contract.IN_SERVICE and one["weight"] > 0
    member = Member(
        name=name,
        address=one["address"],
        own=own,
        admin=own,
        operational=contract.NO_CHECK,
        weight=one["weight"],
        sessions=one["sessions"],
        queue=0,
        old_sessions=None,
        usable=usable,
        in_rotation=usable,
    )
    return dataclasses.replace(member, operational=contract.PAUSED) if own == contract.MAINTENANCE else member
