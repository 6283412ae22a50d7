# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Goes through the steps on one target: asks, judges, keeps, tries again, and stops where a step failed."""

from __future__ import annotations

import dataclasses
import http.client
import ssl
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.smoke import judging, rendering, secrets, templates
from ansible_collections.steady.rollout.plugins.module_utils.smoke.judging import Reply
from ansible_collections.steady.rollout.plugins.module_utils.smoke.options import PLACES
from ansible_collections.steady.rollout.plugins.module_utils.smoke.session import Exchange, Session
from ansible_collections.steady.rollout.plugins.module_utils.smoke.steps import Plan, Step, Target


@dataclasses.dataclass(frozen=True)
class Done:
    """What became of one step on one target; no *tries*: it was not sent. *seconds* are those of the last try."""

    target: Target
    step: Step
    passed: bool
    reason: str
    status: int | None = None
    seconds: float | None = None
    tries: int = 0


@dataclasses.dataclass(frozen=True)
class World:
    """Everything outside: time and the network."""

    clock: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep
    exchange: Exchange = client.exchange


class Conversation:
    """One run through a plan's steps on one target, with cookies and kept values of its own."""

    def __init__(
        self, plan: Plan, target: Target, hidden: secrets.Secrets, tls: ssl.SSLContext | None, world: World
    ) -> None:
        self._plan = plan
        self._target = target
        self._hidden = hidden
        self._tls = tls
        self._world = world
        self._session = Session(world.exchange)
        self._kept: dict[str, templates.Value] = {}

    def run(self) -> list[Done]:
        """All steps in order; those that cannot or need not be sent are in the list too."""
        done: list[Done] = []
        for step in self._plan.steps:
            failed = next((one.step for one in done if not one.passed), None)
            obstacle = self._obstacle(step, failed)
            done.append(self._not_sent(step, obstacle) if obstacle else self._tried(step))
        return done

    def _obstacle(self, step: Step, failed: Step | None) -> str | None:
        """Why a step is not sent."""
        if failed is None:
            return None
        if self._plan.stop_on_failure:
            return f"not sent, because '{failed.name}' failed"
        needed = [name for option in PLACES for name in templates.names_in(getattr(step, option))]
        missing = next((name for name in needed if name not in self._kept), None)
        return f"not sent, because nothing was kept as {missing}" if missing else None

    def _not_sent(self, step: Step, why: str) -> Done:
        return Done(self._target, step, False, why)

    def _tried(self, step: Step) -> Done:
        for number in range(1, step.tries + 1):
            if number > 1:
                self._world.sleep(step.pause)
            done = self._once(step, number)
            if done.passed:
                break
        return done

    def _once(self, step: Step, number: int) -> Done:
        reply = self._reply(step)
        problem = judging.problem(step, reply, self._kept)
        if problem is None:
            found, problem = judging.kept_from(step, reply)
            self._hidden.add(*(templates.as_text(value) for value in found.values()))
            self._kept.update(found)
        return Done(
            target=self._target,
            step=step,
            passed=problem is None,
            reason=self._reason(step, reply, problem, number),
            status=reply.status,
            seconds=reply.seconds,
            tries=number,
        )

    def _reply(self, step: Step) -> Reply:
        began = self._world.clock()
        try:
            request = rendering.request_of(step, self._target, self._kept, self._tls)
        except ValueError as error:
            return Reply(0.0, trouble=f"could not be asked: {error}")
        self._hidden.add(*secrets.of_headers(request.headers), *secrets.of_url(request.url))
        deadline = client.Deadline(step.timeout, self._world.clock)
        try:
            answer = self._session.ask(request, deadline, step.follow_redirects)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Reply(self._world.clock() - began, trouble=client.in_words(error, step.timeout))
        finally:
            self._hidden.add(*self._session.cookies().values())
        return Reply(
            seconds=self._world.clock() - began,
            status=answer.status,
            text=answer.body.decode("utf-8", "replace"),
            headers=answer.headers,
            cookies=self._session.cookies(),
        )

    def _reason(self, step: Step, reply: Reply, problem: str | None, number: int) -> str:
        address = f"{step.method} {rendering.shown_address(step, self._target)}"
        if problem is None:
            return self._hidden.hide(f"{address} answered {reply.status}")
        body = judging.excerpt(step, reply, self._hidden)
        tried = f" after {number} tries" if number > 1 else ""
        return self._hidden.hide(f"{address} {problem}{tried}{f' (body: {body})' if body else ''}")
