# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The core of metric_gate, and the measurements that it takes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.judge import spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import Sample
from ansible_collections.steady.rollout.plugins.module_utils.metrics.core import core
from ansible_collections.steady.rollout.plugins.module_utils.metrics.measure import measure
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    Measurement,
    Moment,
    Nothing,
    Point,
    Question,
    Reply,
    Trouble,
)

MOMENT = Moment(100.0, 0.0, 90.0, {"canary": ("a",), "baseline": ()})
METRIC = spec.parse_metrics([{"name": "m", "query": "q", "limit": "< 1"}])[0]
QUEUE = {"queue": {"type": "command", "command": "queue-length"}}
LENGTH = {"name": "length", "source": "queue", "limit": "< 100"}


class Scripted:
    """A source that answers with replies or raises, one a question."""

    kind = "scripted"
    asks_by_group = False

    def __init__(self, *answers: t.Any) -> None:
        self.answers = list(answers)

    def check(self, metric: t.Any, where: str) -> None:
        """Everything can be asked."""

    def ask(self, question: Question, moment: Moment) -> Reply:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return t.cast(Reply, answer)


def reply(*points: Point, details: tuple[str, ...] = ()) -> Reply:
    return Reply("asked", "answered", points, details)


def test_points_become_samples_of_this_poll() -> None:
    source = Scripted(reply(Point(1.0), details=("Slow",)))
    assert measure(METRIC, source, MOMENT, -1.0) == Measurement(
        metric="m",
        at=100.0,
        source="scripted",
        asked="asked",
        answered="answered",
        outcome="measured",
        samples=(Sample(100.0, "canary", "", 0.0, 1.0),),
        details=("Slow",),
    )


def test_points_that_are_known_already_are_left_out() -> None:
    source = Scripted(reply(Point(1.0, at=50.0), Point(2.0, at=60.0), Point(3.0, at=70.0)))
    assert [sample.value for sample in measure(METRIC, source, MOMENT, 60.0).samples] == [3.0]
    source = Scripted(reply(Point(1.0, at=50.0)))
    found = measure(METRIC, source, MOMENT, 60.0)
    assert (found.outcome, found.why) == ("no_data", "nothing new since the previous poll")


@pytest.mark.parametrize(
    ("answer", "outcome"), [(Trouble("it does not answer"), "error"), (Nothing("it does not answer"), "no_data")]
)
def test_what_is_not_measured_says_why(answer: Exception, outcome: str) -> None:
    found = measure(METRIC, Scripted(answer), MOMENT, -1.0)
    assert (found.outcome, found.why, found.asked, found.samples) == (outcome, "it does not answer", "q", ())


def test_one_group_may_have_data_where_the_other_has_none() -> None:
    (metric,) = spec.parse_metrics([{"name": "m", "query": {"canary": "c", "baseline": "b"}, "limit": "< 1"}])
    moment = Moment(100.0, 0.0, 90.0, {})
    found = measure(metric, Scripted(reply(Point(1.0)), Nothing("no baseline")), moment, -1.0)
    assert (found.outcome, found.why, [one.group for one in found.samples]) == ("measured", "no baseline", ["canary"])


@pytest.mark.parametrize(("absent", "outcome"), [("zero", "measured"), (None, "no_data")])
def test_no_data_on_bad_ones_is_none_only_where_so_set(absent: str | None, outcome: str) -> None:
    query = {"bad": "b", "total": "t", **({"absent": absent} if absent else {})}
    (metric,) = spec.parse_metrics([{"name": "m", "query": query, "kind": "share", "limit": "< 1%"}])
    found = measure(metric, Scripted(Nothing("no bad ones"), reply(Point(50.0))), MOMENT, -1.0)
    assert found.outcome == outcome
    assert found.samples == ((Sample(100.0, "canary", "", 50.0, 0.0),) if absent else ())


