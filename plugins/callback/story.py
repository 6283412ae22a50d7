# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminal output of a rollout: a line a host as it goes, a table at the end, the outcome last."""

from __future__ import annotations

DOCUMENTATION = r"""
name: story
type: stdout
version_added: 0.1.0
author: The steady.rollout maintainers (@steady-rollout)
short_description: Tells a rollout as a story
description:
  - Prints the plan, a short line for each host as it goes, a table at the end, and as the very last line what
    happened and what to do next.
  - Every other task stays silent unless it fails. With C(-v) and more it prints all that P(ansible.builtin.default#callback) does.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set it as C(stdout_callback) in the C([defaults]) of ansible.cfg.
"""

import time
import typing as t

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as DefaultCallback

from ansible_collections.steady.rollout.plugins.plugin_utils.failures import KINDS, failure_text, kind_of_task

OURS = "steady.rollout."
REPORTS = (OURS + "rollout", OURS + "rollout_info")
TELLS = (OURS + "rollout_host", OURS + "rollout_gate")
SHIFTS = OURS + "rollout_shift"
ROUTES = OURS + "lb_route"
BAD_NEWS = ("stopped", "gate at ")
PHASES_TOLD = {
    "proven": C.COLOR_CHANGED,
    "reverted": C.COLOR_CHANGED,
    "failed": C.COLOR_ERROR,
    "stuck": C.COLOR_ERROR,
    "excluded": C.COLOR_WARN,
}


class CallbackModule(DefaultCallback):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "steady.rollout.story"

    def __init__(self) -> None:
        super().__init__()
        self._ending = ""
        self._succeeded = False

    def v2_runner_on_ok(self, result: t.Any) -> None:
        outcome = _outcome(result)
        if "succeeded" in outcome:
            self._ending, self._succeeded = str(outcome.get("message", "")), bool(outcome["succeeded"])
        if self._is_chatty():
            super().v2_runner_on_ok(result)
        elif _task(result).action in REPORTS:
            self._tell_lines(line for line in outcome.get("text") or [] if line != self._ending)
        elif _task(result).action in TELLS:
            self._tell_host(outcome)
        elif _task(result).action == SHIFTS:
            self._tell_shift(outcome)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        text = failure_text(_outcome(result))
        self._succeeded = self._succeeded and ignore_errors
        if ignore_errors and _task(result).action == ROUTES and not self._is_chatty():
            self._tell(f"testers' requests are not routed as wanted: {text}", C.COLOR_WARN)
        if not ignore_errors and (not self._ending or _concludes(_task(result))):
            self._ending = text
        if self._is_chatty():
            super().v2_runner_on_failed(result, ignore_errors)
        elif not ignore_errors and text != self._ending and not _is_reported(_task(result)):
            self._tell(f"{_host(result)}  {_task(result).get_name()}: {text}", C.COLOR_ERROR)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        if self._is_chatty():
            super().v2_runner_on_unreachable(result)
        else:
            self._tell(f"{_host(result)}  unreachable: {failure_text(_outcome(result))}", C.COLOR_UNREACHABLE)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        if self._is_chatty():
            super().v2_playbook_on_stats(stats)
        if self._ending:
            self._display.display(self._ending, color=C.COLOR_OK if self._succeeded else C.COLOR_ERROR)

    def _tell_host(self, outcome: dict[str, t.Any]) -> None:
        """What the ledger was told of a host; those who only wait or stop are in the table at the end."""
        if outcome.get("verdict") == "go":
            self._tell(_start(outcome), C.COLOR_OK)
        elif "passed" in outcome:
            self._tell(str(outcome["msg"]), C.COLOR_OK if outcome["passed"] else C.COLOR_ERROR)
        elif outcome.get("go_back"):
            self._tell(str(outcome["msg"]), C.COLOR_ERROR)
        elif outcome.get("phase") in PHASES_TOLD and "verdict" not in outcome:
            self._tell(str(outcome["msg"]), PHASES_TOLD[outcome["phase"]])

    def _tell_shift(self, outcome: dict[str, t.Any]) -> None:
        """One line for every move of the traffic and every verdict."""
        for line in outcome.get("messages") or []:
            is_bad = line.startswith(BAD_NEWS) and ": pass" not in line and ": promoted" not in line
            self._tell(str(line), C.COLOR_ERROR if is_bad else C.COLOR_OK)

    def _tell_lines(self, lines: t.Iterable[str]) -> None:
        for line in lines:
            self._display.display(str(line))

    def _tell(self, line: str, color: str) -> None:
        self._display.display(f"{time.strftime('%H:%M:%S')}  {line}", color=color)

    def _is_chatty(self) -> bool:
        return bool(self._display.verbosity)


def _quiet(name: str) -> t.Callable[..., None]:
    """An event that the story leaves out and the default output tells with -v."""

    def handler(self: CallbackModule, *args: t.Any, **kwargs: t.Any) -> None:
        if self._is_chatty():
            getattr(DefaultCallback, name)(self, *args, **kwargs)

    return handler


for EVENT in (
    "v2_playbook_on_start",
    "v2_playbook_on_play_start",
    "v2_playbook_on_task_start",
    "v2_playbook_on_cleanup_task_start",
    "v2_playbook_on_handler_task_start",
    "v2_playbook_on_include",
    "v2_playbook_on_no_hosts_matched",
    "v2_playbook_on_no_hosts_remaining",
    "v2_runner_on_start",
    "v2_runner_on_skipped",
    "v2_runner_item_on_ok",
    "v2_runner_item_on_failed",
    "v2_runner_item_on_skipped",
    "v2_runner_retry",
    "v2_on_file_diff",
):
    setattr(CallbackModule, EVENT, _quiet(EVENT))


def _concludes(task: t.Any) -> bool:
    return "Conclude | " in str(task.get_name())


def _start(outcome: t.Mapping[str, t.Any]) -> str:
    target = outcome["target"]["version"]
    if outcome.get("direction") == "back":
        return f"{outcome['host']} starts, back to {target}"
    previous = (outcome.get("previous") or {}).get("version") or "?"
    return f"{outcome['host']} starts, {previous} -> {target}"


def _is_reported(task: t.Any) -> bool:
    """Tasks of the roles' own that fail are reported to the ledger, and its answer is told."""
    return kind_of_task(str(task.get_name())) in KINDS


def _task(result: t.Any) -> t.Any:
    return result.task if hasattr(result, "task") else result._task


def _host(result: t.Any) -> str:
    return str((result.host if hasattr(result, "host") else result._host).get_name())


def _outcome(result: t.Any) -> dict[str, t.Any]:
    return dict(result.result if hasattr(result, "result") else result._result)
