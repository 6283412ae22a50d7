# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The core of health_wait: its options, its result and its sentences."""

from __future__ import annotations

import socket
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.health.core import core, outcome
from ansible_collections.steady.rollout.plugins.module_utils.health.policy import Policy, Sample, observe
from ansible_collections.steady.rollout.plugins.module_utils.health.watch import Watched
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import Target
from ansible_collections.steady.rollout.plugins.modules.health_wait import SPEC
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import run_command


def call(check_mode: bool = False, **arguments: t.Any) -> Call:
    validated = ArgumentSpecValidator(SPEC["argument_spec"]).validate(arguments)
    assert not validated.error_messages
    return Call(dict(validated.validated_parameters), check_mode, False, WARNINGS.append, run_command)


WARNINGS: list[str] = []
GOOD = [{"name": "app1", "command": "true"}]
BAD = [{"name": "app1", "command": "false"}]
BAD_NEWS = "app1 not healthy: command 'false' exited with 1. Check the service's log on app1."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"successes": 0}, "successes is 0; at least 1 successful probe is needed."),
        ({"interval": 0}, "interval: expected more than 0 s, found 0."),
        ({"timeout": -1}, "timeout: '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
        (
            {"timeout": 5},
            "min_healthy_time (10 s) must be shorter than timeout, the healthy deadline (5 s); otherwise no target can "
            "become healthy in time.",
        ),
        (
            {"timeout": 60, "interval": 30, "successes": 20},
            "20 successes at an interval of 30 s take 207 s, and timeout, the healthy deadline, is 60 s; otherwise no "
            "target can become healthy in time.",
        ),
    ],
)
def test_deadlines_out_of_order_are_refused(arguments: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        core(call(targets=GOOD, **arguments))
    assert refused.value.message == sentence


def test_one_probe_is_enough_without_a_wait() -> None:
    result = core(call(targets=GOOD, timeout=0))
    assert (result["healthy"], result["targets"]["app1"]["attempts"], result["changed"]) == (True, 1, False)


def test_a_failure_has_the_keys_of_a_success() -> None:
    success = core(call(targets=GOOD, timeout=0))
    with pytest.raises(RolloutError) as failed:
        core(call(targets=BAD, timeout=0))
    assert failed.value.message == BAD_NEWS
    assert {"msg", *failed.value.result} == set(success)


def test_with_fail_false_it_only_reports() -> None:
    result = core(call(targets=BAD, timeout=0, fail=False))
    assert (result["healthy"], result["msg"]) == (False, BAD_NEWS)


def test_check_mode_looks_once_and_warns() -> None:
    WARNINGS.clear()
    result = core(call(check_mode=True, targets=BAD))
    assert (result["healthy"], result["targets"]["app1"]["attempts"]) == (False, 1)
    assert WARNINGS == [BAD_NEWS]


def test_waiting_for_real() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        port = server.getsockname()[1]
        result = core(
            call(
                targets=[{"name": f"app{number}", "tcp": f"127.0.0.1:{port}"} for number in range(5)],
                successes=2,
                min_healthy_time=0.1,
                timeout=20,
            )
        )
    assert result["healthy"]
    assert all(seen["successes"] >= 2 and seen["healthy_for"] >= 0.1 for seen in result["targets"].values())


POLICY = Policy(successes=3, min_healthy_time=10.0, timeout=300.0, interval=1.0)


def watched(name: str, *probes: tuple[float, bool]) -> Watched:
    one = Watched(Target(name=name, timeout=5.0, tcp=("h", 1)))
    for at, ok in probes:
        reason = "http://10.0.0.3:8080/health answered 200 but expect \"status == 'healthy'\" was false"
        one.state = observe(one.state, Sample(at, ok, "fine" if ok else reason, 0.1, 200, "2.0.0", '{"status": "x"}'))
    return one


def test_the_sentence_about_a_target_that_failed_to_the_end() -> None:
    result = outcome(POLICY, [watched("app3", (0, True), (1, True), (2, False))], 291.0)
    assert result["msg"] == (
        "app3 not healthy within 300 s: 2 of 3 probes succeeded, last: http://10.0.0.3:8080/health answered 200 but expect "
        '"status == \'healthy\'" was false (body: {"status": "x"}). Check the service\'s log on app3.'
    )


def test_the_sentence_about_a_target_that_flapped() -> None:
    result = outcome(POLICY, [watched("app3", (0, True), (1, False), (2, True), (6, True))], 300.0)
    assert result["msg"] == (
        "app3 not healthy within 300 s: 3 of 4 probes succeeded, at the end 2 in a row over 4.0 s where 3 over 10 s are "
        "needed; last failure: http://10.0.0.3:8080/health answered 200 but expect \"status == 'healthy'\" was false "
        '(body: {"status": "x"}). Check the service\'s log on app3.'
    )


def test_of_many_bad_targets_three_are_described_and_the_rest_named() -> None:
    result = outcome(Policy.single_probe(), [watched(f"app{n}", (0, False)) for n in range(5)], 0.1)
    assert result["msg"].count("was false") == 3
    assert "Also not healthy: app3, app4." in result["msg"]


def test_good_news() -> None:
    one, two = watched("app1", (0, True)), watched("app2", (0, True))
    one.verdict = two.verdict = "healthy"
    assert outcome(POLICY, [one], 12.34)["msg"] == "app1 healthy after 12.3 s."
    assert outcome(POLICY, [one, two], 12.34)["msg"] == "All 2 targets healthy after 12.3 s."
