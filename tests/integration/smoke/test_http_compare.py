# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""http_compare against real HTTP servers, and as Ansible runs it."""

from __future__ import annotations

import itertools
import json
import pathlib
import typing as t

import yaml
from support.answering import Answering, answering
from support.caller import call_core
from support.cores import Outcome
from support.playbooks import played

from ansible_collections.steady.rollout.plugins.modules import http_compare

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
QUICK: dict[str, t.Any] = {"rate": 150, "seconds": 1, "max_seconds": 1, "warm_up": 0.2, "timeout": 2}


def compare(blue: Answering, green: Answering, **options: t.Any) -> Outcome:
    groups = {"baseline": {"name": "blue", "urls": [blue.url]}, "candidate": {"name": "green", "urls": [green.url]}}
    return call_core(http_compare, **{**groups, **QUICK, **options})


def test_a_candidate_that_is_faster_passes() -> None:
    with answering(delay=0.03) as blue, answering() as green:
        outcome = compare(blue, green)
    assert outcome.error == ""
    assert outcome["verdict"] == "pass"
    assert outcome["candidate"]["requests"] == outcome["baseline"]["requests"] == 150
    assert len(blue.asked) == len(green.asked) == 180
    assert outcome["candidate"]["p50"] <= outcome["candidate"]["p95"] <= outcome["candidate"]["p99"]
    assert outcome["slowdown"]["high"] < 0


def test_a_candidate_that_is_much_slower_fails() -> None:
    with answering(delay=0.001) as blue, answering(delay=0.04) as green:
        outcome = compare(blue, green)
    assert outcome["verdict"] == "fail"
    assert outcome.error.startswith("fail: p95 of green ")
    assert outcome.error.endswith(", 20 % slower allowed. Find out why before green gets traffic.")


def test_a_candidate_that_is_bad_on_one_path_fails() -> None:
    def status(path: str) -> int:
        return 500 if path == "/orders?page=2" else 200

    with answering() as blue, answering(status=status) as green:
        outcome = compare(blue, green, requests=[{"path": "/"}, {"path": "/orders?page=2"}])
    assert outcome.error == (
        "fail: 75 of 150 requests to green failed, 0 of 150 to blue (1 % more allowed), most often: answered 500, expected "
        "200. Find out why before green gets traffic."
    )
    assert outcome["candidate"]["problems"] == {"answered 500, expected 200": 75}


def test_who_does_not_answer_is_soon_left_alone() -> None:
    with answering() as blue, answering() as green:
        pass
    with answering() as blue:
        outcome = compare(blue, green, seconds=60)
    assert outcome["verdict"] == "fail"
    assert outcome["candidate"]["problems"] == {"refused the connection": outcome["candidate"]["requests"]}
    assert len(blue.asked) < 1000


def test_a_baseline_that_does_not_answer_is_no_data() -> None:
    with answering() as blue, answering() as green:
        pass
    with answering() as green:
        outcome = compare(blue, green)
    assert outcome.error == (
        "no_data: blue gave no successful answer to compare with. Check that both groups answer at the given URLs."
    )


def test_it_goes_on_while_it_is_inconclusive() -> None:
    """3 failures of 150 may be chance; 3 of 300 are within what is allowed."""
    asked = itertools.count(1)
    with answering(delay=0.03) as blue, answering(
        status=lambda path: 500 if 100 <= next(asked) < 103 else 200
    ) as green:
        outcome = compare(blue, green, max_seconds=5)
    assert (outcome.error, outcome["verdict"]) == ("", "pass")
    assert (outcome["candidate"]["failures"], outcome["candidate"]["requests"]) == (3, 300)
    assert len(blue.asked) == len(green.asked) == 330


def test_verdicts_that_are_not_to_fail_the_task() -> None:
    with answering() as blue, answering(status=lambda path: 503) as green:
        outcome = compare(blue, green, fail_on=["no_data"])
    assert (outcome.error, outcome["verdict"]) == ("", "fail")


