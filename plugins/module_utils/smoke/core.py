# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The core of smoke_test: reads its options, sends the requests to every target and returns the results."""

from __future__ import annotations

import concurrent.futures
import ssl
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.http import tls
from ansible_collections.steady.rollout.plugins.module_utils.smoke import options, secrets
from ansible_collections.steady.rollout.plugins.module_utils.smoke.running import Conversation, Done, World
from ansible_collections.steady.rollout.plugins.module_utils.smoke.steps import Plan

MOST_AT_ONCE = 16
MOST_NAMED = 3


def core(call: Call) -> dict[str, t.Any]:
    """Sends the requests to every target; RolloutError names what failed, unless *fail* is false."""
    plan = options.from_params(call.params)
    context = _context(plan)
    hidden = secrets.Secrets(secrets.of_params(call.params))
    began = time.monotonic()
    runs = rehearsed(plan) if call.check_mode else performed(plan, hidden, context, World())
    result = outcome(runs, time.monotonic() - began, call.check_mode, hidden)
    if result["passed"] or call.check_mode or not call.params["fail"]:
        return result
    message = result.pop("msg")
    raise RolloutError(message, **result)


def performed(plan: Plan, hidden: secrets.Secrets, context: ssl.SSLContext | None, world: World) -> list[list[Done]]:
    """What became of every step, a list for each target, in their order."""
    conversations = [Conversation(plan, target, hidden, context, world) for target in plan.targets]
    if len(conversations) == 1:
        return [conversations[0].run()]
    with concurrent.futures.ThreadPoolExecutor(min(len(conversations), MOST_AT_ONCE)) as threads:
        return list(threads.map(Conversation.run, conversations))


def rehearsed(plan: Plan) -> list[list[Done]]:
    """Check mode: nothing is sent, since a request may change what it tests."""
    return [[Done(target, step, False, "not sent in check mode") for step in plan.steps] for target in plan.targets]


def outcome(
    runs: list[list[Done]], seconds: float, check_mode: bool, hidden: secrets.Secrets | None = None
) -> dict[str, t.Any]:
    """The module's result for what became of the steps, without secrets."""
    hidden = hidden or secrets.Secrets()
    passed = all(done.passed for run in runs for done in run)
    message = _good_news(runs, seconds) if passed else _bad_news(runs)
    if check_mode:
        message = f"Check mode: {_counted(runs)} would be sent."
    return {
        "changed": False,
        "passed": passed,
        "requests": [_as_result(done, hidden) for run in runs for done in run],
        "seconds": round(seconds, 3),
        "msg": hidden.hide(message),
    }


def _as_result(done: Done, hidden: secrets.Secrets) -> dict[str, t.Any]:
    return {
        "target": done.target.name or None,
        "name": done.step.name,
        "method": done.step.method,
        "passed": done.passed,
        "status": done.status,
        "seconds": None if done.seconds is None else round(done.seconds, 4),
        "tries": done.tries,
        "reason": hidden.hide(done.reason),
    }


def _counted(runs: list[list[Done]]) -> str:
    steps = len(runs[0])
    requests = f"{steps} request{'s' if steps > 1 else ''}"
    return f"{requests} to each of {len(runs)} targets" if len(runs) > 1 else requests


def _good_news(runs: list[list[Done]], seconds: float) -> str:
    return f"{_counted(runs)} passed in {seconds:.1f} s."


def _bad_news(runs: list[list[Done]]) -> str:
    failed = [run for run in runs if not all(done.passed for done in run)]
    stories = [_story(run) for run in failed[:MOST_NAMED]]
    if len(failed) > MOST_NAMED:
        rest = [run[0].target.name for run in failed[MOST_NAMED:]]
        stories.append(f"Also failed: {', '.join(rest[:20])}{' and more' if len(rest) > 20 else ''}.")
    names = ", ".join(run[0].target.name for run in failed[:MOST_NAMED])
    where = f" on {names}" if names else ""
    return f"{' '.join(stories)} Check the service's log{where}."


def _story(run: list[Done]) -> str:
    """The first failure on a target, and how many others there were."""
    first = next(done for done in run if not done.passed)
    others = sum(1 for done in run if not done.passed and done.tries and done is not first)
    unsent = sum(1 for done in run if not done.tries and not done.passed)
    where = f"{first.target.name}: " if first.target.name else ""
    more = f" {_many(others, 'other')} failed too." if others else ""
    rest = f" {_many(unsent, 'request')} {'were' if unsent > 1 else 'was'} not sent." if unsent else ""
    return f"{where}'{first.step.name}' failed: {first.reason}.{more}{rest}"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"


def _context(plan: Plan) -> ssl.SSLContext:
    try:
        return tls.context(plan.validate_certs, plan.ca_path)
    except OSError as error:
        raise InputError(f"ca_path cannot be used: {plan.ca_path} ({error.strerror or error}).") from None
