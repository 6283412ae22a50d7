# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage of a rolling deployment is judged by metrics: the role's own tasks, a ledger, and HAProxy under traffic."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import yaml
from support.playbooks import run_playbook

pytestmark = pytest.mark.needs("haproxy")

ERRORS = {"name": "errors", "judge": True, "critical": True}
STAGES = [1, "100%"]
END_AFTER_ADMISSION = [{"name": "End before the drain", "ansible.builtin.meta": "end_play"}]


def judged(directory: pathlib.Path, **settings: t.Any) -> dict[str, t.Any]:
    """What the ledger says after app1 was proven on 2.0.0 and app2 ran the gate of its stage while it waited for its turn."""
    ledger = {"service": "shop", "ledger": str(directory / "ledger")}
    held = {**ledger, "run": "{{ __rollout_run.run }}", "token": "{{ __rollout_run.token }}"}
    hosts = [{"name": f"app{number}", "healthy": True, "version": "1.0.0"} for number in (1, 2, 3)]
    policy = {"stages": STAGES, "gate": True}
    (directory / "before_drain.yml").write_text(yaml.safe_dump(END_AFTER_ADMISSION))
    gate = {
        "hosts": "app2",
        "gather_facts": False,
        "strategy": "ansible.builtin.host_pinned",
        "vars": {
            "rollout_service": "shop",
            "rollout_ledger": ledger["ledger"],
            "rollout_claim_directory": str(directory / "claims"),
            "rollout_stages": STAGES,
            "rollout_metrics": [ERRORS],
            "rollout_analysis_interval": 0.5,
            "rollout_before_drain_tasks": str(directory / "before_drain.yml"),
            "__rollout_shared": "{{ __rollout_options_of_hosts }}",
            **settings,
        },
        "tasks": [
            {"steady.rollout.rollout": {**ledger, "state": "opened", "version": "2.0.0"}, "register": "__rollout_run"},
            {"steady.rollout.rollout": {**held, "state": "planned", "policy": policy, "hosts": hosts}},
            {"steady.rollout.rollout_host": {**held, "state": "admitted", "host": "app1"}},
            {"steady.rollout.rollout_host": {**held, "state": "proven", "host": "app1", "version": "2.0.0"}},
            {"ansible.builtin.import_role": {"name": "steady.rollout.rollout", "tasks_from": "host"}},
        ],
    }
    content = {"content": "{{ info | to_json }}", "dest": str(directory / "info.json"), "mode": "0600"}
    report = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"steady.rollout.rollout_info": ledger, "register": "info"}, {"ansible.builtin.copy": content}],
    }
    playbook = directory / "play.yml"
    playbook.write_text(yaml.safe_dump([gate, report]))
    code, printed = run_playbook(directory, playbook, "-i", "localhost,app2,", "-c", "local", limit=180)
    assert code == 0, printed
    assert "already in use" not in printed
    found: dict[str, t.Any] = json.loads((directory / "info.json").read_text())
    return found


@pytest.mark.parametrize(
    ("errors", "verdict", "status", "bad"), [(0.0, "pass", "open", []), (0.2, "fail", "failing", ["2.0.0"])]
)
def test_the_hosts_that_are_proven_are_held_against_those_that_wait(
    start: t.Any, tmp_path: pathlib.Path, errors: float, verdict: str, status: str, bad: list[str]
) -> None:
    world = start(errors=errors)
    waits = {"on_no_data": "wait", "on_inconclusive": "wait"}
    info = judged(tmp_path, rollout_balancers=[world.balancer], rollout_metric_window=4, rollout_metric_policy=waits)
    (gate,) = info["gates"]
    assert (gate["stage"], gate["verdict"]) == (1, verdict), gate
    assert info["rollouts"][0]["status"] == status
    assert [one["version"] for one in info["bad"]] == bad
    assert {one["step"].split()[1] for one in info["measurements"]} == {"1"}
    assert gate["evidence"]["metrics"][0]["name"] == "errors"


def test_metrics_that_cannot_be_measured_stop_it_and_speak_against_no_version(tmp_path: pathlib.Path) -> None:
    nowhere = {"type": "haproxy", "host": "localhost", "socket": str(tmp_path / "none.sock"), "pool": "shop"}
    info = judged(tmp_path, rollout_balancers=[nowhere], rollout_metric_window=60)
    assert [gate["verdict"] for gate in info["gates"]] == ["no_data"]
    assert "no such socket" in info["gates"][0]["reason"]
    assert (info["rollouts"][0]["status"], info["bad"]) == ("failing", [])


def test_settings_that_cannot_be_right_leave_no_gate_without_a_verdict(tmp_path: pathlib.Path) -> None:
    info = judged(tmp_path, rollout_analysis_interval=0)
    assert [(gate["verdict"], gate["reason"]) for gate in info["gates"]] == [
        ("no_data", "interval: expected more than 0 s, found 0.")
    ]
