# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One probe over a real loopback connection, and how answers are judged."""

from __future__ import annotations

import json
import pathlib
import socket
import ssl
import threading
import typing as t

import pytest
from support.serving import serving

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.health.policy import Sample
from ansible_collections.steady.rollout.plugins.module_utils.health.probe import Prober, Seen, judged
from ansible_collections.steady.rollout.plugins.module_utils.http import targets
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import run_command

DEFAULTS: dict[str, t.Any] = {
    "name": "app1",
    "method": "GET",
    "status": [200],
    "version_path": "version",
    "timeout": 5.0,
    "follow_redirects": False,
    "validate_certs": True,
}


def answering(status: int, document: t.Any, *headers: str) -> t.Callable[[str, socket.socket], None]:
    body = (document if isinstance(document, str) else json.dumps(document)).encode()
    head = "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""])
    return lambda dummy, connection: connection.sendall(head.encode() + body)


def probe(seconds: float = 5.0, **given: t.Any) -> Sample:
    (target,) = targets.from_options([{**DEFAULTS, **given}])
    return Prober([target], run_command).probe(target, seconds)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


HEALTHY = {"status": "healthy", "version": "2.0.0"}


@pytest.mark.parametrize(
    ("answer", "given", "problem"),
    [
        (answering(200, HEALTHY), {"version": "2.0.0", "expect": "status == 'healthy'"}, None),
        (answering(204, ""), {"status": [200, 204]}, None),
        (answering(503, HEALTHY), {}, "answered 503, expected 200"),
        (answering(503, HEALTHY), {"status": [200, 204]}, "answered 503, expected 200 or 204"),
        (
            answering(200, HEALTHY),
            {"version": "3.0.0"},
            "answered 200 with the wrong version: expected 3.0.0, found 2.0.0",
        ),
        (
            answering(200, {}),
            {"version": "3.0.0"},
            'answered 200 with the wrong version: expected 3.0.0, found none at "version"',
        ),
        (
            answering(200, "hello"),
            {"version": "3.0.0"},
            "answered 200 with the wrong version: expected 3.0.0, found none as the body is not JSON",
        ),
        (
            answering(200, {"status": "starting"}),
            {"expect": "status == 'healthy'"},
            "answered 200 but expect \"status == 'healthy'\" was false",
        ),
        (answering(200, HEALTHY), {"expect": "status"}, 'answered 200 but expect "status" was not true but "healthy"'),
        (answering(200, "x"), {"expect": "ok"}, 'answered 200 but expect "ok" was not true: the body is not JSON'),
        (answering(200, HEALTHY), {"latency": 1e-9}, "answered 200 but took longer than 1e-09 s"),
        (
            answering(302, "", "Location: http://127.0.0.1/elsewhere"),
            {},
            "answered 302, expected 200",
        ),
        (
            lambda dummy, connection: None,
            {},
            "closed the connection before its answer was complete",
        ),
        (
            lambda dummy, connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
            {},
            "closed the connection before its answer was complete",
        ),
        (
            lambda dummy, connection: connection.sendall(b"SSH-2.0\r\n"),
            {},
            "sent an invalid HTTP response (BadStatusLine: SSH-2.0)",
        ),
    ],
)
def test_http_answers(answer: t.Any, given: dict[str, t.Any], problem: str | None) -> None:
    with serving(answer) as port:
        sample = probe(url=f"http://127.0.0.1:{port}/health", **given)
    assert sample.ok == (problem is None)
    assert sample.reason == f"http://127.0.0.1:{port}/health {problem or f'answered {sample.status}'}"


def test_the_version_and_the_body_are_reported() -> None:
    with serving(answering(500, {"build": {"id": 7}})) as port:
        sample = probe(url=f"http://127.0.0.1:{port}/", version_path="build.id")
    assert (sample.status, sample.version, sample.body) == (500, "7", '{"build": {"id": 7}}')


def test_a_long_body_is_cut_and_its_secrets_are_hidden() -> None:
    with serving(answering(500, "you sent hunter22 " + "x" * 500)) as port:
        sample = probe(url=f"http://127.0.0.1:{port}/", headers={"X-Token": "hunter22"})
    assert sample.body == "you sent ******** " + "x" * 179 + "..."


