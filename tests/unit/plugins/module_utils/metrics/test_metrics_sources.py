# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources that are neither Prometheus nor the balancers, and how all of them are described."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.judge import spec
from ansible_collections.steady.rollout.plugins.module_utils.metrics import (
    alertmanager,
    cloudwatch,
    command,
    json_http,
    sources,
)
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    Moment,
    Nothing,
    Point,
    Question,
    Trouble,
)

MOMENT = Moment(1360.0, 1000.0, 1300.0, {"canary": ("app1",), "baseline": ("app2",)})


def run_nothing(*dummy: t.Any, **dummy_options: t.Any) -> tuple[int, str, str]:
    raise AssertionError("nothing is to be run")


def metric(query: t.Any) -> t.Any:
    return spec.parse_metrics([{"name": "m", "query": query, "limit": "< 1"}])[0]


class FakeEndpoint:
    place = "http://a:1"

    def __init__(self, answer: t.Any) -> None:
        self.answer = answer
        self.asked: list[t.Any] = []

    def ask(self, path: str = "", parameters: t.Any = (), **options: t.Any) -> t.Any:
        self.asked.append((path, parameters, options))
        return self.answer


# Alertmanager


def test_alerts_that_fire_are_counted_and_named() -> None:
    endpoint = FakeEndpoint(
        [
            {"labels": {"alertname": "Slow", "instance": "app1"}},
            {"labels": {"alertname": "Errors"}},
            {"labels": {"alertname": "Errors"}},
            {"labels": {}},
        ]
    )
    source = alertmanager.Alertmanager(t.cast(t.Any, endpoint))
    reply = source.ask(Question(['severity="page"', 'service=~"shop|cart"']), MOMENT)
    assert reply.points == (Point(4.0),)
    assert reply.details == ("Errors", "Slow (app1)", "an alert without a name")
    wanted = [("active", "true"), ("silenced", "false"), ("inhibited", "false"), ("unprocessed", "false")]
    matchers = [("filter", 'severity="page"'), ("filter", 'service=~"shop|cart"')]
    assert endpoint.asked == [("/api/v2/alerts", [*wanted, *matchers], {})]


@pytest.mark.parametrize("query", [None, [], 'alertname="Slow"'])
def test_no_alert_is_a_measurement_of_none(query: t.Any) -> None:
    reply = alertmanager.Alertmanager(t.cast(t.Any, FakeEndpoint([]))).ask(Question(query), MOMENT)
    assert (reply.points, reply.details) == ((Point(0.0),), ())


def test_what_is_no_alertmanager() -> None:
    with pytest.raises(Trouble) as caught:
        alertmanager.Alertmanager(t.cast(t.Any, FakeEndpoint({"a": 1}))).ask(Question(None), MOMENT)
    assert str(caught.value) == "http://a:1 gave no list of alerts. Is url Alertmanager's root URL?"


def test_matchers_are_texts() -> None:
    with pytest.raises(InputError) as caught:
        alertmanager.Alertmanager(t.cast(t.Any, FakeEndpoint([]))).check(metric([1]), "metrics.m")
    assert caught.value.message == (
        "metrics.m.query: [1] is not a list of matchers, such as ['severity=\"page\"', 'service=\"shop\"']."
    )


# JSON over HTTP


def json_source(monkeypatch: pytest.MonkeyPatch, answer: t.Any, **settings: t.Any) -> tuple[t.Any, list[t.Any]]:
    asked: list[t.Any] = []

    def ask(endpoint: t.Any, path: str = "", parameters: t.Any = (), method: str = "GET", body: t.Any = None) -> t.Any:
        asked.append((endpoint.url, method, body))
        return answer

    monkeypatch.setattr(json_http.Endpoint, "ask", ask)
    return json_http.open_json("sources.j", {"url": "http://shop/figures", **settings}), asked


def test_jmespath_finds_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    source, asked = json_source(monkeypatch, {"orders": {"rate": 7}, "all": [1, 2]})
    assert source.ask(Question("orders.rate"), MOMENT).points == (Point(7.0),)
    assert source.ask(Question("length(all)"), MOMENT).points == (Point(2.0),)
    assert asked == [("http://shop/figures", "GET", None)] * 2
    with pytest.raises(Nothing) as caught:
        source.ask(Question("orders.none"), MOMENT)
    assert str(caught.value) == "the answer is null, which is no data"


