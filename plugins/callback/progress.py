# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminal output of a rollout: the plan, a line a step of each host, a table at the end, the outcome last."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
version_added: 0.1.0
author: The steady.rollout maintainers (@steady-rollout)
short_description: Shows the progress of a rollout
description:
  - Prints the plan, a short line for each step of each host, a table at the end, and as the very last line what
    happened and what to do next.
  - Every other task stays silent unless it fails. With C(-v) and more it prints all that P(ansible.builtin.default#callback) does.
  - A rollout that is interrupted, by Ctrl-C or SIGTERM, ends with the hosts that are drained or half-updated and with what
    a rerun of the same command does.
  - Playbooks of yours that are not a rollout are printed as P(ansible.builtin.default#callback) prints them.
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

from ansible_collections.steady.rollout.plugins.plugin_utils import bytecode
from ansible_collections.steady.rollout.plugins.plugin_utils.failures import failure_text
from ansible_collections.steady.rollout.plugins.plugin_utils.main_loop import MainLoop
from ansible_collections.steady.rollout.plugins.plugin_utils.watch import at_exit, interruption

OURS = "steady.rollout."
OPENS = (OURS + "rollout", OURS + "rollout_flag_release")
REPORTS = (
    *OPENS,
    OURS + "rollout_tiers",
    OURS + "rollout_info",
    OURS + "gate_info",
    OURS + "rollout_approval",
    OURS + "preflight_report",
)
IN_A_LINE = (OURS + "rollout_control", OURS + "maintenance_window", OURS + "lb_pool")
"""Their message is all that there is to say."""


class CallbackModule(DefaultCallback):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "steady.rollout.progress"

    def __init__(self) -> None:
        super().__init__()
        bytecode.install()
        self._is_rollout = False
        self._ending = ""
        self._succeeded = False
        self._was_opened = False
        self._is_over = False
        self._main_loop = MainLoop()

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._is_rollout = any(_is_ours(play) for play in playbook.get_plays())
        if self._is_rollout:
            at_exit.call(self._say_what_was_interrupted)
        if self._is_verbose():
            super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._main_loop.play_started(play)
        if self._is_verbose():
            super().v2_playbook_on_play_start(play)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._main_loop.task_started(host.get_name(), task.action)
        if self._is_verbose():
            super().v2_runner_on_start(host, task)

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._main_loop.about_to_start(task.action)
        if self._is_verbose():
            super().v2_playbook_on_task_start(task, is_conditional)
        elif _announced(task):
            self._show(_announced(task))

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._main_loop.task_ended(_host(result))
        outcome = _outcome(result)
        if _task(result).action in OPENS:
            self._was_opened = self._was_opened or bool(outcome.get("run"))
            self._main_loop.window = outcome.get("max_unavailable", self._main_loop.window)
        if "succeeded" in outcome and not outcome.get("in_release"):
            self._ending, self._succeeded = str(outcome.get("message", "")), bool(outcome["succeeded"])
        if self._is_verbose():
            super().v2_runner_on_ok(result)
        elif _is_silent(_task(result)):
            return
        elif _task(result).action in REPORTS:
            for line in outcome.get("text") or []:
                if line != self._ending:
                    self._display.display(str(line))
        elif _task(result).action in IN_A_LINE:
            self._display.display(str(outcome.get("msg")))

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._main_loop.task_ended(_host(result))
        text = "the output is hidden by no_log" if _is_hidden(result) else failure_text(_outcome(result))
        self._succeeded = self._succeeded and ignore_errors
        if not ignore_errors and (not self._ending or _concludes(_task(result))):
            self._ending = text
        if self._is_verbose():
            super().v2_runner_on_failed(result, ignore_errors)
        elif not ignore_errors and text != self._ending:
            self._show(f"{_host(result)}  {_task(result).get_name()}: {text}", C.COLOR_ERROR)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._main_loop.task_ended(_host(result))
        if self._is_verbose():
            super().v2_runner_on_unreachable(result)
        else:
            self._show(f"{_host(result)}  unreachable: {failure_text(_outcome(result))}", C.COLOR_UNREACHABLE)

    def v2_on_file_diff(self, result: t.Any) -> None:
        """What tasks change in files, under --diff. What the ledger would record is in the plan already."""
        if self._is_verbose():
            super().v2_on_file_diff(result)
        elif not str(_task(result).action).startswith(OURS):
            outcome = _outcome(result)
            for one in outcome.get("results") or [outcome]:
                if one.get("changed") and one.get("diff"):
                    self._display.display(f"{_host(result)}  {_task(result).get_name()}")
                    self._display.display(self._get_diff(one["diff"]))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._is_over = True
        if self._is_verbose():
            super().v2_playbook_on_stats(stats)
        if self._ending and self._is_rollout:
            self._display.display(self._ending, color=C.COLOR_OK if self._succeeded else C.COLOR_ERROR)

    def _say_what_was_interrupted(self) -> None:
        """Ansible itself says only that the user interrupted it."""
        if self._was_opened and not self._is_over:
            self._display.display("The rollout was interrupted.", color=C.COLOR_ERROR)
            for line in interruption.newest_lines():
                self._display.display(line, color=C.COLOR_ERROR)

    def _show(self, line: str, color: str | None = None) -> None:
        self._display.display(f"{time.strftime('%H:%M:%S')}  {line}", color=color)

    def _is_verbose(self) -> bool:
        return bool(self._display.verbosity) or not self._is_rollout


def _left_out(name: str) -> t.Callable[..., None]:
    """An event that is left out of the progress of a rollout, and that the default output shows with -v."""

    def handler(self: CallbackModule, *args: t.Any, **kwargs: t.Any) -> None:
        if self._is_verbose():
            getattr(DefaultCallback, name)(self, *args, **kwargs)

    return handler


for EVENT in (
    "v2_playbook_on_cleanup_task_start",
    "v2_playbook_on_handler_task_start",
    "v2_playbook_on_include",
    "v2_playbook_on_no_hosts_matched",
    "v2_playbook_on_no_hosts_remaining",
    "v2_runner_on_skipped",
    "v2_runner_item_on_ok",
    "v2_runner_item_on_failed",
    "v2_runner_item_on_skipped",
    "v2_runner_retry",
):
    setattr(CallbackModule, EVENT, _left_out(EVENT))


def _is_ours(play: t.Any) -> bool:
    """Whether a play runs a role or a module of the collection."""
    return any(_uses_ours(task) for task in play.get_tasks())


def _uses_ours(task: t.Any) -> bool:
    if isinstance(task, list):
        return any(_uses_ours(one) for one in task)
    role = getattr(task, "_role", None)
    by_role = role is not None and str(role.get_name()).startswith(OURS)
    return by_role or str(getattr(task, "action", "")).startswith(OURS)


def _is_hidden(result: t.Any) -> bool:
    return bool(_outcome(result).get("_ansible_no_log"))


def _is_silent(task: t.Any) -> bool:
    """Whether a task of the roles only reads something for the tasks after it."""
    return bool((getattr(task, "vars", None) or {}).get("__rollout_silent"))


def _announced(task: t.Any) -> str:
    """What a task of the roles that may take long is at, in words."""
    return str((getattr(task, "vars", None) or {}).get("__rollout_says") or "")


def _concludes(task: t.Any) -> bool:
    return "Conclude | " in str(task.get_name())


def _task(result: t.Any) -> t.Any:
    return result.task if hasattr(result, "task") else result._task


def _host(result: t.Any) -> str:
    return str((result.host if hasattr(result, "host") else result._host).get_name())


def _outcome(result: t.Any) -> dict[str, t.Any]:
    return dict(result.result if hasattr(result, "result") else result._result)
