# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single requests out of logs: what is read, what is left out, and what stays bounded."""

from __future__ import annotations

import json
import pathlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common import access_log, request_log
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import Entry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import request_log as haproxy_log
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

HAPROXY = (
    "<134>Nov 21 18:00:03 haproxy[7]: 10.0.0.9:51922 [21/Nov/2026:18:00:01.250] front shop/app2 0/0/1/12/30 200 120 - - "
    '---- 1/1/0/0/0 0/0 "GET /orders/17?token=x HTTP/1.1"'
)
BEGAN = time.mktime((2026, 11, 21, 18, 0, 1, 0, 0, -1)) + 0.25


@pytest.mark.parametrize(
    ("status", "is_bad"), [(200, False), (404, False), (499, False), (500, True), (504, True), (-1, True), (0, True)]
)
def test_what_the_service_did_wrong_is_bad_and_not_what_the_client_did(status: int, is_bad: bool) -> None:
    assert Entry(0.0, "app1", status, 1.0, "GET", "/").is_bad is is_bad


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/", "GET /"),
        ("GET", "/orders/17?token=secret", "GET /orders/*"),
        ("POST", "/a/b/c/d", "POST /a/b"),
        ("GET", "/very-long-segment-that-is-a-hash-or-a-title", "GET /*"),
        ("GET", "//double///slashes", "GET /double/slashes"),
        ("GET", "/f\x1b[31m/x", "GET /*/x"),
        ("<script>", "/x", "? /x"),
    ],
)
def test_requests_that_may_be_compared(method: str, path: str, kind: str) -> None:
    assert request_log.kind(method, path) == kind


def test_haproxys_line() -> None:
    assert haproxy_log.entries(HAPROXY, "shop") == [
        Entry(pytest.approx(BEGAN + 0.03), "app2", 200, 12.0, "GET", "/orders/17?token=x")
    ]
    assert haproxy_log.entries(HAPROXY, "other") == []
    assert haproxy_log.entries(HAPROXY.replace("app2 ", "<NOSRV> "), "shop") == []
    assert haproxy_log.entries("Unknown command\n" + HAPROXY[:90], "shop") == []


def test_an_answer_that_haproxy_did_not_get_has_no_latency() -> None:
    (entry,) = haproxy_log.entries(HAPROXY.replace("0/0/1/12/30 200", "0/0/-1/-1/3000 503"), "shop")
    assert (entry.milliseconds, entry.is_bad) == (None, True)


def test_lines_of_json(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "access.log"
    good = {"t": "100.5", "m": "10.0.0.1:80", "s": "200", "l": "0.012", "v": "GET", "p": "/x"}
    tried = {**good, "m": "10.0.0.1:80, 10.0.0.2:80", "l": "0.001, 0.020"}
    lines = [
        json.dumps(good),
        json.dumps(tried),
        json.dumps({**good, "l": "-", "s": "502"}),
        "",
        "not json",
        "[1]",
        '{"t": "x"}',
        json.dumps({**good, "s": None}),
    ]
    log.write_text("\n".join(lines), encoding="utf-8")
    names = {"10.0.0.1:80": "app1", "10.0.0.2:80": "app2"}
    assert access_log.read(str(log), "lb1 nginx", names, 1000.0) == [
        Entry(100.5, "app1", 200, 12.0, "GET", "/x"),
        Entry(100.5, "app2", 200, 20.0, "GET", "/x"),
        Entry(100.5, "app1", 502, None, "GET", "/x"),
    ]


def test_only_the_end_of_a_long_log_is_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MOST_BYTES", 200)
    log = tmp_path / "access.log"
    line = json.dumps({"t": "1", "m": "a", "s": "200", "l": "1", "v": "GET", "p": "/"})
    log.write_text(f"{line}\n" * 100, encoding="utf-8")
    assert 1 <= len(access_log.read(str(log), "lb1", {}, 1.0)) <= 3


def test_a_log_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RolloutError) as caught:
        access_log.read(str(tmp_path / "none"), "lb1 nginx", {}, 1.0)
    assert caught.value.message == (
        f"lb1 nginx: cannot read balancer.request_log {tmp_path}/none: No such file or directory. Give the access log that "
        "the README's configuration writes, and run the module as a user that may read it."
    )


def test_slices_that_are_complete() -> None:
    entries = [
        Entry(101.0, "app1", 200, 20.0, "GET", "/x"),
        Entry(104.9, "app1", 500, 1.0, "GET", "/x"),
        Entry(105.0, "app2", 200, 20.0, "GET", "/y"),
        Entry(111.0, "app1", 200, 20.0, "GET", "/x"),
        Entry(-100.0, "app1", 200, 20.0, "GET", "/x"),
    ]
    number = request_log.bin_of(20.0)
    lower, width = request_log.bounds(number)
    assert lower <= 20.0 < lower + width
    assert request_log.summary(entries, now=112.0) == [
        {"at": 105.0, "members": {"app1": {"GET /x": [2, 1, [[number, 1]]]}}},
        {"at": 110.0, "members": {"app2": {"GET /y": [1, 0, [[number, 1]]]}}},
    ]


def test_whatever_clients_ask_for_the_summary_stays_small() -> None:
    many = [Entry(100.0, "app1", 200, 1.0, "GET", f"/{chr(97 + a)}{chr(97 + b)}") for a in range(26) for b in range(26)]
    (one,) = request_log.summary(many, now=106.0)
    assert len(one["members"]["app1"]) == request_log.MOST_KINDS + 1
    assert one["members"]["app1"]["other"][0] == 26 * 26 - request_log.MOST_KINDS


@given(st.floats(0, 1e9))
def test_every_latency_has_its_bin(milliseconds: float) -> None:
    number = request_log.bin_of(milliseconds)
    lower, width = request_log.bounds(number)
    assert lower <= milliseconds * 1.0001
    assert milliseconds <= (lower + width) * 1.0001 or number == request_log.MOST_BINS


@given(st.text(), st.text())
def test_no_line_raises(line: str, path: str) -> None:
    haproxy_log.entries(line, "shop")
    assert request_log.kind("GET", path).isprintable()
