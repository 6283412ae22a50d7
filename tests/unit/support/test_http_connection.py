# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client connection against a server that says exactly what a test has it say."""

from __future__ import annotations

import asyncio
import socket
import typing as t

import pytest
from support import http_connection
from support.http_connection import ClosedWhileIdle, Connection, Target, request_head
from support.tally import Failed

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"version": "1"}'


class Script:
    """A server whose every connection answers request after request with the next words of the script.

    An answer of b"" closes the connection instead; an answer ending the script closes it afterwards.
    """

    def __init__(self, *answers: bytes, reset: bool = False, delay: float = 0.0) -> None:
        self.answers = list(answers)
        self.reset = reset
        self.delay = delay
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            await asyncio.sleep(self.delay)
            answer = self.answers.pop(0)
            if not answer:
                break
            writer.write(answer)
            await writer.drain()
        if self.reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.close()


def ask(script: Script, times: int = 1, pause: float = 0.0) -> list[t.Any]:
    """The outcomes of that many requests on one connection to the script's server."""
    return asyncio.run(_ask(script, times, pause))


async def _ask(script: Script, times: int, pause: float) -> list[t.Any]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    target = Target(*server.sockets[0].getsockname()[:2])
    connection = Connection(target)
    outcomes: list[t.Any] = []
    for number in range(times):
        try:
            outcomes.append(await connection.exchange(request_head(target, "/", close=False)))
        except (Failed, ClosedWhileIdle) as error:
            outcomes.append(error)
        if number < times - 1:
            await asyncio.sleep(pause)
    connection.close()
    server.close()
    return outcomes


def failed(outcome: t.Any) -> tuple[str, str]:
    assert isinstance(outcome, Failed)
    return outcome.kind, outcome.detail


def test_a_connection_is_kept_for_the_next_request() -> None:
    script = Script(ANSWER, ANSWER, ANSWER)
    assert ask(script, times=3) == [{"version": "1"}] * 3
    assert script.connections == 1


def test_a_connection_that_the_server_means_to_close_is_not_used_again() -> None:
    closing = ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    script = Script(closing, ANSWER)
    assert ask(script, times=2) == [{"version": "1"}] * 2
    assert script.connections == 2


@pytest.mark.parametrize("reset", [False, True])
def test_closed_while_idle_before_the_request_was_sent(reset: bool) -> None:
    outcomes = ask(Script(ANSWER, reset=reset), times=2, pause=0.05)
    assert outcomes[0] == {"version": "1"}
    assert isinstance(outcomes[1], ClosedWhileIdle)


def test_closed_while_the_request_was_on_its_way() -> None:
    assert isinstance(ask(Script(ANSWER, b""), times=2)[1], ClosedWhileIdle)


def test_the_first_request_of_a_connection_is_never_forgiven() -> None:
    assert failed(ask(Script(b""))[0]) == ("short", "closed after 0 bytes of the head")


def test_a_close_that_broke_off_an_answer_in_the_making_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "CROSSING", 0.02)
    outcomes = ask(Script(ANSWER, b"", delay=0.1), times=2)
    assert failed(outcomes[1]) == ("short", "closed after 0 bytes of the head")


def test_a_close_within_the_head_is_a_failure() -> None:
    outcomes = ask(Script(ANSWER, b"HTTP/1.1 200 OK\r\n"), times=2)
    assert failed(outcomes[1]) == ("short", "closed after 17 bytes of the head")


def test_a_close_within_the_body_is_a_failure() -> None:
    assert failed(ask(Script(ANSWER[:-6]))[0]) == ("short", "closed after 10 of 16 bytes of the body")


def test_any_status_but_2xx_is_a_failure() -> None:
    answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick"
    assert failed(ask(Script(answer))[0]) == ("status 503", "answered 503: 'sick'")


def test_a_503_with_retry_after_is_distinguished() -> None:
    (failed,) = ask(Script(b"HTTP/1.1 503 Soon\r\nRetry-After: 60\r\nContent-Length: 4\r\n\r\nsoon"))
    assert (failed.kind, str(failed)) == ("maintenance page", "Retry-After 60: 'soon'")


def test_an_answer_before_the_body_was_sent_ends_the_upload() -> None:
    """A server that refuses an upload closes the connection, and whoever goes on sending gets a reset instead."""
    refusal = b"HTTP/1.1 503 Soon\r\nRetry-After: 60\r\nContent-Length: 4\r\n\r\nsoon"

    async def upload() -> Failed:
        server = await asyncio.start_server(Script(refusal).serve, "127.0.0.1", 0)
        connection = Connection(Target(*server.sockets[0].getsockname()[:2]))
        with pytest.raises(Failed) as caught:
            await connection.exchange(b"POST / HTTP/1.1\r\n\r\n", [b"x" * 1000] * 5, pause=0.2)
        return caught.value

    assert asyncio.run(upload()).kind == "maintenance page"


def test_an_answer_that_is_no_json_is_a_failure() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwhat"
    assert failed(ask(Script(answer))[0]) == ("garbled", "the answer is not JSON: b'what'")


def test_nobody_listening_is_a_failure() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = Target(*unused.getsockname())
        with pytest.raises(Failed) as caught:
            asyncio.run(Connection(target).exchange(request_head(target, "/", close=True)))
    assert caught.value.kind == "connect"


def test_a_request_names_its_host_and_how_long_its_body_is() -> None:
    head = request_head(Target("10.0.0.1", 80), "/upload", close=True, method="POST", length=7)
    assert head == b"POST /upload HTTP/1.1\r\nHost: 10.0.0.1:80\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"