def test_url_and_body_may_differ_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    source, asked = json_source(
        monkeypatch, 5, url="http://shop/$group?since=${interval}", method="post", body={"hosts": "$members"}
    )
    assert source.asks_by_group
    reply = source.ask(Question("@", "canary"), MOMENT)
    assert asked == [("http://shop/canary?since=60", "POST", b'{"hosts": "app1"}')]
    assert reply.points == (Point(5.0, "canary"),)
    assert reply.asked == "http://shop/canary @"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (5, "metrics: query of 'm' is 5, not a JMESPath expression; '@' stands for the whole answer."),
        ("", "metrics: query of 'm' is '', not a JMESPath expression; '@' stands for the whole answer."),
        (
            "a[",
            "metrics: query of 'm' is not valid JMESPath: \"a[\" (Invalid jmespath expression: Incomplete expression).",
        ),
    ],
)
def test_what_is_no_jmespath(monkeypatch: pytest.MonkeyPatch, query: t.Any, message: str) -> None:
    source, dummy = json_source(monkeypatch, {})
    with pytest.raises(InputError) as caught:
        source.check(metric(query), "metrics.m")
    assert caught.value.message == message


# A command


class Runner:
    def __init__(self, status: int = 0, output: str = "", errors: str = "") -> None:
        self.answer = (status, output, errors)
        self.ran: list[t.Any] = []

    def __call__(self, argv: list[str], **options: t.Any) -> tuple[int, str, str]:
        self.ran.append((argv, options))
        return self.answer


@pytest.mark.parametrize(
    ("output", "query", "number"),
    [
        ("7\n", None, 7.0),
        ("1e3", "@", 1000.0),
        (" .5 ", None, 0.5),
        ('{"a": {"b": 3}}', "a.b", 3.0),
        ("-2", None, -2.0),
    ],
)
def test_what_a_command_prints(output: str, query: t.Any, number: float) -> None:
    source = command.open_command("sources.c", {"command": "figure --json"}, Runner(output=output))
    assert source.ask(Question(query), MOMENT).points == (Point(number),)


def test_a_command_has_a_time_limit_and_an_environment() -> None:
    runner = Runner(output="1")
    given = {"command": ["figure", "of $group"], "timeout": 3, "environment": {"KEY": 7}}
    source = command.open_command("sources.c", given, runner)
    assert source.asks_by_group
    assert source.ask(Question(None, "canary"), MOMENT).asked == "figure"
    ((argv, options),) = runner.ran
    assert argv[-2:] == ["figure", "of canary"]
    assert argv[:-2] in ([], ["timeout", "-k", "1", "3.000"])
    assert options["environ_update"] == {"KEY": "7"}


@pytest.mark.parametrize(
    ("runner", "message"),
    [
        (Runner(1, "", "first\nno such queue"), "command 'figure' exited with 1: no such queue"),
        (Runner(2), "command 'figure' exited with 2"),
        (Runner(0, "many"), "command 'figure' printed 'many', neither a number nor JSON"),
        (Runner(0, ""), "command 'figure' printed nothing, neither a number nor JSON"),
    ],
)
def test_a_command_in_trouble(runner: Runner, message: str) -> None:
    with pytest.raises(Trouble) as caught:
        command.open_command("sources.c", {"command": "figure"}, runner).ask(Question(None), MOMENT)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("runner", "message"),
    [
        (Runner(1, "", "key s3cret is wrong"), "command 'figure' exited with 1: key ******** is wrong"),
        (Runner(0, "s3cret"), "command 'figure' printed '********', neither a number nor JSON"),
    ],
)
def test_a_command_gives_no_secret_away(runner: Runner, message: str) -> None:
    source = command.open_command("sources.c", {"command": "figure", "environment": {"KEY": "s3cret"}}, runner)
    with pytest.raises(Trouble) as caught:
        source.ask(Question(None), MOMENT)
    assert str(caught.value) == message


def test_a_command_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.shutil, "which", lambda dummy: "/usr/bin/timeout")
    with pytest.raises(Trouble) as caught:
        command.open_command("sources.c", {"command": "figure"}, Runner(124)).ask(Question(None), MOMENT)
    assert str(caught.value) == "command 'figure' did not end within 30 s"


def test_a_command_that_is_not_there() -> None:
    def run(*dummy: t.Any, **dummy_options: t.Any) -> tuple[int, str, str]:
        raise OSError("No such file or directory")

    with pytest.raises(Trouble) as caught:
        command.open_command("sources.c", {"command": "figure"}, run).ask(Question(None), MOMENT)
    assert str(caught.value) == "command 'figure' could not be run (No such file or directory)"


