# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Sends the requests of a schedule at their moments, over a few connections that are kept open."""

from __future__ import annotations

import dataclasses
import http.client
import queue
import threading
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.http import targets
from ansible_collections.steady.rollout.plugins.module_utils.load.model import Group, Load, Outcome, Recipe
from ansible_collections.steady.rollout.plugins.module_utils.load.schedule import Slot, slots

AGENT = "steady.rollout http_compare"
REPEATABLE = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
GIVE_UP_AFTER = 50
"""Failures in a row of one group after which nothing more is sent: the verdict is clear, and nobody has to suffer."""
GRACE = 1.0
"""Seconds that resolving a name may outlive a request's time."""


@dataclasses.dataclass(frozen=True)
class Order:
    slot: Slot
    due: float


if t.TYPE_CHECKING:
    Orders = queue.SimpleQueue[t.Optional[Order]]


class Client:
    """Each group has connections of its own, so that a slow group does not hold up the other."""

    def __init__(
        self,
        load: Load,
        groups: t.Sequence[Group],
        recipes: t.Sequence[Recipe],
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._load = load
        self._groups = groups
        self._recipes = recipes
        self._clock = clock
        self._sleep = sleep
        self._orders: dict[str, Orders] = {group.role: queue.SimpleQueue() for group in groups}
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._in_a_row = {group.role: 0 for group in groups}

    def run(self, is_enough: t.Callable[[list[Outcome]], bool]) -> list[Outcome]:
        """What all requests came to; *is_enough* is asked after each analysis whether the next one can be spared."""
        for orders in self._of_each_worker():
            threading.Thread(target=self._work, args=(orders,), daemon=True).start()
        outcomes: list[Outcome] = []
        sent = 0
        for analysis in range(self._load.analyses):
            sent += self._send(analysis, outcomes)
            # Who judged without the slowest answers would find everybody fast.
            self._await(outcomes, sent)
            if self._is_hopeless() or is_enough(outcomes):
                break
        for orders in self._of_each_worker():
            orders.put(None)
        if self._is_hopeless():
            # It may have ended before anything counted.
            return [dataclasses.replace(outcome, counts=True) for outcome in outcomes]
        return outcomes

    def _of_each_worker(self) -> list[Orders]:
        return [self._orders[group.role] for group in self._groups for dummy in range(self._load.connections)]

    def _is_hopeless(self) -> bool:
        return max(self._in_a_row.values()) >= GIVE_UP_AFTER

    def _send(self, analysis: int, outcomes: list[Outcome]) -> int:
        """Hands out each request of an analysis at its moment; how many."""
        began = self._clock()
        sent = 0
        for slot in slots(self._load, self._groups, len(self._recipes), analysis):
            ahead = began + slot.at - self._clock()
            if ahead > 0:
                self._sleep(ahead)
            self._collect(outcomes)
            if self._is_hopeless():
                break
            # A request is measured from here: waiting for a connection is part of it, our own being late is not.
            self._orders[slot.group.role].put(Order(slot, self._clock()))
            sent += 1
        return sent

    def _await(self, outcomes: list[Outcome], sent: int) -> None:
        end = self._clock() + self._load.timeout + GRACE
        while len(outcomes) < sent and self._clock() < end:
            self._take(outcomes, max(0.001, end - self._clock()))

    def _take(self, outcomes: list[Outcome], seconds: float) -> None:
        """Notes the next outcome, if one comes in time."""
        try:
            self._note(outcomes, self._done.get(timeout=seconds))
        except queue.Empty:
            pass

    def _collect(self, outcomes: list[Outcome]) -> None:
        while not self._done.empty():
            self._note(outcomes, self._done.get())

    def _note(self, outcomes: list[Outcome], outcome: Outcome) -> None:
        outcomes.append(outcome)
        self._in_a_row[outcome.role] = self._in_a_row[outcome.role] + 1 if outcome.problem else 0

    def _work(self, orders: Orders) -> None:
        connections: dict[str, client.Connection] = {}
        while True:
            order = orders.get()
            if order is None:
                break
            problem = self._problem(order, connections)
            self._done.put(Outcome(order.slot.group.role, order.slot.counts, self._clock() - order.due, problem))
        for connection in connections.values():
            connection.close()

    def _problem(self, order: Order, connections: dict[str, client.Connection]) -> str | None:
        """Sends one request; why its answer is not good."""
        slot, timeout = order.slot, self._load.timeout
        left = timeout - (self._clock() - order.due)
        if left <= 0:
            return f"not sent within {timeout:g} s, as all {self._load.connections} connections were busy"
        recipe = self._recipes[slot.recipe]
        request = request_of(recipe, slot.group, slot.url, self._load)
        connection = connections.setdefault(slot.url, client.Connection(slot.url, self._load.tls))
        try:
            answer = _answer(connection, request, client.Deadline(left, self._clock))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return client.in_words(error, timeout)
        except Exception as error:  # a thread that dies would leave its requests without an answer
            return f"could not be asked ({type(error).__name__})"
        if answer.status in recipe.status:
            return None
        return f"answered {answer.status}, expected {' or '.join(str(status) for status in recipe.status)}"


def request_of(recipe: Recipe, group: Group, url: str, load: Load) -> client.Request:
    """What is sent for a recipe to a host of a group."""
    headers = {"User-Agent": AGENT, **recipe.headers, **group.headers}
    authorization = targets.basic_authorization(url)
    if authorization and "authorization" not in {name.lower() for name in headers}:
        headers["Authorization"] = authorization
    parts = urlsplit(url)
    base = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    return client.Request(recipe.method, base + recipe.path, headers, recipe.body, load.tls)


def _answer(connection: client.Connection, request: client.Request, deadline: client.Deadline) -> client.Answer:
    if not connection.is_usable:
        connection.open(deadline)
        return connection.ask(request, deadline)
    try:
        return connection.ask(request, deadline)
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
        # The server may close a connection between two requests; HTTP lets a client ask again then.
        if request.method not in REPEATABLE:
            raise
        connection.open(deadline)
        return connection.ask(request, deadline)
