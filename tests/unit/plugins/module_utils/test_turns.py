# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that wait for the same lock."""

from __future__ import annotations

import fcntl
import os
import pathlib
import threading
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils import files, turns

LONG = 30.0


def waiting(name: str) -> int:
    queue = turns._queues.get(name)
    return len(queue.waiting) if queue else 0


def begun(name: str, work: t.Callable[[], None]) -> threading.Thread:
    """A thread that waits in the queue before this returns."""
    before = waiting(name)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while waiting(name) == before and thread.is_alive():
        pass
    return thread


def test_the_first_to_come_is_the_first_to_be_served() -> None:
    served: list[int] = []

    def serve(number: int) -> None:
        with turns.turn("pool", LONG) as is_ours:
            assert is_ours
            served.append(number)

    with turns.turn("pool", LONG):
        threads = [begun("pool", lambda number=number: serve(number)) for number in range(20)]  # type: ignore[misc]
        assert served == []
    for thread in threads:
        thread.join(LONG)
    assert served == list(range(20))
    assert waiting("pool") == 0


def test_others_have_their_turns_after_one_that_failed() -> None:
    with pytest.raises(KeyError), turns.turn("pool", LONG):
        raise KeyError
    with turns.turn("pool", 0) as is_ours:
        assert is_ours


def test_a_turn_that_does_not_end_is_not_waited_for_for_ever() -> None:
    with turns.turn("pool", LONG):
        with turns.turn("pool", 0) as is_ours:
            assert not is_ours
        with turns.turn("another", 0) as is_ours:
            assert is_ours
    assert waiting("pool") == 0


def test_who_gives_up_is_no_reason_for_others_to_wait_longer() -> None:
    with turns.turn("pool", LONG):
        queue = turns._queues["pool"]
        with turns.turn("pool", 0) as is_ours:
            assert not is_ours
        assert queue.ended == 0
    assert queue.ended == 1


def test_the_threads_of_a_process_do_not_count_in_one_that_it_forks() -> None:
    with turns.turn("pool", LONG):
        child = os.fork()
        if not child:
            with turns.turn("pool", 0) as is_ours:
                os._exit(0 if is_ours else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_hundred_threads_that_waited_looked_for_the_holder_of_the_lock_fifty_times_a_second_each(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They took the processor from the thread that held it, until it was held for more than a minute."""
    place = str(tmp_path / "shop.claim.lock")
    tried: list[str] = []
    monkeypatch.setattr(fcntl, "flock", lambda handle, how: tried.append(threading.current_thread().name))

    def change() -> None:
        with files.locked(place, "service 'shop'", LONG):
            pass

    with files.locked(place, "service 'shop'", LONG):
        threads = [begun(place, change) for _dummy in range(100)]
        assert tried == ["MainThread"]
    for thread in threads:
        thread.join(LONG)
    assert tried == ["MainThread", *(thread.name for thread in threads)]
