# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit codes and the result file, as ansible-playbook gives them."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from support.playbooks import played

from ansible_collections.steady.rollout.plugins.plugin_utils.outcomes import Outcome, code_of

CLOSED = {"blackouts": ["2020-01-01/2099-12-31"]}
OPENED = {"state": "opened", "service": "shop", "version": "2.0.0"}


@pytest.mark.parametrize(
    ("found", "has_failed", "code"),
    [
        (Outcome("done"), False, None),
        (Outcome("skipped", "outside_window"), False, None),
        (Outcome("reverted"), False, None),
        (Outcome("reverted", "health"), True, 25),
        (Outcome("incomplete", "window"), True, 24),
        (Outcome("incomplete", "blocked"), True, 21),
        (Outcome("incomplete"), True, None),
        (Outcome("failed", "health"), True, None),
        (Outcome("refused", "outside_window"), True, 20),
        (Outcome("refused", "blocked"), True, 21),
        (Outcome("refused", "not_approved"), True, 22),
        (Outcome("refused", "held"), True, 23),
        (Outcome("refused", "something"), True, None),
        (Outcome(), True, None),
    ],
)
def test_each_outcome_has_its_code(found: Outcome, has_failed: bool, code: int | None) -> None:
    assert code_of(found, has_failed) == code


def run(
    directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *tasks: dict[str, t.Any], codes: str = "1"
) -> tuple[int, dict[str, t.Any], str]:
    """The exit code, the result file and the output of a play with these tasks."""
    monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", "steady.rollout.outcome")
    monkeypatch.setenv("STEADY_ROLLOUT_RESULT_FILE", str(directory / "result.json"))
    monkeypatch.setenv("STEADY_ROLLOUT_EXIT_CODES", codes)
    exit_code, printed = played(directory, {"tasks": list(tasks)})
    return exit_code, json.loads((directory / "result.json").read_text()), printed


def module(name: str, **options: t.Any) -> dict[str, t.Any]:
    return {f"steady.rollout.{name}": options}


def test_outside_of_the_window(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exit_code, result, printed = run(tmp_path, monkeypatch, module("maintenance_window", **CLOSED))
    assert exit_code == 20, printed
    assert (result["exit_code"], result["outcome"], result["reason"]) == (20, "refused", "outside_window")
    assert result["message"].startswith("Nothing was started: closed by 'blackout of 2020-01-01' until")
    assert "PLAY RECAP" in printed
    assert "Traceback" not in printed


def test_skipped(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exit_code, result, printed = run(tmp_path, monkeypatch, module("maintenance_window", **CLOSED, state="skip"))
    assert exit_code == 0, printed
    assert (result["exit_code"], result["outcome"]) == (0, "skipped")


def test_while_another_rollout_runs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = module("rollout", **OPENED, ledger=str(tmp_path / "ledger"))
    exit_code, result, printed = run(tmp_path, monkeypatch, take, take)
    assert exit_code == 23, printed
    assert result["message"].startswith("shop: a rollout of 2.0.0 is being run by")


def test_a_blocked_service(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = {"ledger": str(tmp_path / "ledger")}
    block = module("rollout_control", state="blocked", service="shop", reason="the audit", **ledger)
    exit_code, result, printed = run(tmp_path, monkeypatch, block, module("rollout", **OPENED, **ledger))
    assert exit_code == 21, printed
    assert result["reason"] == "blocked"


def test_what_releases_the_lease_does_not_hide_why_the_plan_was_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2 was given for a plan that lacked approvals, since the task of the rescue succeeded after it."""
    common = {"service": "shop", "ledger": str(tmp_path / "ledger")}
    held = {**common, "run": "{{ opened.run }}", "token": "{{ opened.token }}"}
    hosts = [{"name": name} for name in ("app1", "app2", "app3")]
    plan = module("rollout", **held, state="planned", hosts=hosts, approvals={"required": 1})
    release = module("rollout", **held, state="concluded", refused="it lacks approvals")
    block = {"block": [plan], "rescue": [release, {"ansible.builtin.fail": {"msg": "no"}}]}
    opened = {**module("rollout", **OPENED, ledger=common["ledger"]), "register": "opened"}
    exit_code, result, printed = run(tmp_path, monkeypatch, opened, block)
    assert exit_code == 22, printed
    assert result["reason"] == "not_approved"


def test_a_service_that_was_rolled_back_does_not_decide_for_the_release(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollout of the service is concluded; that of the release comes after it, and says how the run ended."""
    common = {"ledger": str(tmp_path / "ledger")}
    tiers = [{"name": "shop", "service": "shop", "fleet": "shop", "version": "2.0.0"}]
    begun = {**module("rollout_tiers", **common, state="opened", tiers=tiers), "register": "release"}
    run_of_release = "{{ release.run }}"
    opened = {**module("rollout", **OPENED, **common, release_run=run_of_release), "register": "opened"}
    held = {**common, "service": "shop", "run": "{{ opened.run }}", "token": "{{ opened.token }}"}
    refused = module("rollout", **held, state="concluded", refused="it lacks approvals")
    stopped = module(
        "rollout_tiers", **common, state="stopped", run=run_of_release, service="shop", error="no", kind="blocked"
    )
    ended = module("rollout_tiers", **common, state="concluded", run=run_of_release)
    fail = {"ansible.builtin.fail": {"msg": "no"}}
    exit_code, result, printed = run(tmp_path, monkeypatch, begun, opened, refused, stopped, ended, fail)
    assert exit_code == 21, printed
    assert (result["outcome"], result["reason"]) == ("incomplete", "blocked")
    assert result["message"].startswith("The release of shop is not complete: shop: no. State: shop not started.")


def test_any_other_failure_keeps_the_code_of_ansible(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exit_code, result, printed = run(tmp_path, monkeypatch, {"ansible.builtin.fail": {"msg": "no"}})
    assert exit_code == 2, printed
    assert (result["exit_code"], result["outcome"]) == (2, "unknown")


def test_where_only_the_file_is_wanted(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exit_code, result, dummy = run(tmp_path, monkeypatch, module("maintenance_window", **CLOSED), codes="0")
    assert (exit_code, result["exit_code"]) == (2, 20)
