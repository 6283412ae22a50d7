# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what went wrong out of a task's result: for the ledger's record and for the operator's eye."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import origins

Result = t.Mapping[str, t.Any]

LOST = re.compile(r"(?:Task failed: )?Data could not be sent to remote host \"(?P<host>[^\"]*)\"\. .* over ssh:.*")
OF_A_COMMAND = "non-zero return code"
"""All that Ansible itself says of a command that failed."""
TIMED_OUT = re.compile(r"in the expected time frame|Timed out after [0-9.]+ second")


def failure(task: Result, result: Result) -> dict[str, t.Any]:
    """A task of the user's own steps that failed, as the ledger records it: kind, text, and whether its time was over.

    Of a task with no_log nothing but its name is recorded: the text of its failure may hold the secret.
    """
    worst = _first_bad(result)
    text = failure_text(result)
    timed_out = "timedout" in worst or TIMED_OUT.search(text) is not None
    if task.get("no_log") or worst.get("_ansible_no_log"):
        text = "failed; its output is hidden by no_log"
    return {"kind": "step", "error": f"{described(task)}{text}", "timed_out": timed_out}


def described(task: Result) -> str:
    """The task by its name and by where it stands, such as "'Migrate' (/srv/project/update.yml:12): "."""
    name = " ".join(str(task.get("name") or task.get("action") or "").split())
    places = [origins.place_of(text) for text in _texts(task)]
    place = next((f" ({one})" for one in places if one), "")
    return f"'{name}'{place}: " if name else ""


def _texts(task: Result) -> t.Iterator[t.Any]:
    """What the user has written in the task, which Ansible remembers the place of; with its own name first."""
    yield task.get("name")
    args = task.get("args")
    for name, value in (args if isinstance(args, t.Mapping) else {}).items():
        yield from (name, value)
    yield from (task.get("action"), task.get("when"), task.get("loop"))


def failure_text(result: Result) -> str:
    """The one sentence that says why a task failed, also out of a loop's results."""
    worst = _first_bad(result)
    for name in ("msg", "stderr", "stdout", "reason"):
        text = " ".join(str(worst.get(name) or "").split())
        lost = LOST.fullmatch(text)
        if text == OF_A_COMMAND:
            return text + _last_line(worst)
        if text:
            return unreachable(lost["host"], text) if lost else text
    return "The task failed without a message."


def _last_line(command: Result) -> str:
    """What a command that failed said last."""
    lines = [line.strip() for name in ("stdout", "stderr") for line in str(command.get(name) or "").splitlines()]
    said = [line for line in lines if line]
    return f": {said[-1][:300]}" if said else ""


def unreachable(host: str, text: str) -> str:
    """Ansible's words for a host that does not answer, without its guesses at what to do."""
    why = " ".join(text.split()).rpartition("ssh:")[2].strip(" .")
    return f"{host} cannot be reached over ssh" + (f" ({why})" if why else "") + "."


def name_of(balancer: t.Any) -> str:
    return str(balancer.get("host") or balancer.get("socket") or balancer.get("type"))


def is_bad(result: Result) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))


def _first_bad(result: Result) -> Result:
    return next((part for part in result.get("results") or [] if is_bad(part)), result)
