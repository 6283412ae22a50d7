# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How AWS is asked: what is tried again, what its errors are made into. Without boto3."""

from __future__ import annotations

import typing as t

import pytest
from support.pools import ManualClock

from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.api import Api, AwsError, Denied
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError


class Answered(Exception):
    """As botocore's ClientError."""

    def __init__(self, code: str, message: str = "by the test", status: int = 400) -> None:
        super().__init__(message)
        self.response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}


class BotoCoreError(Exception):
    response = None


def named(name: str, message: str) -> Exception:
    return t.cast("Exception", type(name, (BotoCoreError,), {})(message))


class Client:
    """Answers with what it is given, in turn; another request fails the test."""

    def __init__(self, *answers: t.Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, t.Any]] = []

    def describe_things(self, **arguments: t.Any) -> t.Any:
        self.asked.append(arguments)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def api_of(client: Client, clock: ManualClock | None = None) -> Api:
    moving = (clock or ManualClock()).clock
    return Api(client, "AWS eu-central-1", "things", (Answered, BotoCoreError), moving, jitter=lambda: 1.0)


def failure(*answers: Exception) -> RolloutError:
    with pytest.raises(RolloutError) as caught:
        api_of(Client(*answers)).call("describe_things")
    return caught.value


def test_throttled_requests_are_tried_again_at_growing_intervals() -> None:
    clock = ManualClock()
    client = Client(*[Answered("Throttling")] * 4, {"Things": []})
    assert api_of(client, clock).call("describe_things", Name="x") == {"Things": []}
    assert client.asked == [{"Name": "x"}] * 5
    assert clock.slept == [0.25, 0.5, 1.0, 2.0]


def test_throttling_that_does_not_end_is_an_error_after_a_minute() -> None:
    clock = ManualClock()
    with pytest.raises(AwsError) as caught:
        api_of(Client(*[Answered("ThrottlingException")] * 100), clock).call("describe_things")
    assert caught.value.message == (
        "AWS eu-central-1: things:DescribeThings has been throttled for 60 s (ThrottlingException). Ask for fewer changes "
        "at a time, or have the account's request quota raised."
    )
    assert 50 < clock.now <= 60


@pytest.mark.parametrize("lost", [named("ReadTimeoutError", "slow"), Answered("InternalFailure", status=500)])
def test_a_lost_answer_is_asked_for_once_more(lost: Exception) -> None:
    if not isinstance(lost, Answered):
        lost = type("HTTPClientError", (BotoCoreError,), {})("slow")
    client = Client(lost, {"Things": [1]})
    assert api_of(client).call("describe_things") == {"Things": [1]}
    assert len(client.asked) == 2


def test_no_answer_at_all_is_unreachable() -> None:
    error = failure(*[named("EndpointConnectionError", "Could not connect")] * 2)
    assert isinstance(error, Unreachable)
    assert error.message == (
        "AWS eu-central-1: no answer from AWS to things:DescribeThings (Could not connect). Is the endpoint running and "
        "reachable, and are balancer.region and balancer.endpoint_url right?"
    )


def test_an_answer_is_not_asked_for_again() -> None:
    error = failure(Answered("ValidationError", "Weight is too big."))
    assert error.message == (
        "AWS eu-central-1: AWS answered things:DescribeThings with ValidationError: Weight is too big."
    )
    assert t.cast("AwsError", error).code == "ValidationError"


def test_denied_names_the_permission() -> None:
    error = failure(Answered("AccessDenied", "User bob is not authorized"))
    assert isinstance(error, Denied)
    assert error.message == (
        "AWS eu-central-1: things:DescribeThings is denied: User bob is not authorized. Allow it in the IAM policy of "
        "these credentials."
    )


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (Answered("ExpiredToken"), AwsError, "the AWS credentials are not accepted (ExpiredToken: by the test)"),
        (named("NoCredentialsError", "none"), RolloutError, "no AWS credentials (none). Set balancer.profile"),
        (named("NoRegionError", "none"), InputError, "no AWS region is known. Set balancer.region or AWS_REGION."),
        (named("ProfileNotFound", "shpo"), InputError, "shpo. Correct balancer.profile or AWS_PROFILE."),
        (named("ParamValidationError", "bad"), AwsError, "AWS answered things:DescribeThings with bad."),
    ],
)
def test_errors_have_sentences(error: Exception, kind: type[Exception], words: str) -> None:
    found = failure(error)
    assert isinstance(found, kind)
    assert words in found.message


def test_an_error_that_is_not_of_aws_passes() -> None:
    with pytest.raises(ZeroDivisionError):
        api_of(Client(ZeroDivisionError())).call("describe_things")


def test_all_pages_are_read() -> None:
    client = Client({"Things": [1, 2], "NextMarker": "b"}, {"Things": [3], "NextMarker": ""})
    assert api_of(client).pages("describe_things", "Things", Name="x") == [1, 2, 3]
    assert client.asked == [{"Name": "x"}, {"Name": "x", "Marker": "b"}]


def test_a_marker_that_repeats_ends_the_pages() -> None:
    client = Client({"Things": [1], "NextMarker": "a"}, {"Things": [2], "NextMarker": "a"})
    assert api_of(client).pages("describe_things", "Things") == [1, 2]


def test_permission_is_what_is_not_denied() -> None:
    api_of(Client(Answered("ValidationError"))).permitted("describe_things")
    api_of(Client({})).permitted("describe_things")
    with pytest.raises(Denied):
        api_of(Client(Answered("UnauthorizedOperation"))).permitted("describe_things")