def test_what_is_asked() -> None:
    heads: list[str] = []

    def respond(head: str, connection: socket.socket) -> None:
        heads.append(head)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with serving(respond) as port:
        probe(url=f"http://bob:secret@127.0.0.1:{port}/a?b=c", method="post", body={"a": 1}, headers={"Accept": "x/y"})
    lines = heads[0].split("\r\n")
    assert lines[0] == "POST /a?b=c HTTP/1.1"
    assert {
        f"Host: 127.0.0.1:{port}",
        "Content-Length: 8",
        "Connection: close",
        "Accept: x/y",
        "Authorization: Basic Ym9iOnNlY3JldA==",
        "Content-Type: application/json",
        "User-Agent: steady.rollout health_wait",
    } <= set(lines)


def test_redirects_are_followed_but_credentials_do_not_leave_the_host() -> None:
    heads: list[str] = []

    def elsewhere(head: str, connection: socket.socket) -> None:
        heads.append(head)
        answering(200, HEALTHY)(head, connection)

    with serving(elsewhere) as other, serving(answering(302, "", f"Location: http://127.0.0.1:{other}/x")) as port:
        sample = probe(url=f"http://127.0.0.1:{port}/", follow_redirects=True, headers={"Authorization": "Bearer abcd"})
    assert sample.ok
    assert "Bearer" not in heads[0]


def test_redirects_in_a_circle_end() -> None:
    with serving(answering(302, "", "Location: /")) as port:
        sample = probe(url=f"http://127.0.0.1:{port}/", follow_redirects=True)
    assert sample.reason == (
        f"http://127.0.0.1:{port}/ sent an invalid HTTP response (HTTPException: more than 5 redirects)"
    )


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(answering(200, HEALTHY)) as port:
        assert probe(url=f"http://127.0.0.1:{port}/").ok


def test_a_server_that_drips_is_held_to_the_whole_time() -> None:
    gone = threading.Event()

    def drip(dummy: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not gone.wait(0.05):
            connection.sendall(b"X-A: b\r\n")

    with serving(drip) as port:
        sample = probe(seconds=0.3, url=f"http://127.0.0.1:{port}/")
        gone.set()
    assert sample.reason == f"http://127.0.0.1:{port}/ did not answer within 0.3 s"


def test_nobody_listens() -> None:
    port = closed_port()
    assert probe(url=f"http://127.0.0.1:{port}/").reason == f"http://127.0.0.1:{port}/ refused the connection"
    assert probe(tcp=f"127.0.0.1:{port}").reason == f"127.0.0.1:{port} refused the connection"


def test_tcp() -> None:
    with serving(answering(200, "")) as port:
        sample = probe(tcp=f"127.0.0.1:{port}")
    assert (sample.ok, sample.reason) == (True, f"127.0.0.1:{port} accepted the connection")


def test_a_name_that_does_not_resolve() -> None:
    reason = probe(url="http://nowhere.invalid/").reason
    assert reason.startswith("http://nowhere.invalid/ could not be resolved (")


@pytest.mark.parametrize(
    ("command", "given", "ok", "reason"),
    [
        ("true", {}, True, "command 'true' exited with 0"),
        (["sh", "-c", "echo lost >&2; exit 3"], {}, False, "command 'sh' exited with 3"),
        (["echo", '{"version": "1"}'], {"version": "1"}, True, "command 'echo' exited with 0"),
        (
            ["echo", '{"version": "1"}'],
            {"version": "2"},
            False,
            "command 'echo' exited with 0 with the wrong version: expected 2, found 1",
        ),
        (["sleep", "9"], {}, False, "command 'sleep' did not end within 0.2 s"),
        ("/no/such/thing", {}, False, "command '/no/such/thing' exited with 127"),
    ],
)
def test_commands(command: t.Any, given: dict[str, t.Any], ok: bool, reason: str) -> None:
    sample = probe(seconds=0.2 if "sleep" in command else 5.0, command=command, **given)
    assert (sample.ok, sample.reason) == (ok, reason)


def test_the_last_line_of_a_failed_command_is_its_body() -> None:
    assert probe(command=["sh", "-c", "echo one >&2; echo two >&2; exit 1"]).body == "two"


def test_certificates_are_checked_by_default(certificate: pathlib.Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(answering(200, HEALTHY), context) as port:
        url = f"https://localhost:{port}/"
        untrusted = probe(url=url)
        assert not untrusted.ok
        assert untrusted.reason.startswith(f"{url} has a certificate that is not trusted (")
        assert probe(url=url, validate_certs=False).ok
        assert probe(url=url, ca_path=f"{certificate}.crt").ok
        other_name = probe(url=f"https://127.0.0.1:{port}/", ca_path=f"{certificate}.crt")
        assert "has a certificate that is not trusted (IP address mismatch" in other_name.reason


def test_authorities_that_are_not_there() -> None:
    with pytest.raises(InputError) as refused:
        probe(url="https://127.0.0.1/", ca_path="/no/such.pem")
    assert refused.value.message == (
        "targets: ca_path of 'app1' cannot be used: /no/such.pem (No such file or directory)."
    )


@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        ({"status": "up", "version": "1.0.0"}, True),
        ({"status": "up", "version": "it's"}, True),
        ({"status": "down", "version": "1.0.0"}, False),
        ({"status": "down"}, True),
    ],
)
def test_a_placeholder_stands_for_the_version_that_the_answer_names(answer: dict[str, str], ok: bool) -> None:
    """Where the answer names none, nothing can be expected of it."""
    options = {**DEFAULTS, "url": "http://app1/", "version_placeholder": "@any@"}
    (target,) = targets.from_options([{**options, "expect": "status == 'up' && version == '@any@'"}])
    assert judged(target, Seen(json.dumps(answer), 200), 0.01).ok is ok


