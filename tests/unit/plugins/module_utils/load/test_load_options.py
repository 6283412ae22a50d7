# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a comparison refuses before its first request, and in which words."""

from __future__ import annotations

import typing as t

import pytest
from support.cores import call_core, params_of

from ansible_collections.steady.rollout.plugins.module_utils.load import options
from ansible_collections.steady.rollout.plugins.modules import http_compare

GROUPS: dict[str, t.Any] = {"baseline": {"urls": ["http://b"]}, "candidate": {"name": "green", "urls": ["http://g"]}}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"rate": 0}, "rate is 0; expected requests a second to each group, from 0.1 to 500."),
        ({"rate": 501}, "rate is 501; expected requests a second to each group, from 0.1 to 500."),
        ({"seconds": 0}, "seconds is 0; expected seconds, from 1 to 3600."),
        ({"max_seconds": 0}, "max_seconds is 0; expected seconds, from 1 to 3600."),
        ({"warm_up": -1}, "warm_up: '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
        ({"connections": 65}, "connections is 65; expected connections to each group, from 1 to 64."),
        ({"timeout": 0}, "timeout is 0; expected seconds, from 0.001 to 300."),
        ({"percentile": 100}, "percentile is 100; expected a percentile of latencies, from 50 to 99.99."),
        (
            {"max_slowdown": -1},
            "max_slowdown is -1; expected percent that the candidate may be slower, from 0 to 1000.",
        ),
        ({"negligible": -1}, "negligible: '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
        ({"max_failures": 101}, "max_failures is 101; expected percentage points, from 0 to 100."),
        ({"min_samples": 0}, "min_samples is 0; expected good answers, from 1 to 200000."),
        ({"confidence": 50}, "confidence is 50; expected percent, from 50.01 to 99.99."),
        ({"max_latency": 0}, "max_latency is 0; expected more than 0 seconds."),
        ({"rate": float("nan")}, "rate: nan is not a finite number that fits in 64 bits."),
        (
            {"rate": 500, "seconds": 3600},
            "rate 500 for up to 3605 s is 1802500 requests to each group; at most 200000 are sent. "
            "Make it shorter or slower.",
        ),
        (
            {"rate": 1},
            "rate 1 for 30 s is 30 requests to each group, and 100 are needed for a verdict on p95 with a confidence of "
            "95 %. Make it longer or faster.",
        ),
        (
            {"rate": 10, "percentile": 99.5},
            "rate 10 for 30 s is 300 requests to each group, and 817 are needed for a verdict on p99.5 with a confidence "
            "of 95 %. Make it longer or faster.",
        ),
        ({"requests": []}, "requests: the list is empty, so nothing could be measured; name at least one request."),
        (
            {"requests": [{"path": "home?token=x"}]},
            "requests: 'home' is not a path that begins with / and has special characters percent-encoded.",
        ),
        ({"requests": [{"path": "/", "method": "A B"}]}, "requests: '/' has a method that HTTP does not allow: A B"),
        (
            {"requests": [{"path": "/", "status": []}]},
            "requests: '/' has an empty status list, so no answer could be right.",
        ),
        (
            {"requests": [{"path": "/", "status": 600}]},
            "requests: '/' has status 600; an HTTP status is from 100 to 599.",
        ),
        (
            {"requests": [{"path": "/?a=b", "headers": {"A b": ""}}]},
            "requests: '/' has a header 'A b' that HTTP does not allow.",
        ),
        ({"candidate": {"urls": []}}, "candidate: urls is empty; name the base URL of at least one host."),
        (
            {"candidate": {"urls": ["ftp://u:p@h?x"]}},
            "candidate: a base URL is http or https with a host, a valid port and perhaps a path, such as "
            "http://10.0.0.3:8080; found: h",
        ),
        (
            {"candidate": {"name": "baseline", "urls": ["http://g"]}},
            "baseline and candidate are both called 'baseline'; each needs its own name.",
        ),
        ({"ca_path": "/no/such.pem"}, "ca_path cannot be used: /no/such.pem (No such file or directory)."),
    ],
)
def test_what_cannot_be_right_is_refused(given: dict[str, t.Any], sentence: str) -> None:
    assert call_core(http_compare, **{**GROUPS, **given}).error == sentence


def test_defaults() -> None:
    found = options.from_params(params_of(http_compare, GROUPS))
    assert [(group.role, group.name) for group in found.groups] == [("baseline", "baseline"), ("candidate", "green")]
    assert [(recipe.method, recipe.path, recipe.status) for recipe in found.recipes] == [("GET", "/", (200,))]
    assert (found.load.measured, found.load.total) == (1500, 1750)


@pytest.mark.parametrize(("most", "analyses"), [(1, 1), (30, 1), (59, 1), (60, 2), (90, 3)])
def test_more_looks_make_each_bound_surer(most: float, analyses: int) -> None:
    found = options.from_params(params_of(http_compare, {**GROUPS, "max_seconds": most}))
    assert found.load.analyses == analyses
    assert found.policy.confidence == pytest.approx(1 - 0.05 / analyses)


def test_a_structure_is_sent_as_json() -> None:
    request = {"path": "/", "method": "post", "body": {"a": 1}}
    (recipe,) = options.from_params(params_of(http_compare, {**GROUPS, "requests": [request]})).recipes
    assert (recipe.method, recipe.body, recipe.headers) == ("POST", b'{"a": 1}', {"Content-Type": "application/json"})


def test_check_mode_sends_nothing() -> None:
    outcome = call_core(http_compare, check_mode=True, **GROUPS)
    assert (outcome.error, outcome["verdict"]) == ("", "no_data")
    assert outcome["msg"] == "Check mode: 1750 requests would be sent to each of baseline and green."
