# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of AWS on loopback: moto's server with what it lacks put in (support.aws_elb, support.aws_route53).

    with FakeAws() as aws:
        aws.client("elbv2").describe_target_groups()

It is a fake. What is still different from AWS:
- Times are short, and a change shows after ``elb.times.lag`` seconds (0), not some seconds later.
- IAM is two kinds of credentials: access key READONLY may look, any other may do anything; ``deny`` adds to that.
- Throttling is on request (``throttle``), not by rate.
- Any IP address may be a target, loopback too. Instances need not exist, so 'Target.InvalidState' never comes.
- A target group belongs to a load balancer as soon as a rule names it; zones play no part, nor do cross-zone settings.
- Health checks are those of support.aws_plane, or none, and then every target is healthy once it was initial.
- A drain does not end early when idle, and nothing is cut at its end. AWS too shows it as draining until then.
- Route 53 answers no DNS question; a health check fails when the test says so.
- In Route 53 lists StartRecordIdentifier is ignored, as in moto.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import io
import os
import re
import threading
import typing as t
import urllib.parse
from unittest import mock

import boto3
import botocore.loaders
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import DomainDispatcherApplication, create_backend_app
from support.aws_elb import Elb
from support.aws_route53 import Route53
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

# Half of the time that a new account takes: nobody here starts a machine from an image.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

REGION = "eu-central-1"
READERS = ("Describe", "List", "Get", "AssumeRole")
ERROR = """<?xml version="1.0"?>
<ErrorResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>
<RequestId>00000000-0000-0000-0000-000000000000</RequestId>
</ErrorResponse>"""


@functools.lru_cache(maxsize=None)
def _loader() -> t.Any:
    """boto3 reads megabytes of descriptions for every session; tests make hundreds."""
    return botocore.loaders.create_loader()


class Quiet(WSGIRequestHandler):
    """Logs nothing, and hangs up on everybody while the account is silent."""

    account: FakeAws

    def handle(self) -> None:
        if not self.account.silent:
            super().handle()

    def log(self, *args: t.Any) -> None:
        pass


class FakeAws:
    """One at a time in a process: moto keeps its state in globals, which start empties."""

    def __init__(self) -> None:
        self.elb = Elb()
        self.route53 = Route53()
        self.silent = False
        self.calls: list[str] = []
        """Names of the API actions asked for, in order."""
        self._session = boto3.session.Session(
            aws_access_key_id="TESTER", aws_secret_access_key="testing", region_name=REGION
        )
        self._app = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.Lock()
        """Held while moto's state is used: it is not made for several threads."""
        self._throttled: collections.Counter[str] = collections.Counter()
        self._denied: set[str] = set()
        self._patches = contextlib.ExitStack()
        self._server: BaseWSGIServer | None = None

    def __enter__(self) -> FakeAws:
        self._patches.enter_context(mock.patch("botocore.session.create_loader", return_value=_loader()))
        for service in ("elbv2", "route53", "ec2", "sts", "iam"):
            get_backend(service).reset()
        self.elb.install()
        self.route53.install()
        handler = type("Handler", (Quiet,), {"account": self})
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._patches.close()
        self.route53.remove()
        self.elb.remove()

    def down(self) -> None:
        """Nobody gets an answer any more."""
        self.silent = True

    def up(self) -> None:
        """Answers again; everything is as it was."""
        self.silent = False

    @property
    def endpoint(self) -> str:
        port = self._server.server_port if self._server else 0
        return f"http://127.0.0.1:{port}"

    def environment(self, key: str = "TESTER") -> dict[str, str]:
        """The environment of a process that uses this AWS, and nothing of a real one."""
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> t.Any:
        return self._session.client(service, endpoint_url=self.endpoint)

    def backend(self, service: str = "elbv2") -> t.Any:
        """moto's backend of this account and region."""
        return get_backend(service)[DEFAULT_ACCOUNT_ID][REGION]

    def throttle(self, action: str, times: int) -> None:
        """The next *times* requests of *action* are answered with Throttling."""
        with self.lock:
            self._throttled[action] += times

    def deny(self, *actions: str) -> None:
        with self.lock:
            self._denied.update(actions)

    def allow(self, *actions: str) -> None:
        with self.lock:
            self._denied.difference_update(actions)

    @contextlib.contextmanager
    def counting(self) -> t.Iterator[collections.Counter[str]]:
        """Fills the counter with the actions asked for meanwhile."""
        start, counter = len(self.calls), collections.Counter[str]()
        yield counter
        counter.update(self.calls[start:])

    def _serve(self, environ: dict[str, t.Any], start_response: t.Callable[..., t.Any]) -> t.Iterable[bytes]:
        action = _action(environ)
        with self.lock:
            self.calls.append(action)
            refused = self._refusal(environ, action)
        if refused:
            body = ERROR.format(code=refused[1], message=refused[2]).encode()
            start_response(refused[0], [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
            return [body]
        with self.lock:
            return list(self._app(environ, start_response))

    def _refusal(self, environ: dict[str, t.Any], action: str) -> tuple[str, str, str] | None:
        if self._throttled[action] > 0:
            self._throttled[action] -= 1
            return "400 Bad Request", "Throttling", "Rate exceeded"
        key = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        user = key.group(1) if key else ""
        if action in self._denied or (user == "READONLY" and not action.startswith(READERS)):
            message = f"User: arn:aws:iam::123456789012:user/{user.lower()} is not authorized to perform: {action}"
            return "403 Forbidden", "AccessDenied", message
        if user == "EXPIRED":
            return "403 Forbidden", "ExpiredToken", "The security token included in the request is expired"
        return None


REST_ACTIONS = (
    ("POST", r"/rrset/?$", "ChangeResourceRecordSets"),
    ("GET", r"/rrset/?$", "ListResourceRecordSets"),
    ("GET", r"/change/", "GetChange"),
    ("GET", r"/healthcheck/[^/]+/status$", "GetHealthCheckStatus"),
    ("GET", r"/healthcheck/", "GetHealthCheck"),
    ("GET", r"/hostedzonesbyname", "ListHostedZonesByName"),
)


def _action(environ: dict[str, t.Any]) -> str:
    """The API action, from a form (ELBv2, STS) or from method and path (Route 53)."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return urllib.parse.parse_qs(body.decode()).get("Action", [""])[0]
    for method, path, action in REST_ACTIONS:
        if environ["REQUEST_METHOD"] == method and re.search(path, environ["PATH_INFO"]):
            return action
    return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
