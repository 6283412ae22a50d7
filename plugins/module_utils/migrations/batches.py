# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A backfill: one bounded statement, repeated until it changes nothing more. Where it stopped is seen in the data."""

from __future__ import annotations

import re
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations import locks
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import POSTGRESQL, Database
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs

TAG = re.compile(r"^(?:UPDATE|DELETE|INSERT \d+) (\d+)$", re.MULTILINE)
LONGEST_WAIT = 10


class Done(t.NamedTuple):
    rows: int
    finished: bool
    message: str


class Batches:
    def __init__(
        self,
        programs: Programs,
        database: Database,
        lock_timeout: float,
        now: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._programs = programs
        self._database = database
        self._lock_timeout = lock_timeout
        self._now = now
        self._sleep = sleep

    def run(self, statement: str, pause: float, seconds: float) -> Done:
        """Works for so many seconds at most; a batch that meets a lock is tried again, up to ten times in a row."""
        rows, locked, end = 0, 0, self._now() + seconds
        while True:
            try:
                changed = self._once(statement)
                locked = 0
            except RolloutError as error:
                locked += 1
                if not locks.is_about_locks(error.message) or locked > LONGEST_WAIT:
                    raise
                changed = -1
            if changed == 0:
                return Done(rows, True, f"{self._database.shown}: {rows} rows changed, none is left")
            rows += max(0, changed)
            if self._now() >= end:
                return Done(rows, False, f"{self._database.shown}: {rows} rows changed so far")
            self._sleep(pause)

    def _once(self, statement: str) -> int:
        text = statement.strip().rstrip(";")
        if self._database.kind == POSTGRESQL:
            argv = [word for word in self._database.client() if word != "-q"]
            said = self._programs.checked(argv, f"{text};\n")
            found = TAG.findall(said.out)
        else:
            said = self._programs.checked(self._database.client(self._lock_timeout), f"{text};\nSELECT ROW_COUNT();\n")
            found = said.out.split()[-1:]
        if len(found) != 1 or not found[0].lstrip("-").isdigit():
            raise RolloutError(
                "batch: is not one UPDATE, DELETE or INSERT, so it cannot be determined when it has nothing left to do; "
                f"found {said.out.strip()[:80]!r}.",
                kind="migration",
            )
        return int(found[0])