def test_a_command_that_prints_nan_has_no_data() -> None:
    with pytest.raises(Nothing):
        command.open_command("sources.c", {"command": "figure"}, Runner(0, "NaN")).ask(Question(None), MOMENT)


# CloudWatch

ERRORS = {"namespace": "AWS/ApplicationELB", "metric": "HTTPCode_Target_5XX_Count", "statistic": "Sum"}


class FakeApi:
    """Answers of GetMetricData, one a call."""

    def __init__(self, *answers: t.Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, t.Any]] = []

    def call(self, action: str, **arguments: t.Any) -> t.Any:
        assert action == "get_metric_data"
        self.asked.append(arguments)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def data(*points: tuple[float, float], status: str = "Complete", **more: t.Any) -> dict[str, t.Any]:
    times = [datetime.datetime.fromtimestamp(at, datetime.timezone.utc) for at, dummy in points]
    result = {"Id": "result", "StatusCode": status, "Timestamps": times, "Values": [value for dummy, value in points]}
    return {"MetricDataResults": [{**result, **more.pop("result", {})}], **more}


def watched(*answers: t.Any, period: int = 60, lag: float = 120.0) -> tuple[cloudwatch.CloudWatch, FakeApi]:
    api = FakeApi(*answers)
    return cloudwatch.CloudWatch(api.call, "CloudWatch (AWS eu-west-1)", period, lag), api


def test_whole_periods_of_the_step_without_the_newest_ones() -> None:
    source, api = watched(data((1140.0, 3.0), (1080.0, 2.0), (1200.0, 9.0)))
    reply = source.ask(Question({**ERRORS, "dimensions": {"TargetGroup": "tg/blue"}}, "canary"), MOMENT)
    assert reply.points == (Point(2.0, "canary", at=1140.0), Point(3.0, "canary", at=1200.0))
    assert reply.asked == "AWS/ApplicationELB HTTPCode_Target_5XX_Count (TargetGroup=tg/blue) Sum"
    (asked,) = api.asked
    assert (asked["StartTime"].timestamp(), asked["EndTime"].timestamp()) == (1020.0, 1200.0)
    statistic = {
        "Metric": {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "HTTPCode_Target_5XX_Count",
            "Dimensions": [{"Name": "TargetGroup", "Value": "tg/blue"}],
        },
        "Period": 60,
        "Stat": "Sum",
    }
    assert asked["MetricDataQueries"] == [{"Id": "result", "MetricStat": statistic, "ReturnData": True}]


def test_an_expression_over_metrics() -> None:
    source, api = watched(data((1020.0, 0.5)))
    query = {"expression": "100*bad/total", "metrics": {"bad": ERRORS, "total": {**ERRORS, "metric": "RequestCount"}}}
    assert source.ask(Question(query), MOMENT).asked == "100*bad/total"
    wanted = api.asked[0]["MetricDataQueries"]
    assert [(one["Id"], one["ReturnData"]) for one in wanted] == [("bad", False), ("total", False), ("result", True)]
    assert wanted[2] == {"Id": "result", "Expression": "100*bad/total", "Period": 60, "ReturnData": True}


def test_pages_are_put_together() -> None:
    source, api = watched(data((1020.0, 1.0), status="PartialData", NextToken="more"), data((1080.0, 2.0)))
    assert [point.number for point in source.ask(Question(ERRORS), MOMENT).points] == [1.0, 2.0]
    assert [asked.get("NextToken") for asked in api.asked] == [None, "more"]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            [data((1020.0, 1.0), status="PartialData")],
            "gave only a part of the data (PartialData), over 20 pages at most",
        ),
        (
            [data(status="Forbidden", result={"Messages": [{"Code": "A", "Value": "not yours"}]})],
            "answered Forbidden: not yours",
        ),
        ([data(status="InternalError")], "answered InternalError"),
    ],
)
def test_cloudwatch_in_trouble(answers: list[t.Any], message: str) -> None:
    source, dummy = watched(*answers)
    with pytest.raises(Trouble) as caught:
        source.ask(Question(ERRORS), MOMENT)
    assert str(caught.value) == f"CloudWatch (AWS eu-west-1) {message}"


