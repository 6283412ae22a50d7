# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads of a worker that make Ansible parse Python do so one after the other."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import modules, target
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import at_once

THREADS = 4


class Meeting:
    """Counts how many threads are inside at the same time."""

    def __init__(self) -> None:
        self.most = self._inside = 0
        self._turn = threading.Lock()

    def __call__(self, *_args: t.Any, **_options: t.Any) -> t.Any:
        with self._turn:
            self._inside += 1
            self.most = max(self.most, self._inside)
        time.sleep(0.02)
        with self._turn:
            self._inside -= 1


def test_begin_failed_with_a_mismatch_of_recursion_depth_where_threads_parsed_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Options are converted, a plugin's documentation is read and a module is packed: each may parse Python."""
    meeting = Meeting()
    monkeypatch.setattr(target, "_target", meeting)
    monkeypatch.setattr(ActionBase, "_configure_module", meeting)

    class Validator:
        error_messages: t.Sequence[str] = ()
        validated_parameters: t.Mapping[str, t.Any] = {}
        _no_log_values: t.Collection[str] = ()

        def __init__(self, *_args: t.Any, **_options: t.Any) -> None:
            pass

        def validate(self, _arguments: t.Any) -> t.Any:
            meeting()
            return self

    monkeypatch.setattr(modules, "ArgumentSpecValidator", Validator)
    packs = target.Handler.__new__(target.Handler)
    works: list[t.Callable[[], t.Any]] = [
        lambda: modules.validated("m", {"argument_spec": {}}, {}),
        lambda: target.target(t.cast("t.Any", None), {}, "app1", None),
        lambda: packs._configure_module("ping", {}, {}),
    ]

    at_once(works * THREADS)

    assert meeting.most == 1
