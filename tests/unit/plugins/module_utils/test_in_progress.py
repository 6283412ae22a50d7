# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

import pytest

from ansible_collections.steady.rollout.plugins.module_utils import in_progress
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError


@pytest.fixture(autouse=True)
def _open_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_progress, "_state", {"changes": 0, "closed": 0})


def test_nothing_is_waited_for_where_nothing_is_in_progress() -> None:
    with in_progress.change():
        pass
    assert in_progress.closed(0)


def test_a_change_that_is_not_over_in_time_is_reported() -> None:
    with in_progress.change():
        assert not in_progress.closed(0)


def test_a_change_that_failed_is_over() -> None:
    with pytest.raises(KeyError), in_progress.change():
        raise KeyError
    assert in_progress.closed(0)


def test_the_end_waits_for_the_change_in_progress() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        with in_progress.change():
            begun.set()
            ended.wait(30)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    begun.wait(30)
    threading.Timer(0.05, ended.set).start()
    assert in_progress.closed(30)
    assert ended.is_set()


def test_a_session_whose_controller_was_gone_began_another_change() -> None:
    in_progress.closed(0)
    with pytest.raises(RolloutError) as caught, in_progress.change():
        pass
    assert caught.value.message == "The connection to the controller has ended; nothing more is changed."


def test_a_worker_that_was_gone_had_its_wait_go_on_in_a_session_that_others_use() -> None:
    gone = threading.Event()
    with in_progress.served(gone):
        in_progress.pause(0)
        gone.set()
        with pytest.raises(RolloutError) as caught:
            in_progress.pause(0)
        assert caught.value.message == "The connection to the controller has ended; nothing more is changed."
        with pytest.raises(RolloutError), in_progress.change():
            pass
    in_progress.pause(0)
    with in_progress.change():
        pass


def test_a_change_for_a_worker_that_goes_in_the_middle_of_it_is_finished() -> None:
    gone = threading.Event()
    with in_progress.served(gone), in_progress.change():
        gone.set()
        in_progress.pause(0)


def test_the_end_of_one_caller_is_none_for_another_thread() -> None:
    gone = threading.Event()
    gone.set()
    with in_progress.served(gone):
        other = threading.Thread(target=in_progress.pause, args=(0,))
        other.start()
        other.join(30)
    with in_progress.served(threading.Event()):
        in_progress.pause(0)
