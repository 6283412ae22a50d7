# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking changes nothing, the second time changes nothing, and what cannot work is refused in one sentence."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.world.adhoc import call
from fleet.world.faults import happened
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

NEW = "2.0.0"
POOL = {"socket": "/run/haproxy/admin.sock", "state_file": "/var/lib/haproxy/server-state", "pool": "shop"}
WRONG_QUERY = {"url": "http://10.77.1.1:8080/health", "expect": "status = 'healthy'"}
Look = t.Callable[[], t.Any]


def test_check_shows_the_plan_and_touches_nothing(shop: Shop, rolling: Rolling, users: Background) -> None:
    shop.lab.add_release(NEW)
    before, states = shop.starts(), admin_states(shop)
    ended = rolling.run(NEW, "--check", "--diff")
    assert ended.exit_code == 0, ended.output
    assert "shop: 6 of 6 hosts to 2.0.0" in ended.output
    for app in shop.apps:
        assert any(line.split()[1:2] == [app] for line in ended.output.splitlines()), ended.output
    assert "max unavailable 2, min available 4 of 6; lowest capacity 4" in ended.output
    assert shop.touched(NEW, before) == []
    assert admin_states(shop) == states
    assert not shop.ledger.exists()
    assert not any(has_claim(shop, name) for name in shop.balancers)
    assert users.stop()["failed"] == 0


def test_a_second_run_of_the_same_version_changes_nothing(shop: Shop, rolling: Rolling, users: Background) -> None:
    before, states = shop.starts(), admin_states(shop)
    ended = rolling.run("1.0.0")
    assert ended.exit_code == 0, ended.output
    assert "all 6 hosts are in service on 1.0.0 (6 of them were before)" in ended.last_line
    assert (shop.starts(), admin_states(shop)) == (before, states)
    assert users.stop()["failed"] == 0


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        ({"rollout_max_unavailable": "120%"}, "max_unavailable: 120% is more than 100%"),
        ({"rollout_min_available": "100%"}, "rollout_min_available 100% of 6 = 6 means that no host could be drained"),
        ({"rollout_healthy_deadline": 90}, "are out of order: each must be shorter than the next"),
        ({"rollout_member": "{{ inventory_hostname }}-x"}, "app1: its member 'app1-x' is not in the pool of lb1"),
        ({"rollout_health": WRONG_QUERY}, "is not valid JMESPath: \"status = 'healthy'\""),
    ],
    ids=["percentage", "floor", "deadlines", "member", "query"],
)
def test_settings_that_cannot_work_are_refused_before_anything_changes(
    shop: Shop, rolling: Rolling, settings: dict[str, t.Any], because: str
) -> None:
    assert_refused(shop, rolling, because, **settings)


@pytest.mark.parametrize(
    "words",
    [("--tags", "deploy"), pytest.param(("--skip-tags", "slow"), marks=pytest.mark.long)],
    ids=["tags", "skip-tags"],
)
def test_a_run_of_only_some_tasks_is_refused(shop: Shop, rolling: Rolling, words: tuple[str, str]) -> None:
    assert_refused(shop, rolling, "Run the playbook without them; narrow the hosts with --limit instead.", *words)


def test_a_pause_in_a_step_is_refused(shop: Shop, rolling: Rolling, tmp_path: pathlib.Path) -> None:
    steps = tmp_path / "steps.yml"
    steps.write_text("- name: Take a rest\n  ansible.builtin.pause: {seconds: 1}\n", encoding="utf-8")
    because = f"{steps}: 'Take a rest' uses pause, which aborts the whole run"
    assert_refused(shop, rolling, because, rollout_after_drain_tasks=str(steps))


def test_lb_member_looks_changes_and_then_has_nothing_to_do(shop: Shop, users: Background) -> None:
    for state in ("drained", "maintenance", "in_service"):
        wanted = {"balancer": POOL, "members": ["app1"], "state": state}
        assert_looks_changes_and_rests(shop, "lb1", "lb_member", wanted, lambda: admin_states(shop))
    assert users.stop()["failed"] == 0


def test_release_looks_changes_and_then_has_nothing_to_do(shop: Shop, users: Background) -> None:
    shop.lab.add_release(NEW)
    wanted = {"path": "/opt/shop", "version": NEW, "source": str(shop.lab.releases / f"shop-{NEW}.tar.gz")}
    for state in ("staged", "active"):
        assert_looks_changes_and_rests(
            shop, "app1", "release", {**wanted, "state": state}, lambda: on_disk(shop, "app1")
        )
    assert users.stop()["failed"] == 0


