# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis: its keys, its protocol, and its errors in words."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Conflict, Flag, Unreachable, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.redis import backend
from ansible_collections.steady.rollout.plugins.module_utils.flags.redis.backend import flag_of, open_redis, values_of

NOTHING: backend.Values = [None] * 6


@contextlib.contextmanager
def answering(*answers: bytes) -> t.Iterator[int]:
    """A server that gives these answers, one to each command, from the first one for each connection; then it closes."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            for answer in answers:
                if not self.request.recv(65536):
                    return
                with contextlib.suppress(OSError):
                    self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def redis(port: int, **given: t.Any) -> backend.Redis:
    return open_redis({"address": f"127.0.0.1:{port}", "timeout": 1.0, **given})


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        (NOTHING, Flag("a")),
        (["on", "10", None, None, None, None], Flag("a", exists=True, on=True, percent=10)),
        (["on", None, None, None, None, None], Flag("a", exists=True, on=True, percent=100)),
        (["off", "10", None, None, None, None], Flag("a", exists=True, percent=10)),
        (
            ["on", "10", "1", "twice", "5.5", None],
            Flag("a", exists=True, percent=10, killed=True, reason="twice", killed_at=5.5),
        ),
        ([None, None, "1", None, None, None], Flag("a", exists=True, killed=True)),
        (["on", "10", "0", "old", "5", None], Flag("a", exists=True, on=True, percent=10)),
    ],
)
def test_keys(values: backend.Values, flag: Flag) -> None:
    found = flag_of("redis", "a", values)
    assert json.loads(found.revision) == values
    assert found == Flag(**{**vars(flag), "revision": found.revision})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["yes", None, None, None, None, None],
            "redis: 'feature:a' is 'yes', neither on nor off. Nothing was changed; correct the key.",
        ),
        (
            ["on", "150", None, None, None, None],
            "redis: 'rollout_percentage:a' is '150', not a whole number from 0 to 100. Nothing was changed; correct the key.",
        ),
        (
            ["on", "²", None, None, None, None],
            "redis: 'rollout_percentage:a' is '²', not a whole number from 0 to 100. Nothing was changed; correct the key.",
        ),
    ],
)
def test_keys_that_mean_nothing(values: backend.Values, message: str) -> None:
    with pytest.raises(RolloutError) as failed:
        flag_of("redis", "a", values)
    assert failed.value.message == message


def test_what_is_written() -> None:
    created = values_of(NOTHING, Wanted("on", 10, kind="release", description="SHOP-1", at=7.0))
    assert created[:5] == ["on", "10", None, None, None]
    assert json.loads(created[5] or "") == {"kind": "release", "description": "SHOP-1", "created": 7.0, "changed": 7.0}
    killed = values_of(created, Wanted("killed", reason="twice", at=9.0))
    assert killed[:5] == ["off", "10", "1", "twice", "9.000"]
    assert json.loads(killed[5] or "")["created"] == 7.0
    assert values_of(killed, Wanted("off", at=9.0))[:5] == ["off", "10", None, None, None]
    assert values_of(killed, Wanted("absent")) == NOTHING


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            b"-NOAUTH Authentication required.\r\n",
            "refused the command: it requires a password; give system.password. The server replied: NOAUTH Authentication required.",
        ),
        (
            b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "refused the command: it has no memory left for writes; free some, or raise maxmemory. The server replied: OOM command not "
            "allowed when used memory > 'maxmemory'.",
        ),
        (
            b"-READONLY You can't write against a read only replica.\r\n",
            "refused the command: it is a replica and takes no writes; give the address of the primary. The server replied: READONLY You "
            "can't write against a read only replica.",
        ),
        (b"-ERR unknown\r\n", "refused the command: ERR unknown."),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "sent an invalid response (it does not speak Redis's protocol)."),
        (b"$-1\r\n", "gave an unexpected reply to a read of 'a'; is it Redis?"),
        (b"*99999999999\r\n", "sent an invalid response (it does not speak Redis's protocol)."),
        (b"*1\r\n$99999999999\r\n", "sent an invalid response (a text of 99999999999 bytes, more than 1048576)."),
        (b"*x\r\n", "sent an invalid response (invalid literal for int() with base 10: 'x')."),
        (b"", "reset the connection."),
        (b"*6\r\n$3\r\non", "reset the connection."),
        (b"x" * 9000, "sent an invalid response (it does not speak Redis's protocol)."),
        (b"*1\r\n" * 50, "sent an invalid response (it does not speak Redis's protocol)."),
    ],
)
def test_an_error_is_never_off(answer: bytes, message: str) -> None:
    with answering(answer) as port, pytest.raises(RolloutError) as failed:
        redis(port).read("a")
    assert failed.value.message == f"redis at 127.0.0.1:{port}: {message}"


def test_a_wrong_password_is_said_without_it() -> None:
    with answering(b"-WRONGPASS invalid username-password pair\r\n") as port, pytest.raises(RolloutError) as failed:
        redis(port, password="open sesame").read("a")
    assert failed.value.message == (
        f"redis at 127.0.0.1:{port}: refused the command: user or password is wrong; correct system.user and system.password. "
        "The server replied: WRONGPASS invalid username-password pair"
    )


def test_a_server_that_does_not_answer_is_unreachable() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        with pytest.raises(Unreachable) as failed:
            open_redis({"address": f"127.0.0.1:{port}", "timeout": 0.1}).read("a")
    assert failed.value.message == f"redis at 127.0.0.1:{port}: did not answer within 0.1 s."
    assert failed.value.result["kind"] == "flags_unreachable"


def test_a_change_of_somebody_else_is_a_conflict() -> None:
    with answering(b":0\r\n") as port, pytest.raises(Conflict):
        redis(port).apply(flag_of("redis", "a", NOTHING), Wanted("on"))
