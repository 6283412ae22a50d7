# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 8 on the host: a module that an older run has started ends before its first line."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils import claims, fence
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim, ClaimLost

OURS = ("ours", 7)
MODULE = (
    "import os; print('changed', sorted(name for name in os.environ if name in ('PYTHONPATH', 'STEADY_ROLLOUT_FENCE')))"
)
RECORDS = [
    pytest.param({"ledger": "ours", "token": 7}, id="our own"),
    pytest.param({"ledger": "ours", "token": 6}, id="older"),
    pytest.param({"ledger": "ours", "token": 8}, id="newer"),
    pytest.param({"ledger": "theirs", "token": 1, "active": True}, id="another ledger in force"),
    pytest.param({"ledger": "theirs", "token": 1}, id="another ledger, released"),
    pytest.param({"ledger": "theirs", "token": 1, "superseded": {"ours": 7}}, id="another ledger since"),
    pytest.param({"ledger": "theirs", "token": 1, "superseded": {"ours": 6}}, id="another ledger before"),
]


@pytest.fixture
def claim(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Claim:
    monkeypatch.setattr(fence, "OF_ROOT", str(tmp_path / "fence"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Claim("shop", *OURS, directory=str(tmp_path))


def module(claim: Claim, script: str = MODULE, name: str = "AnsiballZ_x.py", **others: str) -> t.Any:
    """What Ansible would get of a module: its answer where that is JSON, else what it wrote."""
    path = pathlib.Path(str(claim.directory)) / name
    path.write_text(script, encoding="utf-8")
    environment = {**os.environ, **fence.environment(claim), **others}
    done = subprocess.run([sys.executable, path], env=environment, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode else done.stdout + done.stderr


def leave(claim: Claim, record: dict[str, t.Any]) -> None:
    known: dict[str, t.Any] = {"coordinator": "", "active": False, "superseded": {}, "drained": []}
    pathlib.Path(claim.path).write_text(json.dumps({**known, **record}), encoding="utf-8")


@pytest.mark.parametrize("record", RECORDS)
def test_a_module_is_refused_where_a_change_of_the_collection_is(claim: Claim, record: dict[str, t.Any]) -> None:
    leave(claim, record)
    answer = module(claim)
    try:
        with claims.held(claim):
            assert answer == "changed []\n"
    except ClaimLost:
        assert answer == {
            "failed": True,
            "changed": False,
            "kind": "lease_lost",
            "msg": f"{claim.path}: a later run (token {record['token']}, ours is 7) has taken over; this task changes nothing.",
        }


def test_a_host_without_a_claim_lets_the_module_run(claim: Claim) -> None:
    assert module(claim) == "changed []\n"


def test_a_claim_that_cannot_be_understood_lets_nothing_run(claim: Claim) -> None:
    pathlib.Path(claim.path).write_text("{}", encoding="utf-8")
    assert module(claim)["msg"] == f"{claim.path}: not a claim, so who may change the service is unknown."


def test_what_a_step_has_left_running_is_not_refused_later(claim: Claim) -> None:
    leave(claim, {"ledger": "ours", "token": 8})
    assert module(claim, name="daemon.py") == "changed []\n"


def test_the_hosts_own_customization_is_still_run(claim: Claim, tmp_path: pathlib.Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("print('customized')", encoding="utf-8")
    both = os.pathsep.join([fence.environment(claim)["PYTHONPATH"], str(tmp_path / "site")])
    assert module(claim, PYTHONPATH=both) == "customized\nchanged ['PYTHONPATH']\n"


def test_a_changed_program_is_replaced(claim: Claim) -> None:
    path = pathlib.Path(fence.environment(claim)["PYTHONPATH"]) / fence.NAME
    path.write_text("print('planted')", encoding="utf-8")
    assert module(claim) == "changed []\n"