def test_a_body_that_shows_secrets_is_not_shown() -> None:
    """Whatever the service prints where it fails ends in the task's result and in the ledger."""
    body = {"status": "down", "db": "postgres://shop:s3cret@db/shop", "api_token": "abcdef"}
    with serving(answering(500, body)) as port:
        sample = probe(url=f"http://127.0.0.1:{port}/")
    hidden = '{"status": "down", "db": "postgres://shop:********@db/shop", "api_token": "********"}'
    assert (sample.ok, sample.body) == (False, hidden)


def test_what_an_expression_finds_is_not_shown_where_it_is_a_secret() -> None:
    with serving(answering(200, {"api_token": "abcdef", "debug": {"password": "abcdef"}})) as port:
        url = f"http://127.0.0.1:{port}/"
        assert probe(url=url, expect="api_token").reason.endswith('but expect "api_token" was not true')
        assert probe(url=url, expect="debug").reason.endswith('was not true but {"password": "********"}')


def target(**given: t.Any) -> targets.Target:
    return targets.from_options([{**DEFAULTS, "url": "http://app1/", **given}])[0]


def test_an_answer_that_takes_a_little_too_long_is_not_healthy() -> None:
    sample = judged(target(latency=1.0), Seen(text="{}", status=200), 1.1)
    assert (sample.ok, sample.reason) == (False, "http://app1/ answered 200 but took longer than 1 s")


def test_a_secret_in_what_went_wrong_is_hidden() -> None:
    sample = judged(target(headers={"X-Api-Key": "s3cret"}), Seen(trouble="answered with s3cret"), 0.1)
    assert sample.reason == "http://app1/ answered with ********"


def test_a_boolean_is_no_version() -> None:
    assert judged(target(), Seen(text='{"version": true}', status=200), 0.1).version is None


@pytest.mark.parametrize(
    ("answer", "given", "problem", "revision"),
    [
        ('{"revision": 7}', {"revision": "7"}, None, "7"),
        ('{"revision": 8}', {"revision": "7"}, "with the wrong revision: expected 7, found 8", "8"),
        ("{}", {"revision": "7"}, 'with the wrong revision: expected 7, found none at "revision"', None),
        ("x", {"revision": "7"}, "with the wrong revision: expected 7, found none as the body is not JSON", None),
        ('{"config": {"sha": "a"}}', {"revision": "a", "revision_path": "config.sha"}, None, "a"),
        # What a service calls a revision is read only where somebody asks for it.
        ('{"revision": 8}', {}, None, None),
        ('{"revision": 8}', {"revision": ""}, None, None),
        ('{"revision": "8"}', {"revision_path": "revision"}, None, "8"),
    ],
)
def test_a_revision_is_found_and_judged_as_the_version_is(answer, given, problem, revision) -> None:
    sample = judged(target(**given), Seen(text=answer, status=200), 0.1)
    said = "http://app1/ answered 200" + (f" {problem}" if problem else "")
    assert (sample.ok, sample.reason, sample.revision) == (problem is None, said, revision)


def test_what_is_expected_of_any_revision_is_judged_for_the_one_that_answers() -> None:
    aim = target(expect="revision == '@any@' && ok", revision_path="revision", revision_placeholder="@any@")
    assert judged(aim, Seen(text='{"revision": "7", "ok": true}', status=200), 0.1).ok is True
    assert judged(aim, Seen(text='{"revision": "7", "ok": false}', status=200), 0.1).ok is False
    assert judged(aim, Seen(text='{"ok": false}', status=200), 0.1).ok is True
