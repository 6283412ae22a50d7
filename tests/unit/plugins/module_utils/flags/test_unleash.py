# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unleash: what its answers say, and its refusals, each with its own sentence."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import traceback
import typing as t

import pytest
from support.serving import serving

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, Unreachable, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.rest import Api
from ansible_collections.steady.rollout.plugins.module_utils.flags.unleash import reading
from ansible_collections.steady.rollout.plugins.module_utils.flags.unleash.backend import PRODUCT, Unleash
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange

TOKEN = "*:*.very-secret"


class Server:
    """*answers* are (status, document, headers) by the beginning of the request line, each list used up but for its last."""

    def __init__(self, **answers: t.Any) -> None:
        self.answers = answers
        self.requests: list[str] = []

    def respond(self, head: str, connection: socket.socket) -> None:
        line = head.split("\r\n")[0].rpartition(" ")[0]
        self.requests.append(line)
        for begin, given in self.answers["by"].items():
            if line.startswith(begin):
                status, document, *headers = given.pop(0) if len(given) > 1 else given[0]
                body = document if isinstance(document, str) else json.dumps(document)
                lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body.encode())}", *headers, "", body]
                connection.sendall("\r\n".join(lines).encode())
                return
        connection.sendall(b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}")


def unleash(port: int, waits: list[float]) -> Unleash:
    api = Api(PRODUCT, f"http://127.0.0.1:{port}", TOKEN, ssl.create_default_context(), 2.0, sleep=waits.append)
    return Unleash(api, "default", "production", "")


FLAG = "GET /api/admin/projects/default/features/a"
HERE = f"{FLAG[4:]}/environments/production"


def feature(*strategies: t.Any, **given: t.Any) -> dict[str, t.Any]:
    here = {"name": "production", "enabled": True, "strategies": list(strategies)}
    return {"name": "a", "type": "release", "environments": [here], "createdAt": "2026-03-01T10:00:00.000Z", **given}


def share(rollout: str, **given: t.Any) -> dict[str, t.Any]:
    return {"id": "1", "name": "flexibleRollout", "parameters": {"rollout": rollout}, "constraints": [], **given}


@pytest.mark.parametrize(
    ("found", "percent", "rules"),
    [
        (feature(share("10")), 10, ()),
        (feature(), 100, ()),
        (feature(share("10"), share("100")), 10, ("strategy flexibleRollout",)),
        (feature(share("10"), {"name": "userWithId"}), 10, ("strategy userWithId",)),
        (feature({"name": "default"}), 0, ("strategy default",)),
        (feature(share("10"), share("100", disabled=True)), 10, ()),
        (
            feature(share("10", constraints=[{}, {}], segments=[1])),
            0,
            ("strategy flexibleRollout with 2 constraints and 1 segments",),
        ),
        (feature(share("10"), dependencies=[{"feature": "b"}]), 10, ("depends on the flag b",)),
    ],
)
def test_strategies(found: t.Any, percent: int, rules: tuple[str, ...]) -> None:
    flag = reading.flag_of("unleash", "a", found, "production")
    assert (flag.state, flag.percent, flag.rules, flag.created) == ("on", percent, rules, 1772359200.0)


@pytest.mark.parametrize("rollout", ["150", "-1", "10.5", "abc", "", None, "²"])
def test_what_unleash_accepts_and_means_nothing_is_an_error(rollout: t.Any) -> None:
    with pytest.raises(RolloutError) as failed:
        reading.flag_of("unleash", "a", feature(share(rollout)), "production")
    assert failed.value.message == (
        f"unleash: the rollout of 'a' is '{rollout}', not a whole number from 0 to 100, which Unleash accepts, with an "
        "undefined effect. Nothing was changed; correct it in Unleash."
    )


@pytest.mark.parametrize(
    "environments", [None, [], ["production"], [{"name": "production"}], [{"name": "production", "enabled": "no"}]]
)
def test_an_answer_without_the_environment_is_never_off(environments: t.Any) -> None:
    with pytest.raises(RolloutError) as failed:
        reading.flag_of("unleash", "a", feature(environments=environments), "production")
    assert failed.value.message.startswith("unleash: 'a' has no environment 'production'; there are ")


def test_the_share_is_set_before_the_environment_is_switched_on() -> None:
    strategies = {f"GET {HERE}/strategies": [(200, [])], f"POST {HERE}": [(200, "")], "POST": [(201, {})]}
    server = Server(by=strategies)
    with serving(server.respond) as port:
        unleash(port, []).apply(Flag("a"), Wanted("on", 10))
    assert server.requests == [
        "POST /api/admin/projects/default/features",
        f"GET {HERE}/strategies",
        f"POST {HERE}/strategies",
        f"POST {HERE}/on",
    ]


SEGMENTS = {"segments": [{"id": 4, "name": "internal"}, {"id": 7, "name": "beta"}]}


def test_a_strategy_for_all_users_of_a_segment_is_that_segment() -> None:
    found = feature(
        share("0"),
        share("100", id="2", segments=[7]),
        share("50", id="3", segments=[4]),
        share("100", id="4", segments=[9]),
    )
    flag = reading.flag_of("unleash", "a", found, "production", {4: "internal", 7: "beta"})
    unknown = "strategy flexibleRollout with 1 segments"
    assert (flag.percent, flag.segments, flag.rules) == (0, ("beta",), (unknown, unknown))


