# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which task files a host goes through, in order. The roles include just these: a task that is only skipped
costs a process of the controller for every host."""

from __future__ import annotations

import typing as t

TASKS_OF_A_HOOK = 5

Step = t.Dict[str, str]
Means = t.Mapping[str, t.Any]


def tasks_of_answer(admission: t.Mapping[str, t.Any]) -> str:
    """The task file that the ledger's answer, go or gate, asks for."""
    return "gate.yml" if admission["verdict"] == "gate" else f"{admission['direction']}.yml"


def way_home(
    verdict: t.Mapping[str, t.Any],
    admission: t.Mapping[str, t.Any],
    intent: t.Mapping[str, t.Any],
    foreign: bool = False,
) -> dict[str, t.Any]:
    """What becomes of a host that failed: the ledger's verdict or, where the coordinator is lost, what is safe.

    Without a coordinator a host on which nothing was changed returns as it was; one that may have been changed
    is left as it is, and named at the end.
    """
    if admission.get("verdict") != "go" or foreign:
        return {"go_back": False, "was_changed": False, "target": admission.get("target")}
    if "go_back" in verdict:
        return {"go_back": verdict["go_back"], "was_changed": verdict["was_changed"], "target": verdict["target"]}
    untouched = not intent or bool(intent.get("failed"))
    previous = admission.get("previous")
    return {"go_back": untouched and bool(previous), "was_changed": False, "target": previous or admission["target"]}


def way_forward(means: Means, admission: t.Mapping[str, t.Any]) -> list[Step]:
    """All that can fail without taking the host out of service first; then out, changed, proven, back in."""
    return _steps(
        _own("steps/quiesce.yml", when=admission.get("interrupted_run")),
        _own("steps/stage_release.yml" if means["artifact"] else "steps/reach.yml"),
        _hook(means, "before_drain"),
        _own("steps/drain.yml", when=means["balancers"]),
        _hook(means, "after_drain"),
        _own("steps/intent.yml"),
        *_change(means),
        *_return(means, smoke=means["smoke"]),
        _own("steps/proven.yml"),
    )


def way_back(means: Means, was_changed: bool, may_serve: bool = False) -> list[Step]:
    """Nothing is installed where nothing was changed; a host that may be back on some node already is drained again."""
    drain = _own("steps/drain.yml", when=was_changed and may_serve and means["balancers"])
    home = _own("steps/stage_home.yml", when=means["artifact"])
    change = [_own("steps/intent.yml"), home, *_change(means)] if was_changed else []
    return _steps(drain, *change, *_return(means), _own("steps/reverted.yml"))


def way_out(means: Means, admission: t.Mapping[str, t.Any]) -> list[Step]:
    """What a host that serves needs before it can go back."""
    return _steps(
        _own("steps/quiesce.yml", when=admission.get("interrupted_run")),
        _own("steps/reach.yml"),
        _own("steps/stage_home.yml", when=means["artifact"]),
        _hook(means, "before_drain"),
        _own("steps/drain.yml", when=means["balancers"]),
        _hook(means, "after_drain"),
    )


def way_of_recovery(means: Means, admission: t.Mapping[str, t.Any]) -> list[Step]:
    """Nothing is installed: the host only has to be healthy to return, and left alone by the run that was killed."""
    quiet = _own("steps/quiesce.yml", when=admission.get("interrupted_run"))
    return _steps(quiet, *_return(means), _own("steps/proven.yml"))


def longest_way(means: Means, times: t.Mapping[str, float]) -> float:
    """Seconds that a host may take from its place to its report, every step at its limit.

    A hook may have many tasks, each with the limit of a step; it is counted as TASKS_OF_A_HOOK of them.
    """
    steps = way_forward(means, {"interrupted_run": True})
    hooks = sum(1 for step in steps if step["hook"])
    own = len(steps) - hooks
    # A drain may have to wait as long again until the guard allows it.
    waits = max(int(means["balancers"]), 1) * (2 * times["drain"] + times["restore"]) + times["healthy"]
    return (own + hooks * TASKS_OF_A_HOOK) * times["step"] + waits


def _change(means: Means) -> list[Step]:
    own = means["hooks"].get("update")
    release = [
        _own("steps/activate_release.yml"),
        _own("steps/restart_by_command.yml", when=not means["unit"]),
    ]
    return [
        _hook(means, "before_update"),
        *([_hook(means, "update")] if own else release),
        # Handlers can only come from the user's steps; they must have run before health is judged.
        _own("steps/handlers.yml", when=any(means["hooks"].values())),
        _hook(means, "after_update"),
    ]


def _return(means: Means, smoke: t.Any = False) -> list[Step]:
    """A version that is proven here needs no smoke test, and a way back must not wait for one."""
    return [
        _own("steps/health.yml"),
        _own("steps/smoke.yml", when=smoke),
        _hook(means, "before_restore"),
        _own("steps/restore.yml", when=means["balancers"]),
        _hook(means, "after_restore"),
    ]


def _own(tasks: str, when: t.Any = True) -> Step:
    return {"tasks": tasks, "hook": ""} if when else {}


def _hook(means: Means, name: str) -> Step:
    path = str(means["hooks"].get(name) or "")
    return {"tasks": "steps/hook.yml", "hook": path} if path else {}


def _steps(*steps: Step) -> list[Step]:
    return [step for step in steps if step]