def test_long_answers_are_cut() -> None:
    source = Scripted(Reply("q" * 900, "a" * 900, (Point(1.0),)))
    found = measure(METRIC, source, MOMENT, -1.0)
    assert (len(found.asked), len(found.answered), found.answered[-4:]) == (500, 500, "a...")


def call(output: str = "7", check_mode: bool = False, **params: t.Any) -> Call:
    """A call with the defaults of the module's options."""
    options: dict[str, t.Any] = {
        **dict.fromkeys(("groups", "balancers", "counters", "wait_limit", "fail", "service", "ledger", "run", "token")),
        **dict.fromkeys(("on_inconclusive", "on_no_data", "on_error"), "stop"),
        "metrics": [LENGTH],
        "sources": QUEUE,
        "judge": {},
        "window": "0.05",
        "interval": "0.01",
        "once": False,
        "step": "gate",
    }
    return Call({**options, **params}, check_mode, False, lambda dummy: None, lambda *dummy, **more: (0, output, ""))


def test_a_verdict_other_than_pass_fails_the_task() -> None:
    assert core(call())["verdict"] == "pass"
    with pytest.raises(RolloutError) as caught:
        core(call("700", metrics=[{**LENGTH, "max_failures": 0}]))
    assert caught.value.message == (
        "gate: fail after 0 of 0 s. length: 1 of 1 measurement not < 100, 1 in a row; at most 0 allowed."
    )
    assert (caught.value.result["verdict"], caught.value.result["changed"]) == ("fail", False)
    assert core(call("700", metrics=[{**LENGTH, "max_failures": 0}], fail=False))["verdict"] == "fail"


def test_check_mode_looks_once_and_fails_for_nothing() -> None:
    result = core(call("700", check_mode=True, metrics=[{**LENGTH, "max_failures": 0}], window="300", interval="10"))
    assert (result["verdict"], result["polls"], result["metrics"][0]["outcome"]) == ("fail", 1, "measured")
    result = core(call("nonsense", check_mode=True, window="300", interval="10"))
    assert (result["verdict"], result["metrics"][0]["why"]) == (
        "wait",
        "command 'queue-length' printed 'nonsense', neither a number nor JSON",
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"service": "shop"}, "run: needed beside service; a rollout is named by service, run, token."),
        (
            {"once": True},
            "once: a single poll is remembered in the ledger until the next; give service, run and token.",
        ),
        (
            {"metrics": [], "groups": {"canary": ["a"], "baseline": ["b"]}},
            "balancers: the source balancer needs to be read; give balancers, or counters as returned by "
            "steady.rollout.lb_member_info with counters=true, or name another source for every metric.",
        ),
        (
            {"metrics": [], "groups": {"canary": ["a"], "baseline": ["b"]}, "counters": {}},
            "counters: these are of one moment, so they go with once=true; else give balancers.",
        ),
    ],
)
def test_options_that_contradict_each_other(params: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        core(call(**params))
    assert caught.value.message == message


def test_a_balancer_that_is_not_there_is_an_error_of_measuring() -> None:
    node = {"type": "haproxy", "host": "lb1", "socket": "/nowhere.sock", "pool": "shop", "timeout": 1.0}
    groups = {"canary": ["a"], "baseline": ["b"]}
    result = core(call(metrics=[], groups=groups, balancers=[node], check_mode=True, window="300", interval="10"))
    assert [one["outcome"] for one in result["metrics"]] == ["error"] * 3
    assert result["metrics"][0]["why"] == (
        "balancer lb1 could not be read: lb1 /nowhere.sock: no such socket. Is HAProxy running, and is this the path of "
        "its 'stats socket' line?"
    )


def test_an_answer_that_shows_secrets_is_not_kept() -> None:
    source = Scripted(Reply("q", '{"value": 1, "db_password": "s3cret"}', (Point(1.0, "canary"),)))
    assert measure(METRIC, source, MOMENT, 0.0).answered == '{"value": 1, "db_password": "********"}'
