# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The rows of a rollout's hosts: what was planned for each, what became of it, and how many stand where."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, observation
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Group, Host, Tally
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.measurements import Measurements
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.tables import (
    columns_of,
    content_of,
    insert_text,
)

UPSERT_HOST = (
    insert_text("INSERT", "host", columns_of(Host))
    + " ON CONFLICT (rollout, name) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in columns_of(Host) if name not in ("rollout", "name"))
)


class HostRecords(Measurements):
    """The part of Records that reads and writes hosts."""

    def host(self, rollout: int, name: str) -> Host | None:
        return self._one(Host, "SELECT * FROM host WHERE rollout = ? AND name = ?", rollout, name)

    def hosts(self, rollout: int, *phases: str) -> list[Host]:
        """In planned order; all of them or those in some phases."""
        if not phases:
            return self._all(Host, "SELECT * FROM host WHERE rollout = ? ORDER BY position, name", rollout)
        marks = ", ".join("?" for dummy in phases)
        return self._all(
            Host,
            f"SELECT * FROM host WHERE rollout = ? AND phase IN ({marks}) ORDER BY position, name",
            rollout,
            *phases,
        )

    def waiting_before(self, host: Host, most: int) -> int:
        """How many in the same phase, whom the run may touch, stand earlier in the plan and are not deferred; *most* or fewer."""
        found = self._connection.execute(
            "SELECT 1 FROM host WHERE rollout = ? AND phase = ? AND position < ? AND in_scope = 1 "
            "AND vetoed_until IS NULL LIMIT ?",
            (host.rollout, host.phase, host.position, most),
        )
        return len(found.fetchall())

    def save_host(self, host: Host) -> None:
        self.save_hosts([host])

    def save_hosts(self, hosts: t.Sequence[Host]) -> None:
        """Updates in place where the row is there: triggers keep the tally, and replacing a row would not fire them all."""
        self._connection.executemany(UPSERT_HOST, [content_of(host) for host in hosts])

    def observed(self, rollout: int) -> dict[str, observation.Record]:
        """The newest health observations of each proven host."""
        rows = self._connection.execute("SELECT host, results, why FROM observed WHERE rollout = ?", (rollout,))
        return {host: observation.Record(results, why) for host, results, why in rows}

    def save_observed(self, rollout: int, records: t.Mapping[str, observation.Record]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO observed VALUES (?, ?, ?, ?)",
            [(rollout, host, record.results, record.why) for host, record in records.items()],
        )

    def forget_observed(self, rollout: int, host: str) -> None:
        self._connection.execute("DELETE FROM observed WHERE rollout = ? AND host = ?", (rollout, host))

    def remove_hosts(self, rollout: int) -> None:
        self._connection.execute("DELETE FROM host WHERE rollout = ?", (rollout,))

    def tally(self, rollout: int) -> Tally:
        """What is out of scope counts only as what it is seen as, whatever an earlier run did to it."""
        rows = self._connection.execute(
            "SELECT zone, lb_state, phase, condition, size FROM tally WHERE rollout = ? AND size > 0", (rollout,)
        )
        return Tally(Group(*row) for row in rows)

    def last_of_head(self, host: Host, size: int) -> int | None:
        """The position of the *size*-th host in the same phase that the run may touch; None where there are fewer.

        A host that is deferred holds nobody up.
        """
        row = self._connection.execute(
            "SELECT position FROM host WHERE rollout = ? AND phase = ? AND in_scope = 1 AND vetoed_until IS NULL "
            "ORDER BY position LIMIT 1 OFFSET ?",
            (host.rollout, host.phase, max(size, 1) - 1),
        ).fetchone()
        return None if row is None else int(row[0])

    def save_guard(self, rollout: int, members: t.Mapping[str, list[str]]) -> None:
        """The members of each named zone: an admission reads those of one zone only."""
        self._connection.execute("DELETE FROM guard WHERE rollout = ?", (rollout,))
        self._connection.executemany(
            "INSERT INTO guard VALUES (?, ?, ?)",
            [(rollout, zone, json.dumps(names)) for zone, names in members.items()],
        )

    def guarded(self, rollout: int, zone: str | None = None) -> dict[str, list[str]]:
        where, values = ("", ()) if zone is None else (" AND zone = ?", (zone,))
        rows = self._connection.execute(
            f"SELECT zone, members FROM guard WHERE rollout = ?{where} ORDER BY zone", (rollout, *values)
        )
        return {name: json.loads(members) for name, members in rows}

    def out_or_in_flight(self, rollout: int) -> list[Host]:
        """Who is not in service, or is about to be taken out."""
        marks = ", ".join("?" for dummy in model.IN_FLIGHT)
        return self._all(
            Host,
            f"SELECT * FROM host WHERE rollout = ? AND (lb_state != ? OR phase IN ({marks})) ORDER BY name",
            rollout,
            model.IN_SERVICE,
            *model.IN_FLIGHT,
        )

    def failed_kinds(self, rollout: int) -> list[str | None]:
        """One entry for each host in scope that counts as a failure."""
        rows = self._connection.execute(
            "SELECT kind FROM host WHERE rollout = ? AND counted = 1 AND in_scope = 1", (rollout,)
        )
        return [row[0] for row in rows]

    def overdue(self, rollout: int, now: float) -> list[Host]:
        """Hosts in flight whose declared time is over."""
        found: list[Host] = []
        for phase in model.IN_FLIGHT:
            found += self._all(
                Host, "SELECT * FROM host WHERE rollout = ? AND phase = ? AND deadline_at < ?", rollout, phase, now
            )
        return found

    def latest_deadline(self, rollout: int) -> float:
        """The end of the longest declared step in flight; 0 when nothing is."""
        times = [
            self._connection.execute(
                "SELECT MAX(deadline_at) FROM host WHERE rollout = ? AND phase = ?", (rollout, phase)
            ).fetchone()[0]
            for phase in model.IN_FLIGHT
        ]
        gate = self._connection.execute(
            "SELECT MAX(until) FROM gate WHERE rollout = ? AND status = 'claimed'", (rollout,)
        ).fetchone()[0]
        return max([0.0, *(float(time) for time in [*times, gate] if time is not None)])

    def seconds_per_host(self, service: str) -> float | None:
        """The mean time a host was out of service in the newest rollout that proved any."""
        row = self._connection.execute(
            "SELECT AVG(in_service_at - admitted_at) FROM host WHERE phase = 'proven' AND admitted_at IS NOT NULL "
            "AND rollout IN (SELECT id FROM rollout WHERE service = ? ORDER BY id DESC LIMIT 5) "
            "GROUP BY rollout ORDER BY rollout DESC LIMIT 1",
            (service,),
        ).fetchone()
        return None if row is None else float(row[0])

    def host_seconds(self, service: str) -> list[float]:
        """How long each host took that the newest rollouts proved, from its admission to its return to service."""
        rows = self._connection.execute(
            "SELECT in_service_at - admitted_at FROM host WHERE phase = 'proven' AND admitted_at IS NOT NULL "
            "AND in_service_at >= admitted_at "
            "AND rollout IN (SELECT id FROM rollout WHERE service = ? AND direction = ? ORDER BY id DESC LIMIT 5)",
            (service, model.FORWARD),
        )
        return [float(row[0]) for row in rows]

    # Pools

    def service_of_pool(self, node: str, pool: str) -> str | None:
        """The service that was last rolled out behind this pool."""
        row = self._connection.execute("SELECT service FROM pool WHERE node = ? AND name = ?", (node, pool)).fetchone()
        return None if row is None else str(row[0])

    def note_pool(self, service: str, node: str, pool: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO pool VALUES (?, ?, ?)", (node, pool, service))
