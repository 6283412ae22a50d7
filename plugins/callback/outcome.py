# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports how a rollout ended to cron, systemd and scripts: by the exit code, and in a file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: outcome
type: notification
version_added: 0.1.0
author: The steady.rollout maintainers (@steady-rollout)
short_description: Exit code and result file of a rollout, for cron and systemd
description:
  - Ends ansible-playbook with an exit code that says why a rollout was not done. Without this callback it is 2, as for
    every failed task.
  - V(0), the rollout is done, or there was nothing to do, or O(steady.rollout.maintenance_window#module:state=skip) found no
    window that is open.
  - V(20), nothing was started outside of the maintenance window, or in a freeze.
  - V(21), somebody has blocked the service.
  - V(22), approvals of this plan are missing.
  - V(23), another rollout of the service is running.
  - V(24), the maintenance window was too short; the same command goes on in the next one.
  - V(25), the rollout was rolled back.
  - Everything else keeps Ansible's own code, V(2) for a rollout that failed, V(4) for hosts that cannot be reached, V(1) and
    V(5) for wrong options or playbooks, V(250) for an unexpected error.
  - Ansible does not give the end of a run to callbacks that are enabled after this one, so name it last.
options:
  exit_codes:
    description: Whether the exit code is changed.
    type: bool
    default: true
    env:
      - name: STEADY_ROLLOUT_EXIT_CODES
    ini:
      - section: callback_outcome
        key: exit_codes
  result_file:
    description:
      - A file on the controller that gets the result as JSON, C(exit_code), C(outcome), C(reason), C(message) and
        C(ended) (seconds since 1970). It is replaced as a whole.
    type: path
    env:
      - name: STEADY_ROLLOUT_RESULT_FILE
    ini:
      - section: callback_outcome
        key: result_file
requirements:
  - Name it in C(callbacks_enabled) of ansible.cfg, or in the environment variable C(ANSIBLE_CALLBACKS_ENABLED).
"""

import json
import os
import tempfile
import time
import typing as t

from ansible.plugins.callback import CallbackBase

from ansible_collections.steady.rollout.plugins.plugin_utils.failures import failure_text
from ansible_collections.steady.rollout.plugins.plugin_utils.outcomes import Outcome, code_of

ASKS = (
    "steady.rollout.rollout",
    "steady.rollout.rollout_flag_release",
    "steady.rollout.rollout_tiers",
    "steady.rollout.maintenance_window",
    "steady.rollout.rollout_approval",
)
"""The modules whose failure says why nothing was started."""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "steady.rollout.outcome"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._found = Outcome()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        answer = _answer(result)
        if _task(result).action not in ASKS:
            return
        if answer.get("outcome") == "refused" and self._found.outcome:
            # The release of the lease after a refusal; that has said why.
            return
        if answer.get("in_release"):
            # One service of several; the release itself says how it ended.
            return
        if "succeeded" in answer:
            self._found = Outcome(
                str(answer.get("outcome")), str(answer.get("reason_kind") or ""), str(answer.get("message"))
            )
        elif answer.get("skip"):
            self._found = Outcome("skipped", "outside_window", str(answer.get("msg")))

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        answer = _answer(result)
        if not ignore_errors and _task(result).action in ASKS and answer.get("kind") and not self._found.outcome:
            self._found = Outcome("refused", str(answer["kind"]), failure_text(answer))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        has_failed = any(stats.failures.values()) or any(stats.dark.values())
        code = code_of(self._found, has_failed)
        if self.get_option("result_file"):
            write(str(self.get_option("result_file")), self._found, code, has_failed)
        if code and self.get_option("exit_codes"):
            # The only way to an exit code of one's own: Ansible has nothing left to do but to clean up.
            raise SystemExit(code)


def write(path: str, found: Outcome, code: int | None, has_failed: bool) -> None:
    """As a whole or not at all, so that nobody reads a half."""
    content = {**found.shown(), "exit_code": code if code is not None else 2 if has_failed else 0, "ended": time.time()}
    folder = os.path.dirname(os.path.abspath(path))
    try:
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as stream:
            json.dump(content, stream)
        os.replace(stream.name, path)
    except OSError as error:
        raise SystemExit(f"The result of the rollout cannot be written to {path}: {error}") from None


def _task(result: t.Any) -> t.Any:
    return result.task if hasattr(result, "task") else result._task


def _answer(result: t.Any) -> dict[str, t.Any]:
    return dict(result.result if hasattr(result, "result") else result._result)
