# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""AWS services: which session, how often to ask again, and what their errors mean.

boto3 is imported only when a balancer of AWS is opened, so that nothing else pays for it or needs it.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import random
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

# Seconds that a throttled request is tried again before it is an error, and the longest pause in between.
THROTTLE_PATIENCE = 60.0
LONGEST_PAUSE = 8.0
# An answer that got lost is asked for once more; longer waits poll again.
LOST_RETRIES = 1

THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "PriorRequestNotComplete",
    "BandwidthLimitExceeded",
    "SlowDown",
}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "AuthFailure",
    "MissingAuthenticationToken",
    "OptInRequired",
}
# botocore's own exceptions, by name: they exist only where it is installed.
NOT_ANSWERED = {"HTTPClientError", "ConnectionError", "EndpointConnectionError", "ConnectionClosedError"}
NO_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
    "SSOTokenLoadError",
}


class AwsError(RolloutError):
    """AWS answered, with an error; *code* is the one that its documentation lists."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Denied(AwsError):
    """The credentials may not do this."""


@dataclasses.dataclass
class Session:
    """Credentials, region and endpoint, from which clients of single services are made."""

    boto: t.Any
    errors: tuple[type[Exception], ...]
    where: str
    endpoint_url: str | None
    config: t.Any

    def api(self, service: str, iam_prefix: str) -> Api:
        return Api(self._client(service, iam_prefix, self.errors), self.where, iam_prefix, self.errors, Clock())

    def _client(self, service: str, iam_prefix: str, errors: tuple[type[Exception], ...]) -> t.Any:
        try:
            return self.boto.client(service, endpoint_url=self.endpoint_url, config=self.config)
        except errors as error:
            raise _sentence(error, self.where, f"{iam_prefix}:*") from error
        except ValueError as error:
            raise InputError(f"balancer.endpoint_url: {error}") from error


def open_session(settings: dict[str, t.Any]) -> Session:
    """Raises InputError where the settings cannot be right and RolloutError where boto3 or credentials lack."""
    if settings["timeout"] <= 0:
        raise InputError(f"balancer.timeout: must be more than 0 s, is {settings['timeout']:g}.")
    boto3, exceptions, config = _import_boto()
    errors = (exceptions.BotoCoreError, exceptions.ClientError)
    region = settings.get("region") or os.environ.get("AWS_REGION") or None
    host = f"{settings['host']} " if settings.get("host") else ""
    try:
        boto = boto3.session.Session(profile_name=settings.get("profile"), region_name=region)
    except errors as error:
        raise _sentence(error, f"{host}AWS", "sts:AssumeRole") from error
    where = f"{host}AWS {boto.region_name}" if boto.region_name else f"{host}AWS"
    # Asking again is done here and not by boto3: on one clock, and distinguishing throttled requests from lost ones.
    options = config(
        connect_timeout=settings["timeout"],
        read_timeout=settings["timeout"],
        retries={"mode": "standard", "total_max_attempts": 1},
        user_agent_extra="steady.rollout",
    )
    session = Session(boto, errors, where, settings.get("endpoint_url"), options)
    if settings.get("role_arn"):
        session.boto = _assumed(session, boto3, settings["role_arn"])
    return session


def _import_boto() -> tuple[t.Any, t.Any, t.Any]:
    try:
        boto3 = importlib.import_module("boto3")
        exceptions = importlib.import_module("botocore.exceptions")
        config = importlib.import_module("botocore.config").Config
    except ImportError as error:
        raise RolloutError(
            f"AWS needs the Python package boto3 on the host where the module runs, normally the coordinator ({error}). "
            "Install it there for the Python that Ansible uses: pip install boto3."
        ) from error
    return boto3, exceptions, config


def _assumed(session: Session, boto3: t.Any, role_arn: str) -> t.Any:
    answer = session.api("sts", "sts").call("assume_role", RoleArn=role_arn, RoleSessionName="steady-rollout")
    credentials = answer["Credentials"]
    return boto3.session.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name=session.boto.region_name,
    )


class Api:
    """One AWS service."""

    def __init__(
        self,
        client: t.Any,
        where: str,
        iam_prefix: str,
        errors: tuple[type[Exception], ...],
        clock: Clock,
        jitter: t.Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self.where = where
        self._iam_prefix = iam_prefix
        self._errors = errors
        self._clock = clock
        self._jitter = jitter

    def call(self, action: str, **arguments: t.Any) -> dict[str, t.Any]:
        """The answer to *action* (boto3's name of it).

        Raises Unreachable where none comes, Denied where IAM forbids it, AwsError for any other error, and waits
        up to THROTTLE_PATIENCE seconds where there are too many requests.
        """
        ask = getattr(self._client, action)
        started, pauses, lost = self._clock.now(), 0, 0
        while True:
            try:
                answer: dict[str, t.Any] = ask(**arguments)
                return answer
            except self._errors as error:
                pause = min(LONGEST_PAUSE, 0.25 * 2**pauses) * (0.5 + self._jitter() / 2)
                pauses += 1
                in_time = self._clock.now() - started + pause <= THROTTLE_PATIENCE
                lost += _is_lost(error)
                if not (_code(error) in THROTTLED and in_time) and not (_is_lost(error) and lost <= LOST_RETRIES):
                    raise _sentence(error, self.where, self.iam_name(action)) from error
            self._clock.sleep(pause)

    def pages(self, action: str, key: str, **arguments: t.Any) -> list[dict[str, t.Any]]:
        """All entries of a list that comes in pages, whether it names the next one NextMarker or not at all."""
        entries: list[dict[str, t.Any]] = []
        while True:
            answer = self.call(action, **arguments)
            entries += answer[key]
            marker = answer.get("NextMarker")
            if not marker or marker == arguments.get("Marker"):
                return entries
            arguments["Marker"] = marker

    def permitted(self, action: str, **arguments: t.Any) -> None:
        """Asks for something that cannot change anything, however it is answered; raises Denied where IAM forbids it."""
        try:
            self.call(action, **arguments)
        except Denied:
            raise
        except AwsError:
            pass

    def iam_name(self, action: str) -> str:
        return f"{self._iam_prefix}:{''.join(part.capitalize() for part in action.split('_'))}"


def _is_lost(error: Exception) -> bool:
    """No answer came, or one that says nothing about the request."""
    if _names(error) & NOT_ANSWERED:
        return True
    status = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return bool(status >= 500) and _code(error) not in THROTTLED


def _code(error: Exception) -> str:
    return str(_response(error).get("Error", {}).get("Code", ""))


def _response(error: Exception) -> dict[str, t.Any]:
    """Of an answer; where none came, botocore's exceptions have None there."""
    return getattr(error, "response", None) or {}


def _names(error: Exception) -> set[str]:
    return {parent.__name__ for parent in type(error).__mro__}


def _sentence(error: Exception, where: str, iam_name: str) -> RolloutError:
    code, names = _code(error), _names(error)
    text = str(_response(error).get("Error", {}).get("Message", "") or error).strip().rstrip(".")
    if code in DENIED:
        return Denied(f"{where}: {iam_name} is denied: {text}. Allow it in the IAM policy of these credentials.", code)
    if code in BAD_CREDENTIALS:
        return AwsError(f"{where}: the AWS credentials are not accepted ({code}: {text}). Renew or correct them.", code)
    if code in THROTTLED:
        return AwsError(
            f"{where}: {iam_name} has been throttled for {THROTTLE_PATIENCE:g} s ({code}). Ask for fewer changes at a "
            "time, or have the account's request quota raised.",
            code,
        )
    if _is_lost(error):
        return Unreachable(
            f"{where}: no answer from AWS to {iam_name} ({text}). Is the endpoint running and reachable, and are "
            "balancer.region and balancer.endpoint_url right?"
        )
    if names & NO_CREDENTIALS:
        return RolloutError(
            f"{where}: no AWS credentials ({text}). Set balancer.profile, the AWS_* environment variables or the "
            "instance's role where the module runs."
        )
    if "NoRegionError" in names:
        return InputError(f"{where}: no AWS region is known. Set balancer.region or AWS_REGION.")
    if "ProfileNotFound" in names:
        return InputError(f"{where}: {text}. Correct balancer.profile or AWS_PROFILE.")
    return AwsError(f"{where}: AWS answered {iam_name} with {f'{code}: {text}' if code else text}.", code)
