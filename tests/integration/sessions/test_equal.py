# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session and the module that runs where there is none give equal results.

The same calls are made both ways, each on a HAProxy, a ledger and a release directory of its own; what differs by
nature (times, identities, ports) is made equal before they are compared.
"""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import pytest
from support import haproxy
from support.archives import archive
from support.executing import Controller
from support.haproxy import Node
from support.sshd import Sshd

UNLIKE = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), "SECONDS"),
)
KINDS = ("session", "module")
PATIENT_CHECK = "check inter 2s fastinter 100 rise 1"
"""HAProxy's checks have this long to answer: on a busy machine one that is late would be the only difference."""

Call = t.Tuple[str, t.Dict[str, t.Any]]


def balancer_calls(directory: pathlib.Path, node: Node | None) -> list[Call]:
    if node is None:
        pytest.skip("no haproxy binary on this machine; install the package haproxy")
    balancer = {"host": "lb1", "type": "haproxy", "socket": node.socket("admin"), "pool": "shop", "state_file": ""}
    member = {"balancer": balancer, "members": ["app1"], "timeout": 5}
    claim = {"service": "shop", "ledger": "L", "token": 3, "directory": f"{directory}/claims"}
    return [
        ("lb_member_info", {"balancer": balancer}),
        ("lb_member", {**member, "state": "drained", "claim": claim}),
        ("lb_member", {**member, "state": "drained"}),
        ("lb_member", {**member, "state": "in_service", "claim": {**claim, "token": 2}}),
        ("lb_member", {**member, "members": ["nobody"], "state": "drained"}),
        ("lb_member", {**member, "state": "in_service"}),
        ("lb_member_info", {"balancer": {**balancer, "socket": f"{directory}/nothing"}}),
        ("lb_member", {**member, "state": "upside down"}),
        ("lb_member_info", {"balancer": balancer, "colour": "green"}),
        ("lb_weight", {"balancer": balancer, "groups": {"a": ["app1"], "b": ["app2"]}, "shares": {"a": 25, "b": 75}}),
    ]


def release_calls(directory: pathlib.Path, _node: Node | None) -> list[Call]:
    archive(directory / "shop.tar.gz", {"app.py": b"print(1)"})
    options = {"path": f"{directory}/shop", "version": "1.0"}
    staged = {**options, "source": f"{directory}/shop.tar.gz", "remote_source": True}
    return [
        ("release", {**staged, "state": "staged"}),
        ("release", {**staged, "state": "active"}),
        ("release", {**options, "state": "query"}),
        ("release", {**options, "state": "active", "version": "../x"}),
        ("release", {**options, "version": "3.0", "source": f"{directory}/nothing.tar.gz", "remote_source": True}),
    ]


def health_calls(directory: pathlib.Path, _node: Node | None) -> list[Call]:
    (directory / "good").write_text("fine")
    targets = [
        {"name": "good", "command": ["cat", f"{directory}/good"]},
        {"name": "bad", "command": ["cat", f"{directory}/nothing"]},
    ]
    quick = {"timeout": 20, "interval": 0.1, "successes": 2, "min_healthy_time": 0}
    # So that how many probes there are does not depend on how fast the machine is.
    once = {"timeout": 3, "interval": 20, "successes": 1, "min_healthy_time": 0}
    return [
        ("health_wait", {"targets": targets[:1], **quick}),
        ("health_wait", {"targets": targets[1:], **once}),
        ("health_wait", {"targets": targets, **once, "fail": False}),
        ("health_wait", {"targets": [{"name": "x"}]}),
    ]


def ledger_calls(directory: pathlib.Path, _node: Node | None) -> list[Call]:
    ledger = {"service": "shop", "ledger": f"{directory}/ledger.db"}
    return [
        ("rollout_info", ledger),
        ("rollout_host", {**ledger, "state": "admitted", "run": "r1", "token": 1, "host": "app1", "timeout": 0.1}),
        ("rollout_host", {**ledger, "state": "admitted"}),
        ("rollout_host", {"state": "quiet", "service": "shop", "interrupted_run": "r0"}),
    ]


CASES = {"balancer": balancer_calls, "release": release_calls, "health": health_calls, "ledger": ledger_calls}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("check_mode", [False, True])
def test_session_and_module_give_equal_results(
    controller: Controller, plain: Sshd, tmp_path_factory: pytest.TempPathFactory, case: str, check_mode: bool
) -> None:
    controller.hosts["session"] = plain.variables()
    controller.hosts["module"] = {**plain.variables(), "ansible_connection": "other"}
    controller.settings["ANSIBLE_PIPELINING"] = "1"
    results = {}
    for kind in KINDS:
        directory = tmp_path_factory.mktemp("both")
        with started(directory, case) as node:
            calls = [
                [{"host": kind, "module": module, "arguments": arguments, "check_mode": check_mode, "diff": True}]
                for module, arguments in CASES[case](directory, node)
            ]
            done = controller.calls(*calls)
        assert {call["kind"] for call in done} == {kind}
        results[kind] = [alike(call["result"], directory) for call in done]
    for of_session, of_module in zip(results["session"], results["module"]):
        assert of_session == of_module


class started:
    """A HAProxy where the case needs one and there is one."""

    def __init__(self, directory: pathlib.Path, case: str) -> None:
        self._node = Node(directory, server_options=PATIENT_CHECK) if case == "balancer" and haproxy.BINARY else None

    def __enter__(self) -> Node | None:
        return self._node.__enter__() if self._node else None

    def __exit__(self, *error: object) -> None:
        if self._node:
            self._node.__exit__(*error)


def alike(value: t.Any, directory: pathlib.Path) -> t.Any:
    if isinstance(value, dict):
        # HAProxy marks a check that is just being made.
        return {key: alike(one, directory) for key, one in value.items() if key != "check"}
    if isinstance(value, list):
        return [alike(one, directory) for one in value]
    if isinstance(value, float):
        return 0.0
    if isinstance(value, str):
        value = value.replace(str(directory), "DIRECTORY")
        for pattern, name in UNLIKE:
            value = pattern.sub(name, value)
    return json.loads(json.dumps(value))
