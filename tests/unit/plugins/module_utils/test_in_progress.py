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
