# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session that is open: several calls at the same time, and a sign of life in between."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import threading
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import protocol
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.pipes import Closed

PING_EVERY = 10.0
"""Seconds without a word from the other end."""
UNANSWERED = 3
"""Pings, after which the other end counts as gone. Not seconds: this process may have been suspended."""


class SessionEnded(Exception):
    """The other end is gone; whether it did what it was asked for is not known. Says why."""


class NoAnswer(SessionEnded):
    """The other end lives and takes longer than it may."""


Reply = t.Callable[[t.Optional[t.Dict[str, t.Any]]], None]
"""Gets the answer to a request; None where the session ends first."""


class Channel(t.Protocol):
    """The way to the other end, as ``pipes.Pipes``."""

    rest: bytes

    def lines(self, seconds: float) -> list[bytes]: ...
    def write(self, data: bytes, wait: bool = True) -> bool: ...
    def hang_up(self) -> bool: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


class Session:
    """Answers are read by a thread of its own and handed to whoever waits for them.

    *place* is the open file of the place that is held among the sessions of one connection.
    """

    def __init__(self, channel: Channel, place: int | None = None) -> None:
        self._channel = channel
        self._place = place
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Reply] = {}
        self._turn = threading.Lock()
        self._ended = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def ended(self) -> str:
        """Why the session is over; empty as long as it is not."""
        return self._ended

    def call(self, request: t.Mapping[str, t.Any], timeout: float | None) -> dict[str, t.Any]:
        """The other end's answer; raises SessionEnded where there is none, after *timeout* seconds at the latest."""
        answer: queue.SimpleQueue[dict[str, t.Any] | None] = queue.SimpleQueue()
        number = self.number()
        try:
            self.begin(number, request, answer.put)
            found = answer.get(timeout=timeout)
        except queue.Empty:
            raise NoAnswer(f"no answer within {timeout:g} s") from None
        finally:
            self.forget(number)
        if found is None:
            raise SessionEnded(self._ended)
        return found

    def number(self) -> int:
        """A new one, for a request or for ``await_end``."""
        return next(self._numbers)

    def begin(self, number: int, request: t.Mapping[str, t.Any], reply: Reply) -> None:
        """Sends a request; *reply* gets its answer in the reader's thread and must not block. May raise SessionEnded."""
        self.await_end(number, reply)
        try:
            self._channel.write(protocol.request_line(number, request))
        except Closed as closed:
            self.forget(number)
            raise SessionEnded(_why(closed)) from None

    def await_end(self, number: int, reply: Reply) -> None:
        """*reply* gets None when the session ends; raises SessionEnded where it has."""
        with self._turn:
            if self._ended:
                raise SessionEnded(self._ended)
            self._waiting[number] = reply

    def forget(self, number: int) -> None:
        with self._turn:
            self._waiting.pop(number, None)

    def cut(self, number: int) -> None:
        """Nobody waits for that request any more: what waits there is cut, what is being changed is finished."""
        self.forget(number)
        with contextlib.suppress(Closed):
            self._channel.write(protocol.cut_line(number))

    def close(self) -> None:
        """Ends the other end: what waits there is cut, what is being changed is finished."""
        self._end("it was closed")
        if self._channel.hang_up():
            self._reader.join()
            self._channel.close()
        if self._place is not None:
            os.close(self._place)

    def _read(self) -> None:
        try:
            self._read_until_ended()
        except Closed as closed:
            self._end(_why(closed))
        except (protocol.BadAnswer, OSError, ValueError, KeyError) as error:
            self._end(str(error))

    def _read_until_ended(self) -> None:
        unanswered = 0
        while not self._ended:
            before = self._channel.rest
            lines = self._channel.lines(PING_EVERY)
            for line in lines:
                self._hand_over(protocol.parsed(line))
            if lines or self._channel.rest != before:
                unanswered = 0
            elif unanswered == UNANSWERED:
                self._channel.kill()
                self._end(f"no data received for {PING_EVERY * UNANSWERED:g} s")
            else:
                self._channel.write(protocol.ping_line(unanswered), wait=False)
                unanswered += 1

    def _hand_over(self, answer: dict[str, t.Any]) -> None:
        if "ended" in answer:
            self._end(answer["ended"])
        with self._turn:
            reply = self._waiting.pop(answer.get("id", 0), None)
        if reply:
            reply(answer)

    def _end(self, why: str) -> None:
        with self._turn:
            self._ended = self._ended or why
            waiting, self._waiting = self._waiting, {}
        for reply in waiting.values():
            reply(None)


def _why(closed: Closed) -> str:
    return closed.said or f"the session ended with exit code {closed.code}"
