# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from support.tally import SAMPLES, Failed, Tally


def test_every_request_is_counted_once_and_by_its_version() -> None:
    tally = Tally(1000.0)
    tally.count_ok("close", "1.0.0", 1000.2, 0.1)
    tally.count_ok("close", "2.0.0", 1001.2, 0.3)
    tally.count_failed("slow", "10.0.0.1:80", 1001.5, 0.2, Failed("reset", "gone"))
    report = tally.report(1002.0)
    assert (report["requests"], report["ok"], report["failed"], report["seconds"], report["rate"]) == (
        3,
        2,
        1,
        2.0,
        1.5,
    )
    assert report["versions"] == {"1.0.0": 1, "2.0.0": 1}
    assert report["timeline"] == [
        {"second": 0, "versions": {"1.0.0": 1}},
        {"second": 1, "versions": {"2.0.0": 1}},
    ]
    assert report["clients"] == {
        "close": {"ok": 2, "failed": 0, "reconnects": 0},
        "slow": {"ok": 0, "failed": 1, "reconnects": 0},
    }
    assert report["slowest"] == {"close": 0.3}


def test_a_feature_is_counted_by_host_version_and_value() -> None:
    tally = Tally(0.0)
    for begun in (3.0, 1.0, 2.0):
        tally.note_feature({"host": "app1", "version": "2.0.0", "feature": "on"}, begun)
    tally.note_feature({"host": "app1", "version": "1.0.0"}, 4.0)
    assert tally.report(5.0)["features"] == [
        {
            "host": "app1",
            "version": "2.0.0",
            "feature": "on",
            "requests": 3,
            "first_begun": 1.0,
            "last_begun": 3.0,
        }
    ]


def test_the_95th_percentile_is_printed_by_client_and_version() -> None:
    tally = Tally(0.0)
    for number in range(1, 101):
        tally.count_ok("close", "1.0.0", 1.0, number / 1000)
        tally.count_ok("close", "2.0.0", 1.0, number * 3 / 1000)
    tally.count_ok("upload", "1.0.0", 1.0, 3.0)
    p95 = tally.report(2.0)["p95"]
    assert p95["close"] == {"1.0.0": pytest.approx(0.095, rel=0.02), "2.0.0": pytest.approx(0.285, rel=0.02)}
    assert p95["upload"] == {"1.0.0": pytest.approx(3.0, rel=0.02)}


def test_a_sticky_client_remembers_which_versions_it_met() -> None:
    tally = Tally(0.0)
    for version in ("1.0.0", "1.0.0", "2.0.0", "1.0.0"):
        tally.count_ok("sticky3", version, 1.0, 0.1)
        tally.count_ok("close", version, 1.0, 0.1)
    assert tally.report(2.0)["journeys"] == {"sticky3": ["1.0.0", "2.0.0", "1.0.0"]}


def test_a_failure_says_when_where_and_what() -> None:
    tally = Tally(1000.0)
    tally.count_failed("slow", "10.0.0.1:80", 1001.5, 0.25, Failed("reset", "gone"))
    report = tally.report(1002.0)
    assert report["kinds"] == {"reset": 1}
    assert report["failures"] == [
        {
            "at": 1001.5,
            "second": 1.5,
            "after": 0.25,
            "client": "slow",
            "target": "10.0.0.1:80",
            "kind": "reset",
            "detail": "gone",
        }
    ]


def test_failures_beyond_the_sample_are_still_counted() -> None:
    tally = Tally(0.0)
    for number in range(SAMPLES + 5):
        tally.count_failed("close", "10.0.0.1:80", number, 0.0, Failed("reset", "gone"))
    assert tally.failed == SAMPLES + 5
    assert len(tally.failures) == SAMPLES


def test_a_reconnect_is_neither_a_request_nor_a_failure() -> None:
    tally = Tally(0.0)
    tally.count_reconnect("keepalive")
    assert (tally.requests, tally.failed, tally.reconnects) == (0, 0, 1)
