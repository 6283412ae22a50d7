# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What gates measured: one row for each gate of a run, and one for each metric of each of its polls."""

from __future__ import annotations

import dataclasses

from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.tables import Tables

BEFORE = "before"
"""The step under which a run measures the hosts before it changes any."""
MOST_BEFORE = 600
"""Rows of the past that are read; more would not make a host's level much surer."""
STEPS_KEPT = 50
"""Of each service; the measurements of older ones are dropped, the events keep their verdicts."""


@dataclasses.dataclass(frozen=True)
class Watch:
    """A gate under way. Times are seconds of the coordinator's clock."""

    service: str
    rollout: int
    run: str
    step: str
    began_at: float
    polled_at: float | None = None
    polls: int = 0
    books: str = "{}"
    """What the next poll of the balancers' counters needs of this one."""
    asked: int = 0
    """Whether the operator was asked and has resumed the rollout."""
    verdict: str | None = None
    """None while it still polls."""
    result: str = "{}"
    """What was returned with the verdict."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one poll found out for one metric; *samples* as a list of (at, group, host, count, value)."""

    service: str
    rollout: int
    run: str
    step: str
    at: float
    metric: str
    source: str
    query: str
    answer: str
    outcome: str
    why: str
    samples: str


class Measurements(Tables):
    """Reads and writes them inside one transaction."""

    def watch(self, rollout: int, run: str, step: str) -> Watch | None:
        return self._one(Watch, "SELECT * FROM watch WHERE rollout = ? AND run = ? AND step = ?", rollout, run, step)

    def watches(self, rollout: int) -> list[Watch]:
        return self._all(Watch, "SELECT * FROM watch WHERE rollout = ? ORDER BY began_at", rollout)

    def save_watch(self, watch: Watch) -> None:
        self._replace("watch", watch)

    def add_measured(self, rows: list[Measured]) -> None:
        for row in rows:
            self._insert("measured", row)

    def measured(self, rollout: int, run: str, step: str) -> list[Measured]:
        """Oldest first."""
        return self._all(
            Measured,
            "SELECT * FROM measured WHERE rollout = ? AND run = ? AND step = ? ORDER BY at, rowid",
            rollout,
            run,
            step,
        )

    def measured_earlier(self, rollout: int, run: str, step: str) -> list[Measured]:
        """What the other gates of the run measured, oldest first."""
        return self._all(
            Measured,
            "SELECT * FROM measured WHERE rollout = ? AND run = ? AND step NOT IN (?, ?) ORDER BY at, rowid",
            rollout,
            run,
            step,
            BEFORE,
        )

    def measured_before(self, service: str, rollout: int, run: str, since: float) -> list[Measured]:
        """What is known of the hosts before the release, oldest first: by this run, and by gates of others that passed."""
        rows = self._all(
            Measured,
            "SELECT measured.* FROM measured JOIN watch USING (rollout, run, step) WHERE measured.service = ? AND at >= ? "
            "AND ((rollout != ? AND watch.verdict = 'pass') OR (rollout = ? AND run = ? AND step = ?)) "
            "ORDER BY at DESC, measured.rowid DESC LIMIT ?",
            service,
            since,
            rollout,
            rollout,
            run,
            BEFORE,
            MOST_BEFORE,
        )
        return rows[::-1]

    def newest_measured(self, rollout: int, limit: int) -> list[Measured]:
        """Of all gates of a rollout, oldest first."""
        rows = self._all(
            Measured, "SELECT * FROM measured WHERE rollout = ? ORDER BY at DESC, rowid DESC LIMIT ?", rollout, limit
        )
        return rows[::-1]

    def drop_old_measurements(self, service: str) -> None:
        self._connection.execute(
            "DELETE FROM measured WHERE service = ? AND (rollout, run, step) NOT IN ("
            "SELECT rollout, run, step FROM watch WHERE service = ? ORDER BY began_at DESC LIMIT ?)",
            (service, service, STEPS_KEPT),
        )
