# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate that compares like with like: HAProxy's request log, under traffic of pages and downloads."""

from __future__ import annotations

import typing as t

import pytest

pytestmark = pytest.mark.needs("haproxy")

MIXED = (*["/page"] * 12, "/file?seconds=0.7")
SLOW = {"name": "latency", "query": "latency", "judge": True}
BLIND = (
    "latency: localhost shop has no request log, so that pages which became slower among slow downloads are not seen; "
    "give balancer.request_log."
)


def test_pages_many_times_as_slow_among_downloads_are_stopped(start: t.Any, gate: t.Any) -> None:
    world = start(delay=0.06, paths=MIXED)
    logged = {**world.balancer, "request_log": "requests"}
    outcome = gate(balancers=[logged], metrics=[SLOW], window="60", interval="5", patient=True)
    assert outcome["verdict"] == "fail", outcome.result
    figures = outcome["metrics"][0]["figures"]
    assert figures["ratio"] > 2
    assert outcome["notes"] == []


def test_without_a_request_log_the_gate_says_what_it_cannot_see(start: t.Any, gate: t.Any) -> None:
    world = start(paths=MIXED)
    outcome = gate(balancers=[world.balancer], metrics=[SLOW], window="4", interval="1")
    assert outcome["notes"] == [BLIND]
