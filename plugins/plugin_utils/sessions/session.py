# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session that is open: several calls at the same time, and a sign of life in between."""

from __future__ import annotations

import itertools
import os
import queue
import threading
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import protocol
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.opening import Opened
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.pipes import Closed, Pipes

PING_EVERY = 10.0
"""Seconds without a word from the other end."""
UNANSWERED = 3
"""Pings, after which the other end counts as gone. Not seconds: this process may have been suspended."""


class SessionEnded(Exception):
    """The other end is gone; whether it did what it was asked for is not known. Says why."""


class NoAnswer(SessionEnded):
    """The other end lives and takes longer than it may."""


class Session:
    """Answers are read by a thread of its own and handed to whoever waits for them."""

    def __init__(self, opened: Opened) -> None:
        self._pipes: Pipes = opened.pipes
        self._place = opened.place
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[dict[str, t.Any] | None]] = {}
        self._turn = threading.Lock()
        self._ended = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def ended(self) -> str:
        """Why the session is over; empty as long as it is not."""
        return self._ended

    def call(
        self, core: str, params: t.Any, paths: t.Any, check_mode: bool, diff: bool, timeout: float | None
    ) -> dict[str, t.Any]:
        """The other end's answer; raises SessionEnded where there is none, after *timeout* seconds at the latest."""
        answer: queue.SimpleQueue[dict[str, t.Any] | None] = queue.SimpleQueue()
        with self._turn:
            if self._ended:
                raise SessionEnded(self._ended)
            number = next(self._numbers)
            self._waiting[number] = answer
        try:
            self._pipes.write(protocol.request_line(number, core, params, paths, check_mode, diff))
            found = answer.get(timeout=timeout)
        except Closed as closed:
            raise SessionEnded(_why(closed)) from None
        except queue.Empty:
            raise NoAnswer(f"no answer within {timeout:g} s") from None
        finally:
            with self._turn:
                self._waiting.pop(number, None)
        if found is None:
            raise SessionEnded(self._ended)
        return found

    def close(self) -> None:
        """Ends the other end: what waits there is cut, what is being changed is finished."""
        self._end("it was closed")
        if self._pipes.hang_up():
            self._reader.join()
            self._pipes.close()
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
            before = self._pipes.rest
            lines = self._pipes.lines(PING_EVERY)
            for line in lines:
                self._hand_over(protocol.parsed(line))
            if lines or self._pipes.rest != before:
                unanswered = 0
            elif unanswered == UNANSWERED:
                self._pipes.process.kill()
                self._end(f"no sign of life for {PING_EVERY * UNANSWERED:g} s")
            else:
                self._pipes.write(protocol.ping_line(unanswered), wait=False)
                unanswered += 1

    def _hand_over(self, answer: dict[str, t.Any]) -> None:
        with self._turn:
            waiting = self._waiting.get(answer.get("id", 0))
        if waiting:
            waiting.put(answer)

    def _end(self, why: str) -> None:
        with self._turn:
            self._ended = self._ended or why
            for waiting in self._waiting.values():
                waiting.put(None)


def _why(closed: Closed) -> str:
    return closed.said or f"the session ended with exit code {closed.code}"
