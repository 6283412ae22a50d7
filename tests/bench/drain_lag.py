# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long after the last session ended a drain returns, on a real HAProxy with real requests in flight."""

from __future__ import annotations

import math
import pathlib
import random
import sys
import tempfile
import threading
import time
import typing as t
import urllib.request

sys.path[:0] = [
    str(pathlib.Path(__file__).resolve().parents[2] / ".collections"),
    str(pathlib.Path(__file__).resolve().parents[1]),
]

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from support.haproxy import Node

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.modules import lb_member
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import run_command

ROUNDS = 40


def lags_ms(rounds: int = ROUNDS, seed: int = 1) -> list[float]:
    """Milliseconds between the moment the client has its answer and the drain's return."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, Node(pathlib.Path(folder), members=2) as node:
        return [_one_lag(node, chance.uniform(0.3, 1.5)) for _round in range(rounds)]


def percentile(values: t.Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100) - 1, 0)]


def _one_lag(node: Node, seconds: float) -> float:
    for member in ("app1", "app2"):
        _set(node, member, "in_service")
    ended: list[tuple[str, float]] = []
    client = threading.Thread(target=_request, args=(node, seconds, ended))
    client.start()
    busy = _await_busy(node)
    _set(node, busy, "drained")
    returned = time.monotonic()
    client.join()
    return (returned - ended[0][1]) * 1000


def _request(node: Node, seconds: float, ended: list[tuple[str, float]]) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{node.port}/slow?seconds={seconds}") as answer:
        answer.read()
    ended.append(("", time.monotonic()))


def _await_busy(node: Node) -> str:
    while True:
        for line in node.ask("show stat").splitlines():
            row = line.split(",")
            if row[0] == "shop" and row[1].startswith("app") and row[4] != "0":
                return row[1]
        time.sleep(0.005)


def _set(node: Node, member: str, state: str) -> None:
    options = {
        "balancer": {"type": "haproxy", "socket": node.socket("admin"), "pool": "shop"},
        "members": [member],
        "state": state,
    }
    params = ArgumentSpecValidator(lb_member.SPEC["argument_spec"]).validate(options).validated_parameters
    lb_member.core(Call(params, check_mode=False, diff=False, warn=print, run_command=run_command))
