# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what went wrong out of a task's result: for the ledger's record and for the operator's eye."""

from __future__ import annotations

import re
import typing as t

Result = t.Mapping[str, t.Any]

LOST = re.compile(r"(?:Task failed: )?Data could not be sent to remote host \"(?P<host>[^\"]*)\"\. .* over ssh:.*")
OF_A_COMMAND = "non-zero return code"
"""All that Ansible itself says of a command that failed."""
KINDS = (
    "balancer",
    "coordinator",
    "drain",
    "drained_externally",
    "health",
    "release",
    "restore",
    "smoke",
    "start",
    "unreachable",
)


def failure(task: Result, result: Result) -> dict[str, str]:
    """Kind and text of a failed task, as the ledger records them.

    The roles' own tasks carry their kind before a bar in their names ("Drain | Take the member out");
    any other task is a step of the user's.
    """
    kind = kind_of_task(str(task.get("name") or ""))
    worst = _first_bad(result)
    if worst.get("drained_externally"):
        # The module itself did not fail where it left a member alone, so it has no words for it.
        nodes = ", ".join(foreign_on([result]))
        return {"kind": "drained_externally", "error": f"taken out of service on {nodes} by somebody else"}
    return {"kind": worst.get("kind") or (kind if kind in KINDS else "step"), "error": failure_text(result)}


def kind_of_task(name: str) -> str:
    return name.rpartition(" : ")[2].partition(" | ")[0].lower()


def failure_text(result: Result) -> str:
    """The one sentence that says why a task failed, also out of a loop's results."""
    worst = _first_bad(result)
    for name in ("msg", "stderr", "stdout", "reason"):
        text = " ".join(str(worst.get(name) or "").split())
        lost = LOST.fullmatch(text)
        if text == OF_A_COMMAND:
            return text + _last_words(worst)
        if text:
            return unreachable(lost["host"], text) if lost else text
    return "The task failed without saying why."


def _last_words(command: Result) -> str:
    """What a command that failed said last."""
    lines = [line.strip() for name in ("stdout", "stderr") for line in str(command.get(name) or "").splitlines()]
    said = [line for line in lines if line]
    return f": {said[-1][:300]}" if said else ""


def unreachable(host: str, text: str) -> str:
    """Ansible's words for a host that does not answer, without its guesses at what to do."""
    why = " ".join(text.split()).rpartition("ssh:")[2].strip(" .")
    return f"{host} cannot be reached over ssh" + (f" ({why})" if why else "") + "."


def silent_balancers(loop: Result, balancers: t.Sequence[Result]) -> list[str]:
    """A sentence for every balancer whose read did not succeed."""
    return [
        f"Balancer {name_of(balancer)} cannot be used: {failure_text(result)}"
        for balancer, result in zip(balancers, loop.get("results", []))
        if is_bad(result)
    ]


def balancers_seen(loop: Result, balancers: t.Sequence[Result]) -> list[dict[str, t.Any]]:
    """What each balancer said of its members, and which were silent."""
    return [
        {"host": name_of(balancer), "members": {}, "unreachable": failure_text(result)}
        if is_bad(result)
        else {"host": name_of(balancer), "members": result["members"]}
        for balancer, result in zip(balancers, loop.get("results", []))
    ]


def members_out(loop: Result, balancers: t.Sequence[Result]) -> str:
    """A sentence that names who is out of rotation where; for when the ledger cannot be asked."""
    out = [
        f"{member} ({state.get('admin')}) on {seen['host']}"
        for seen in balancers_seen(loop, balancers)
        for member, state in seen["members"].items()
        if not state.get("in_rotation")
    ]
    return f"Out of rotation now: {', '.join(out)}." if out else ""


def foreign_on(loops: t.Sequence[Result]) -> list[str]:
    """The balancers on which somebody else had taken the member out."""
    return sorted(
        {
            name_of(result["item"])
            for loop in loops
            for result in loop.get("results", [])
            if result.get("drained_externally")
        }
    )


def no_look(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Any]) -> str:
    """Why not one of the hosts could be looked at, as its first one says; empty where one could.

    Then it is the question that is wrong, not the hosts.
    """
    looks = [hostvars[name].get("__rollout_look") or {} for name in hosts]
    return failure_text(looks[0]) if looks and all(is_bad(look) for look in looks) else ""


def changed_on(loops: t.Sequence[Result]) -> list[t.Any]:
    """The balancers on which these loops changed something."""
    return [result["item"] for loop in loops for result in loop.get("results", []) if result.get("changed")]


def longest_wait(loop: Result) -> float:
    """Seconds that the slowest balancer needed."""
    return max((float(result.get("waited") or 0) for result in loop.get("results", [])), default=0.0)


def name_of(balancer: t.Any) -> str:
    return str(balancer.get("host") or balancer.get("socket") or balancer.get("type"))


def is_bad(result: Result) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))


def _first_bad(result: Result) -> Result:
    return next((part for part in result.get("results") or [] if is_bad(part)), result)