def test_a_failure_has_the_keys_of_a_success() -> None:
    with answering(delay=0.02) as slow, answering() as quick:
        good, bad = compare(slow, quick), compare(quick, slow)
    alone = call_core(http_compare, check_mode=True, candidate={"urls": [quick.url]})
    assert bad.error
    assert set(good.result) == {"msg", *bad.result} == set(alone.result)


def test_connections_are_few_and_kept_open() -> None:
    with answering() as blue, answering() as green:
        compare(blue, green, connections=3)
    assert blue.connections <= 3
    assert green.connections <= 3


def test_a_server_that_closes_between_two_requests_is_asked_again() -> None:
    with answering(closes=True) as blue, answering(closes=True) as green:
        outcome = compare(blue, green, fail_on=[])
    assert (outcome["baseline"]["failures"], outcome["candidate"]["failures"]) == (0, 0)
    assert len(blue.asked) == 180


def test_waiting_for_a_connection_counts() -> None:
    """One connection and answers of 0.05 s: far more requests are due than it can carry."""
    with answering(delay=0.05) as green:
        outcome = call_core(
            http_compare, candidate={"name": "green", "urls": [green.url]}, connections=1, max_latency=0.5, **QUICK
        )
    assert outcome["verdict"] == "fail"
    busy = "not sent within 2 s, as all 1 connections were busy"
    assert outcome["candidate"]["problems"].get(busy, 0) > 0
    assert outcome["candidate"]["p99"] > 0.5


def test_what_is_sent() -> None:
    with answering() as blue, answering() as green:
        call_core(
            http_compare,
            baseline={"urls": [f"{blue.url}/base/"], "headers": {"X-Colour": "blue"}},
            candidate={"urls": [green.url.replace("//", "//ana:swordfish@")], "headers": {"X-Colour": "green"}},
            requests=[{"path": "/a?b=c", "method": "POST", "body": {"x": 1}, "headers": {"Accept": "x/y"}}],
            fail_on=[],
            **QUICK,
        )
    assert set(blue.asked) == {"POST /base/a?b=c"}
    assert set(green.asked) == {"POST /a?b=c"}
    assert {head["X-Colour"] for head in blue.heads} == {"blue"}
    assert {(head["X-Colour"], head["Accept"], head["Authorization"], head["Host"]) for head in green.heads} == {
        ("green", "x/y", "Basic YW5hOnN3b3JkZmlzaA==", green.url[7:])
    }
    assert set(green.bodies) == {b'{"x": 1}'}


def test_examples_run_as_written(way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    with answering(delay=0.02) as blue, answering() as green:
        examples = http_compare.EXAMPLES
        for number, server in enumerate((blue, blue, green, green), start=1):
            examples = examples.replace(f"http://10.0.0.{number}:8080", server.url)
        exit_code, printed = played(tmp_path, {"tasks": yaml.safe_load(examples), **way})
    assert exit_code == 0, printed


def test_no_secret_is_printed(way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    with answering(status=lambda path: 500) as green:
        task: dict[str, t.Any] = {
            "steady.rollout.http_compare": {
                "candidate": {
                    "urls": [green.url.replace("//", "//ana:url-secret@")],
                    "headers": {"X-Canary": "header-secret"},
                },
                "requests": [{"path": "/?token=query-secret", "body": {"password": "body-secret"}}],
                **QUICK,
            },
            "register": "compared",
            "ignore_errors": True,
        }
        show = {"ansible.builtin.debug": {"var": "compared"}}
        exit_code, printed = played(tmp_path, {"tasks": [{**task, **way}, show]}, "-vvvvv")
    assert exit_code == 0, printed
    assert "answered 500, expected 200" in printed
    secrets = ["url-secret", "header-secret", "query-secret", "body-secret"]
    assert [secret for secret in secrets if secret in printed] == []
    assert json.dumps(green.asked)
