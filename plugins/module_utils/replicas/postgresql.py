# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A PostgreSQL server with streaming replication, asked through psql on its own host."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import POSTGRESQL, Database
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs
from ansible_collections.steady.rollout.plugins.module_utils.replicas.model import KIND, PRIMARY, REPLICA, Member

QUESTION = """
SELECT pg_is_in_recovery()::int, pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN COALESCE(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END, '0/0'
  ), (SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'),
  (SELECT system_identifier FROM pg_control_system());
"""
"""Without pg_monitor a user sees no receiver, and a replica then does not count as streaming."""
ANSWER = re.compile(r"([01])\t(\d{1,20})\t([01])\t(\d{1,20})")
APPLICATION = "steady-rollout"


def read(call: Call, timeout: float) -> Member:
    given = call.params.get("url")
    database = Database.from_url("url", given or "postgresql:///postgres")
    if database.kind != POSTGRESQL:
        raise InputError("url: is not the address of a PostgreSQL database; expected postgresql://user@host:5432/name.")
    programs = Programs(
        call.run_command,
        {**database.environment(), "PGAPPNAME": APPLICATION},
        database.secrets(),
        limit=timeout,
    )
    said = programs.checked([*_as_user(call, database), *database.client()], QUESTION, kind=KIND).out
    return member_of(said)


def _as_user(call: Call, database: Database) -> list[str]:
    """Over its socket PostgreSQL asks for no password of the system user that it runs as."""
    user = str(call.params.get("as_user") or "")
    is_by_socket = not database.host and not database.password
    return ["runuser", "-u", user, "--"] if user and is_by_socket and os.geteuid() == 0 else []


def member_of(said: str) -> Member:
    """What psql has printed. Raises RolloutError where that is something else."""
    found = ANSWER.fullmatch(said.strip())
    if found is None:
        raise RolloutError(f"PostgreSQL gave an unexpected answer: {said.strip()!r:.80}.", kind=KIND)
    in_recovery, position, streams, cluster = t.cast("tuple[str, str, str, str]", found.groups())
    if in_recovery == "0":
        return Member(PRIMARY, False, int(position), cluster)
    return Member(REPLICA, streams == "1", int(position), cluster)