def test_what_aws_refuses_is_trouble() -> None:
    source, dummy = watched(RolloutError("AWS eu-west-1: cloudwatch:GetMetricData is denied: no."))
    with pytest.raises(Trouble) as caught:
        source.ask(Question(ERRORS), MOMENT)
    assert str(caught.value) == "AWS eu-west-1: cloudwatch:GetMetricData is denied: no"


def test_no_points_are_no_data_and_not_zero() -> None:
    source, dummy = watched(data())
    with pytest.raises(Nothing) as caught:
        source.ask(Question(ERRORS), MOMENT)
    assert str(caught.value) == (
        "CloudWatch (AWS eu-west-1) has no point for AWS/ApplicationELB HTTPCode_Target_5XX_Count Sum"
    )


def test_before_the_first_period_is_over_cloudwatch_is_not_asked() -> None:
    source, api = watched()
    with pytest.raises(Nothing) as caught:
        source.ask(Question(ERRORS), Moment(1190.0, 1000.0, 1180.0, {}))
    assert str(caught.value) == (
        "CloudWatch (AWS eu-west-1) is read 120 s late and by periods of 60 s, none of which has begun and ended within "
        "the step yet"
    )
    assert api.asked == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("x", "metrics.m.query: 'x' is not a CloudWatch query; give namespace, metric, dimensions and statistic."),
        ({"metric": "x"}, "metrics.m.query: namespace is missing."),
        (
            {"namespace": "x", "metric": "y", "stat": "Sum"},
            "metrics.m.query: 'stat' is not known; known are dimensions, metric, namespace, statistic, unit.",
        ),
        (
            {"expression": "a", "metrics": {"a": {"namespace": "x"}}},
            "metrics.m.query.metrics.a: metric is missing.",
        ),
    ],
)
def test_cloudwatch_queries_that_cannot_be_right(query: t.Any, message: str) -> None:
    source, dummy = watched()
    with pytest.raises(InputError) as caught:
        source.check(metric(query), "metrics.m")
    assert caught.value.message == message


# How sources are described


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"p": {"type": "influx"}},
            "sources.p: type is 'influx', not one of prometheus, cloudwatch, json, command, alertmanager.",
        ),
        ({"p": "x"}, "sources.p: type is None, not one of prometheus, cloudwatch, json, command, alertmanager."),
        (
            {"balancer": {"type": "json"}},
            "sources: 'balancer' is built in; give yours another name.",
        ),
        (
            {"a": {"type": "alertmanager", "uri": "x"}},
            "sources.a: 'uri' is not a setting; the settings are url, user, password, token, headers, ca_path, "
            "validate_certs, timeout.",
        ),
        (
            {"p": {"type": "prometheus", "url": "http://p", "timeout": "soon"}},
            "sources.p.timeout: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        (
            {"p": {"type": "prometheus", "url": "http://p", "range": "maybe"}},
            "sources.p.range: 'maybe' is not true or false.",
        ),
        (
            {"p": {"type": "prometheus", "url": "http://p", "password": ["x"]}},
            "sources.p.password: what is given is not a text.",
        ),
        ({"c": {"type": "command"}}, "sources.c: command is neither a list of words nor a line that splits into some."),
        (
            {"c": {"type": "command", "command": "x", "timeout": 0}},
            "sources.c.timeout: expected more than 0 s, found 0.",
        ),
        (
            {"w": {"type": "cloudwatch", "period": 90}},
            "sources.w: period is 90; CloudWatch has 1, 5, 10, 20, 30 and multiples of 60 seconds.",
        ),
    ],
)
def test_sources_that_cannot_be_right(given: t.Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        sources.opened(given, 10.0, run_nothing)
    assert caught.value.message == message


def test_templates_make_texts_of_numbers_and_of_true_and_false() -> None:
    given = {"p": {"type": "prometheus", "url": "http://p", "timeout": "2.5", "range": "yes", "token": 123}}
    assert sources.opened(given, 10.0, run_nothing)["p"].kind == "prometheus"


def test_cloudwatch_opens_a_session_only_when_it_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    opened = sources.opened({"w": {"type": "cloudwatch", "region": "eu-west-1"}}, 10.0, run_nothing)
    assert opened["w"].kind == "cloudwatch"


def test_secrets_of_all_sources() -> None:
    given = {
        "p": {"type": "prometheus", "token": "tok-en"},
        "c": {"type": "command", "environment": {"KEY": "envsecret"}},
        "broken": "x",
    }
    assert sources.secrets(given) == {"tok-en", "envsecret"}
    assert sources.secrets(None) == set()