def test_rollout_looks_takes_the_lease_and_leaves_no_trace_of_the_look(shop: Shop) -> None:
    """On another host than the controller's."""
    directory = "/run/ledger-of-test"
    wanted = {"state": "opened", "service": "shop", "version": NEW, "ledger": directory}
    shop.lab.run("lb1", ["rm", "-rf", directory])
    assert (
        call(shop.lab, "lb1", "rollout", wanted, "--check").result["msg"] == "shop: opened the rollout of 2.0.0 (open)"
    )
    assert shop.lab.run("lb1", ["test", "-e", directory], check=False).returncode == 1
    first = call(shop.lab, "lb1", "rollout", wanted)
    assert first.changed
    # Who opened it is gone, as after a kill: the next one need not wait.
    assert call(shop.lab, "lb1", "rollout", wanted).result["token"] > first.result["token"]


@pytest.mark.parametrize(
    ("host", "module", "arguments"),
    [
        ("lb1", "lb_member_info", {"balancer": POOL}),
        ("app1", "health_wait", {"targets": [{"name": "shop", "url": "http://127.0.0.1:8080/health"}], "timeout": 0}),
        ("app1", "release", {"path": "/opt/shop", "state": "query"}),
        ("app1", "rollout_info", {"service": "shop"}),
    ],
)
def test_what_only_looks_never_changes(shop: Shop, host: str, module: str, arguments: dict[str, t.Any]) -> None:
    for words in ((), ("--check", "--diff")):
        answer = call(shop.lab, host, module, arguments, *words)
        assert (answer.state, answer.changed) == ("SUCCESS", False), answer.result


@pytest.mark.parametrize(
    ("host", "module", "arguments", "because"),
    [
        ("lb1", "lb_member", {"members": ["app9"], "state": "drained"}, "no member 'app9'"),
        ("lb1", "lb_member", {"members": ["app1"], "state": "asleep"}, "value of state must be one of"),
        ("lb1", "lb_member", {"members": ["app1"], "state": "drained", "timeout": "soon"}, "timeout"),
        ("lb1", "lb_member_info", {"balancer": {"socket": "/run/nobody.sock", "pool": "shop"}}, "/run/nobody.sock"),
        ("localhost", "health_wait", {"targets": [{"name": "shop", **WRONG_QUERY}]}, "is not valid JMESPath"),
        ("app1", "release", {"path": "/opt/shop", "version": NEW, "source": "/nowhere.tar.gz"}, "/nowhere.tar.gz"),
        ("app1", "rollout_host", {"service": "shop", "host": "app1", "state": "failed"}, "missing"),
    ],
    ids=["unknown member", "unknown state", "wrong type", "unreachable socket", "query", "no source", "no run"],
)
def test_a_module_says_in_one_sentence_what_cannot_work(
    shop: Shop, host: str, module: str, arguments: dict[str, t.Any], because: str
) -> None:
    before = admin_states(shop)
    if module.startswith("lb_"):
        arguments = {"balancer": POOL, **arguments}
    refused = call(shop.lab, host, module, arguments)
    assert refused.state == "FAILED"
    assert because in refused.result["msg"]
    assert "Traceback" not in refused.result["msg"]
    assert not refused.result.get("changed")
    assert admin_states(shop) == before


def assert_refused(shop: Shop, rolling: Rolling, because: str, *words: str, **settings: t.Any) -> None:
    shop.lab.add_release(NEW)
    before, states = shop.starts(), admin_states(shop)
    ended = rolling.run(NEW, *words, **settings)
    assert ended.exit_code != 0
    assert because in ended.last_line, ended.output
    assert shop.touched(NEW, before) == []
    assert admin_states(shop) == states
    assert not happened(shop, "admitted")


def assert_looks_changes_and_rests(shop: Shop, host: str, module: str, arguments: dict[str, t.Any], look: Look) -> None:
    """First --check --diff, then for real, then once more."""
    before = look()
    foreseen = call(shop.lab, host, module, arguments, "--check", "--diff")
    assert foreseen.changed, foreseen.result
    assert look() == before
    done = call(shop.lab, host, module, arguments, "--diff")
    assert done.changed, done.result
    assert foreseen.diff == done.diff
    assert "+++" in done.diff
    after = look()
    assert after != before
    assert not call(shop.lab, host, module, arguments).changed
    assert look() == after


def admin_states(shop: Shop) -> dict[str, dict[str, str]]:
    """What was set on each member at each balancer."""
    states = {}
    for balancer in shop.balancers:
        _version, header, *rows = [line for line in shop.servers(balancer).splitlines() if line.strip()]
        names = header.lstrip("# ").split()
        table = [dict(zip(names, row.split())) for row in rows]
        states[balancer] = {row["srv_name"]: row["srv_admin_state"] for row in table}
    return states


def on_disk(shop: Shop, app: str) -> list[str]:
    listed = shop.lab.run(app, ["sh", "-c", "cd /opt/shop; readlink current; find . -not -path '*/lost+found*'"])
    return sorted(listed.stdout.splitlines())


def has_claim(shop: Shop, balancer: str) -> bool:
    return shop.lab.run(balancer, ["test", "-e", "/var/lib/steady-rollout-claims"], check=False).returncode == 0