def test_segments_are_added_before_the_environment_is_switched_on_and_removed_after_the_new_ones() -> None:
    there = [share("0"), share("100", id="2", segments=[7])]
    answers = {
        f"GET {HERE}/strategies": [(200, there)],
        "GET /api/admin/segments": [(200, SEGMENTS)],
        "PUT": [(200, {})],
        "POST": [(200, "")],
        "DELETE": [(200, "")],
    }
    server = Server(by=answers)
    with serving(server.respond) as port:
        unleash(port, []).apply(Flag("a", exists=True), Wanted("on", 0, ("internal",)))
    assert server.requests == [
        f"GET {HERE}/strategies",
        f"PUT {HERE}/strategies/1",
        "GET /api/admin/segments",
        f"POST {HERE}/strategies",
        f"DELETE {HERE}/strategies/2",
        f"POST {HERE}/on",
    ]


def test_an_answer_without_segments_is_no_list_of_none() -> None:
    with pytest.raises(RolloutError) as failed:
        reading.segments_of("unleash", [])
    assert failed.value.message == "unleash: the answer has no list of segments; is system.url that of Unleash?"


def test_an_archived_flag_is_revived() -> None:
    server = Server(
        by={
            "POST /api/admin/projects/default/features/": [(200, "")],
            "POST /api/admin/projects/default/features": [(409, {"message": "archived"})],
            "POST": [(202, "")],
        }
    )
    with serving(server.respond) as port:
        unleash(port, []).apply(Flag("a"), Wanted("off"))
    assert server.requests[1] == "POST /api/admin/projects/default/revive"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "In other words, the token is not known; give an admin or service account token."),
        (
            403,
            "In other words, the token may not do that; a client token cannot change flags, and a project may limit who does.",
        ),
        (400, ""),
    ],
)
def test_refusals_have_a_sentence_each(status: int, message: str) -> None:
    server = Server(by={FLAG: [(status, {"message": f"no, {TOKEN} is wrong"})]})
    with serving(server.respond) as port, pytest.raises(RolloutError) as failed:
        unleash(port, []).read("a")
    said = f"http://127.0.0.1:{port}: {FLAG} was refused with {status}: no, ******** is wrong."
    assert failed.value.message == (f"{said} {message}" if message else said)


def test_a_missing_flag_and_a_missing_project_are_distinguished() -> None:
    server = Server(by={FLAG: [(404, {})], "GET /api/admin/projects/default/features": [(200, {"features": []})]})
    with serving(server.respond) as port:
        assert unleash(port, []).read("a") == Flag("a")
    with serving(Server(by={"GET": [(404, {"message": "no project"})]}).respond) as port, pytest.raises(RolloutError):
        unleash(port, []).read("a")


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    waits: list[float] = []
    server = Server(by={FLAG: [(429, {}, "Retry-After: 2"), (503, {}), (200, feature(share("10")))]})
    with serving(server.respond) as port:
        assert unleash(port, waits).read("a").percent == 10
    assert waits == [2.0, 0.5]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            (429, {}, "Retry-After: 60"),
            "limits the rate of requests (429). Try again after 60 s.",
        ),
        ((500, {"message": "database is gone"}), "answered 500: database is gone."),
        ((200, "<html>"), "{path}: returned '<html>', which is not JSON; is system.url that of Unleash?"),
    ],
)
def test_a_server_in_trouble_is_never_off(answer: t.Any, message: str) -> None:
    with serving(Server(by={FLAG: [answer]}).respond) as port, pytest.raises(RolloutError) as failed:
        unleash(port, []).read("a")
    path = "/api/admin/projects/default/features/a"
    place = f"http://127.0.0.1:{port}"
    assert failed.value.message == (place + message.format(path=path) if "{path}" in message else f"{place} {message}")
    assert isinstance(failed.value, Unreachable) is ("{path}" not in message)


def test_when_it_last_changed() -> None:
    events = [
        {"type": "feature-environment-enabled", "environment": "production", "createdAt": "2026-03-01T10:00:00.000Z"},
        {"type": "feature-environment-enabled", "environment": "test", "createdAt": "2026-04-01T10:00:00.000Z"},
        {"type": "feature-metadata-updated", "createdAt": "2026-05-01T10:00:00.000Z"},
        {"type": "feature-created", "environment": None, "createdAt": "nonsense"},
        "nonsense",
    ]
    assert reading.changed_at({"events": events}, "production") == 1772359200.0
    assert reading.changed_at(None, "production") is None


@pytest.mark.parametrize("error", [ValueError, OSError, http.client.InvalidURL])
def test_an_exception_of_the_client_shows_no_key(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fail(*_given: t.Any) -> t.NoReturn:
        raise error(f"Invalid header value b'{TOKEN}'")

    monkeypatch.setattr(exchange, "exchange", fail)
    with pytest.raises(Unreachable) as failed:
        unleash(1, []).read("a")
    shown = "".join(traceback.format_exception(failed.type, failed.value, failed.tb))
    assert TOKEN not in f"{shown}{failed.value.result}"
