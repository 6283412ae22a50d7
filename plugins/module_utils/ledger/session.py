# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where the verbs work: the store, the clock, and the session of a run that holds the lease."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import sys
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import is_watched, refuse_stale
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host, Lease, Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import Limits
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.store import Store


@dataclasses.dataclass
class Clock:
    """The coordinator's clock, the only one that counts. *now* is wall time, the rest monotonic seconds."""

    now: t.Callable[[], float] = time.time
    monotonic: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep


class Controller:
    """Shows whether the process that waits for this call's answer is still there."""

    def __init__(self) -> None:
        worker_of = _parent_of_a_worker()
        self._parent = worker_of or os.getppid()
        self._output = None if worker_of else select.poll()
        if self._output is not None:
            self._output.register(1, 0)

    def is_alive(self) -> bool:
        """False once the parent changed or, for a module, nobody reads its standard output any more."""
        return os.getppid() == self._parent and not self._is_unread()

    def _is_unread(self) -> bool:
        seen = self._output.poll(0) if self._output is not None else []
        return any(events & (select.POLLERR | select.POLLHUP) for dummy, events in seen)


def _parent_of_a_worker() -> int | None:
    """A worker of Ansible's that lost its parent at once would take the new one for it; its own library knows."""
    process = sys.modules.get("multiprocessing.process")
    parent = process.parent_process() if process else None
    return int(parent.pid) if parent else None


@dataclasses.dataclass
class Ledger:
    """One call's way to the ledger."""

    store: Store
    check_mode: bool = False
    clock: Clock = dataclasses.field(default_factory=Clock)
    is_alive: t.Callable[[], bool] = lambda: True

    @classmethod
    def opened(cls, directory: str | None, check_mode: bool, creates: bool) -> Ledger:
        """*creates* is false for calls that only look: they leave no ledger where there was none."""
        store = Store.at(directory) if creates and not check_mode else Store.to_look_at(directory)
        return cls(store, check_mode, is_alive=Controller().is_alive)

    def writing(self) -> t.ContextManager[Records]:
        return self.store.writing(keep=not self.check_mode)


class Session:
    """A run at work inside one transaction."""

    def __init__(self, records: Records, lease: Lease, rollout: Rollout, now: float) -> None:
        self.records = records
        self.lease = lease
        self.rollout = rollout
        self.now = now

    @property
    def service(self) -> str:
        return self.lease.service

    @property
    def run(self) -> str:
        return self.lease.run or ""

    @property
    def limits(self) -> Limits:
        if self.rollout.limits is None:
            raise RolloutError(f"{self.service}: the rollout of {self.rollout.what} has no plan yet; plan it first.")
        return Limits.from_dict(json.loads(self.rollout.limits))

    def event(self, word: str, subject: str | None = None, /, **data: t.Any) -> None:
        """Appends to the chain: what happened, to which host if to one, and whatever else is worth knowing."""
        self.records.add_event(self.now, self.service, word, self.rollout.id, self.run or None, subject, data)

    def change_rollout(self, **changes: t.Any) -> None:
        self.rollout = dataclasses.replace(self.rollout, **changes)
        self.records.change_rollout(self.rollout.id, changes)

    def change_host(self, host: Host, **changes: t.Any) -> Host:
        host = dataclasses.replace(host, **changes)
        self.records.save_host(host)
        return host

    def host(self, name: str) -> Host:
        host = self.records.host(self.rollout.id, name)
        if host is None:
            raise RolloutError(
                f"{name}: not part of the planned rollout of {self.rollout.what} for {self.service}; "
                "plan again with this host in the inventory."
            )
        return host

    def beat(self) -> None:
        held_until = 0.0 if is_watched(self.lease, self.now) else self.records.latest_deadline(self.rollout.id)
        self.lease = dataclasses.replace(self.lease, heartbeat_at=self.now, held_until=held_until)
        self.records.save_lease(self.lease)
        if self.lease.reserved_for is not None:
            self.records.beat_reserved(self.lease.reserved_for, self.service, self.now, held_until)


@contextlib.contextmanager
def open_session(ledger: Ledger, params: dict[str, t.Any]) -> t.Iterator[Session]:
    """One change by the run that holds the lease; beats the heart. Raises LeaseLost for any other run."""
    with ledger.writing() as records:
        session = read_session(ledger, records, params)
        yield session
        session.beat()


def read_session(ledger: Ledger, records: Records, params: dict[str, t.Any]) -> Session:
    """The run's session without a heartbeat."""
    required(params, "run", "token")
    lease = records.lease(params["service"])
    refuse_stale(lease, params["run"], params["token"])
    rollout = records.rollout_of_run(params["service"], params["run"])
    if lease is None or rollout is None:
        raise RolloutError(f"{params['service']}: run {params['run']} has no rollout; open one first.")
    return Session(records, lease, rollout, ledger.clock.now())


def required(params: dict[str, t.Any], *names: str) -> None:
    for name in names:
        if params.get(name) is None:
            raise InputError(f"{name}: needed with state={params.get('state', 'this')}.")
