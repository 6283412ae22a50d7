# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row for each check of preflight.yml, whatever the tasks came back with."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.report import bytes_of, report

GOOD: dict[str, t.Any] = {
    "settings": {"errors": [], "msg": "The settings can work."},
    "ledger": {"blocks": [], "services": [{"is_held": False}], "chain": {"intact": True}},
    "window": {"open": True, "fits": True, "closed_by": "", "text": "the maintenance window is open until 04:00"},
    "fleet": {"hosts": [{"name": "app1", "in_scope": True, "healthy": True}], "problems": []},
    "disk": {"app1": {"free": 5e9, "free_inodes": 100_000, "place": "/opt", "msg": "5000 MB are free at /opt"}},
    "disk_needed": "1G",
    "alerts": {"verdict": "pass", "msg": "no alert fires."},
    "plan": {"order": ["app1"], "text": ["shop: 1 of 1 hosts to 2.0.0, stages 1"], "plan_hash": "", "notes": []},
    "migrations": {"go": True, "msg": "database 'shop': would apply 7ad1"},
}
HASH = "3f9a1c2d4e5f" + "0" * 52


def test_all_is_well() -> None:
    found = report(GOOD)
    assert found["passed"]
    assert found["msg"] == "All checks passed."
    assert found["text"] == [
        "check       verdict  says",
        "settings    ok       can work",
        "block       ok       not blocked",
        "lease       ok       no rollout is running",
        "history     ok       intact",
        "window      ok       the maintenance window is open until 04:00",
        "health      ok       every host is healthy",
        "balancers   ok       every load balancer answers",
        "disk        ok       every host has at least 1000 MB",
        "alerts      ok       no alert fires",
        "migrations  ok       database 'shop': would apply 7ad1",
        "plan        ok       shop: 1 of 1 hosts to 2.0.0, stages 1",
        "approvals   ok       none are needed",
    ]


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        ({"settings": {"errors": ["a is not set.", "b is odd."]}}, "settings", "a is not set. b is odd."),
        ({"ledger": {"msg": "The coordinator does not answer."}}, "ledger", "The coordinator does not answer."),
        (
            {"ledger": {**GOOD["ledger"], "blocks": [{"text": "shop is blocked by ana"}]}},
            "block",
            "shop is blocked by ana",
        ),
        ({"ledger": {**GOOD["ledger"], "services": [{"is_held": True}]}}, "lease", "another rollout is running"),
        ({"ledger": {**GOOD["ledger"], "chain": {"intact": False}}}, "history", "damaged"),
        ({"window": {"open": False, "fits": False, "closed_by": "", "text": "outside"}}, "window", "outside"),
        (
            {"window": {"open": False, "fits": False, "closed_by": "Christmas", "text": "closed by"}},
            "freeze",
            "closed by",
        ),
        ({"window": {"msg": "freezes: f.ics cannot be read"}}, "window", "freezes: f.ics cannot be read"),
        ({"fleet": {**GOOD["fleet"], "problems": ["lb2 does not answer."]}}, "balancers", "lb2 does not answer."),
        ({"fleet": {"hosts": [{"name": "app1", "in_scope": True, "healthy": None}]}}, "health", "not healthy: app1"),
        ({"disk_needed": "6G"}, "disk", "app1: 5000 MB are free at /opt, 6000 MB needed"),
        ({"disk_needed": "much"}, "disk", "rollout_preflight_disk: 'much' is not a size such as 500M or 2G."),
        ({"disk": {"app1": {**GOOD["disk"]["app1"], "free_inodes": 3}}}, "disk", "app1: 3 inodes are free at /opt"),
        ({"disk": {"app1": {"unreachable": True, "msg": "no route"}}}, "disk", "app1: no route"),
        ({"disk": {"app1": {}}}, "disk", "app1: was not asked"),
        ({"alerts": {"verdict": "fail", "msg": "2 alerts fire."}}, "alerts", "2 alerts fire"),
        (
            {"plan": {"msg": "min_available means that no host could be drained."}},
            "plan",
            "min_available means that no host could be drained.",
        ),
        (
            {"plan": {**GOOD["plan"], "plan_hash": HASH, "approved": False, "notes": ["x", "plan 3f9a1c2d4e5f lacks"]}},
            "approvals",
            "plan 3f9a1c2d4e5f lacks",
        ),
        (
            {"migrations": {"msg": "the linter found 1 unsafe statement."}},
            "migrations",
            "the linter found 1 unsafe statement",
        ),
    ],
)
def test_each_check_fails_by_itself(change: dict[str, t.Any], check: str, says: str) -> None:
    found = report({**GOOD, **change})
    assert not found["passed"]
    assert found["msg"].endswith(f"checks failed: {check}.")
    assert [(row["check"], row["says"]) for row in found["rows"] if row["verdict"] == "FAILED"] == [(check, says)]


def test_what_is_not_set_up_is_not_checked_and_does_not_fail() -> None:
    found = report({**GOOD, "window": {}, "disk": {}, "alerts": {}, "migrations": {}})
    assert found["passed"]
    assert [row["check"] for row in found["rows"] if row["verdict"] == "not checked"] == [
        "window",
        "disk",
        "alerts",
        "migrations",
    ]


@pytest.mark.parametrize(
    ("given", "size"), [("500M", 5e8), ("2g", 2e9), ("1.5 GB", 1.5e9), (4096, 4096.0), ("1T", 1e12)]
)
def test_sizes(given: object, size: float) -> None:
    assert bytes_of(given) == size


@pytest.mark.parametrize("given", ["", "G", "-1G", "1P"])
def test_what_is_no_size(given: str) -> None:
    with pytest.raises(InputError):
        bytes_of(given)
