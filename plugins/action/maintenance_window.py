# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks whether a window is open, on the controller, and waits for it where that is set."""

from __future__ import annotations

import datetime as dt
import os
import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated
from ansible_collections.steady.rollout.plugins.plugin_utils.windows import asking, messages, moments

SHOW_EVERY = 300.0
"""Seconds between two lines while it waits."""
LOOK_EVERY = 5.0
"""Seconds; a clock that is set, or a run that has ended, is noticed so soon."""

Result = t.Dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        result: Result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        try:
            found = evaluated(self, task_vars.get("__rollout_search_paths"), task_vars)
            search = [str(path) for path in found or [task_vars.get("playbook_dir") or os.getcwd(), os.getcwd()]]
            options = validated("maintenance_window", source_of("maintenance_window").SPEC, self._task.args)
            return {**result, **self._asked(options, search)}
        except RolloutError as error:
            return {**result, **error.result, "failed": True, "msg": error.message}

    def _asked(self, options: Result, search: list[str]) -> Result:
        began = _now(options)
        question = asking.Question(options, lambda path: read(located(path, search)))
        verdict = question.asked(began)
        while verdict.act == asking.WAIT and verdict.wait_until and not self._task.check_mode:
            self._wait(messages.sentence(verdict.best), verdict.wait_until)
            now = dt.datetime.now(moments.UTC)
            verdict = question.asked(now, now - began)
        found = verdict.result()
        waited = round((dt.datetime.now(moments.UTC) - began).total_seconds(), 1) if not options.get("at") else 0.0
        answer = {
            **found,
            "changed": False,
            "waited": waited,
            "msg": found["text"] + ("; nothing is done" if found["skip"] else ""),
        }
        if verdict.act in (asking.GO, asking.SKIP) or self._task.check_mode:
            return answer
        raise RolloutError(f"Nothing was started: {found['text']}.", **{**answer, "kind": asking.OUTSIDE})

    def _wait(self, why: str, until: dt.datetime) -> None:
        shown_at = -SHOW_EVERY
        while (left := (until - dt.datetime.now(moments.UTC)).total_seconds()) > 0:
            controller.leave_if_ended()
            if time.monotonic() - shown_at >= SHOW_EVERY:
                shown_at = time.monotonic()
                Display().display(f"{why}; waiting")
            time.sleep(min(left, LOOK_EVERY))


def _now(options: Result) -> dt.datetime:
    if not options.get("at"):
        return dt.datetime.now(moments.UTC)
    at, dummy = moments.written("at", options["at"])
    return moments.instant(at, moments.zone("zone", options.get("zone") or "UTC"))


def read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read(5_000_001)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"freezes: {path} cannot be read ({error}). A calendar that cannot be read is not taken for one without freezes."
        ) from None
