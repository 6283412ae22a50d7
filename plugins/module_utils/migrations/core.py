# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""migration: what a migration tool says of a database, and the way forward or back, waiting for locks within limits."""

from __future__ import annotations

import dataclasses
import shlex
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims, durations
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations import batches, locks, tools
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import Database
from ansible_collections.steady.rollout.plugins.module_utils.migrations.plain_sql import PlainSql
from ansible_collections.steady.rollout.plugins.module_utils.migrations.pooler import Paused, Pooler
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs

Result = t.Dict[str, t.Any]
PROGRAMS = {"alembic": ["alembic"], "dbmate": ["dbmate"], "django": ["python3", "manage.py"]}
SHORTEST_SECRET = 6
VERBS = ("version", "pending", "apply", "down", "sql")
NOTHING: Result = {
    "changed": False,
    "version_before": "",
    "version": "",
    "pending": [],
    "sql": "",
    "attempts": 0,
    "blockers": [],
    "paused": [],
}


@dataclasses.dataclass(frozen=True)
class Limits:
    lock_timeout: float
    attempts: int
    pause: float


def core(call: Call) -> Result:
    """The module migration."""
    params = call.params
    result: Result = dict(NOTHING)
    try:
        database = Database.from_url("database_url", params["database_url"])
        limits = _limits(params)
        pooler = Pooler.from_params(params.get("pooler"), database)
        programs = _programs(call, database, limits, pooler)
        tool = tool_of(params, programs, database, limits)
        paused = Paused(programs, pooler) if pooler else None
        if paused:
            tool.change = paused
        return STATES[params["state"]](call, Migration(tool, programs, database, limits, paused), result)
    except RolloutError as error:
        error.result = {**result, **error.result}
        raise


@dataclasses.dataclass
class Migration:
    tool: tools.Tool
    programs: Programs
    database: Database
    limits: Limits
    paused: Paused | None = None
    sleep: t.Callable[[float], None] = time.sleep


def tool_of(params: t.Mapping[str, t.Any], programs: Programs, database: Database, limits: Limits) -> tools.Tool:
    kind, directory = params["tool"], params.get("directory") or ""
    if kind == "commands":
        return tools.Commands(
            programs, {name: _words(f"commands.{name}", given) for name, given in _commands(params).items()}
        )
    if kind == "sql":
        return PlainSql(programs, database, directory, limits.lock_timeout)
    program = _words("program", params["program"]) if params.get("program") else PROGRAMS[kind]
    made: dict[str, t.Callable[..., tools.Tool]] = {
        "alembic": tools.Alembic,
        "dbmate": tools.Dbmate,
        "django": tools.Django,
    }
    return made[kind](programs, program, directory)


def _read(call: Call, migration: Migration, result: Result) -> Result:
    target = call.params.get("target") or ""
    result["version"] = result["version_before"] = migration.tool.version()
    result["pending"] = migration.tool.pending(target)
    result["paused"] = migration.paused.paused() if migration.paused else []
    if call.params.get("with_sql") and result["pending"]:
        result["sql"] = migration.tool.sql(target)
    return {**result, "msg": _standing(migration, result)}


def _apply(call: Call, migration: Migration, result: Result) -> Result:
    target = call.params.get("target") or ""
    _read(call, migration, result)
    _refuse_unexpected(call.params.get("expected_pending"), migration, result)
    if not result["pending"]:
        return _let_through(call, migration, result)
    if call.check_mode:
        return {
            **result,
            "changed": True,
            "msg": f"{migration.database.shown}: would apply {', '.join(result['pending'])}",
        }
    with claims.held(claims.Claim.from_params(call.params.get("claim"))):
        _with_retries(migration, lambda: migration.tool.apply(target), result)
    left = migration.tool.pending(target)
    if left:
        raise RolloutError(
            f"{migration.database.shown}: the migration tool ended without an error, and {', '.join(left)} is still "
            "pending. Look at the tool's own output.",
            kind="migration",
            **result,
        )
    applied, result["pending"], result["paused"] = result["pending"], [], []
    return {**result, "changed": True, "msg": f"{migration.database.shown}: applied {', '.join(applied)}"}


def _let_through(call: Call, migration: Migration, result: Result) -> Result:
    """Nothing is pending; what an interrupted run has left paused goes on."""
    standing = _standing(migration, result)
    if not migration.paused or not result["paused"] or not call.params["pooler"].get("resume"):
        return {**result, "msg": standing}
    with claims.held(claims.Claim.from_params(call.params.get("claim"))):
        resumed = result["paused"] if call.check_mode else migration.paused.resume()
    return {**result, "changed": bool(resumed), "msg": f"{standing}; resumed {', '.join(resumed)}"}


def _refuse_unexpected(expected: list[str] | None, migration: Migration, result: Result) -> None:
    if expected is not None and list(expected) != result["pending"]:
        raise RolloutError(
            f"{migration.database.shown}: expected {', '.join(expected) or 'nothing'} to be pending, found "
            f"{', '.join(result['pending']) or 'nothing'}; the migrations or the database were changed since they were "
            "judged. Run again to have them judged as they are now. Nothing was migrated.",
            kind="migration",
            **result,
        )


def _go_down(call: Call, migration: Migration, result: Result) -> Result:
    target = call.params.get("target") or ""
    before = result["version_before"] = result["version"] = migration.tool.version()
    if before == target:
        return {**result, "msg": f"{migration.database.shown}: is at {before or 'no version'} already"}
    if call.check_mode:
        return {
            **result,
            "changed": True,
            "version": target,
            "msg": f"{migration.database.shown}: would go back to {target}",
        }
    with claims.held(claims.Claim.from_params(call.params.get("claim"))):
        _with_retries(migration, lambda: migration.tool.down(target), result)
    return {
        **result,
        "changed": True,
        "msg": f"{migration.database.shown}: went back from {before} to {result['version'] or 'no version'}",
    }


def _with_retries(migration: Migration, work: t.Callable[[], None], result: Result) -> None:
    """Tried again only where a lock was not to be had; the result gets who held it, and where the database stands."""
    for attempt in range(1, migration.limits.attempts + 1):
        result["attempts"] = attempt
        with locks.Blockers(migration.programs, migration.database) as blockers:
            try:
                work()
                error = None
            except RolloutError as failed:
                error = failed
        result["blockers"] = list(dict.fromkeys([*result["blockers"], *blockers.seen]))
        result["version"] = _version_or(migration, result["version"])
        if error is None:
            return
        if not _may_be_tried_again(error):
            raise _explained(error, migration, result)
        if attempt == migration.limits.attempts:
            raise _never_got_the_lock(migration, result) if locks.is_about_locks(error.message) else error
        migration.sleep(migration.limits.pause)


def _may_be_tried_again(error: RolloutError) -> bool:
    """A lock or a pause was not to be had at that moment."""
    return error.result.get("kind") == "locked" or locks.is_about_locks(error.message)


def _never_got_the_lock(migration: Migration, result: Result) -> RolloutError:
    limits = migration.limits
    held = (
        f"It was held by {'; '.join(result['blockers'])}." if result["blockers"] else "Who held it could not be seen."
    )
    return RolloutError(
        f"{migration.database.shown}: the migration did not get its lock within {limits.lock_timeout:g} s, in "
        f"{limits.attempts} attempts with {limits.pause:g} s between them. {held} Wait for that session or end it, then run "
        f"again; the database is at {result['version'] or 'no version'}.",
        kind="locked",
        **result,
    )


def _explained(error: RolloutError, migration: Migration, result: Result) -> RolloutError:
    where = f"{migration.database.shown} is at {result['version'] or 'no version'} now, according to the migration tool"
    return RolloutError(
        f"{error.message.rstrip('.')}. {where[:1].upper()}{where[1:]}.",
        **{"kind": "migration", **error.result, **result},
    )


def _version_or(migration: Migration, known: str) -> str:
    try:
        return migration.tool.version()
    except RolloutError:
        return known


def _copy_batches(call: Call, migration: Migration, result: Result) -> Result:
    if not call.params.get("batch"):
        raise InputError("batch: needed with state=batched; one statement that changes a bounded number of rows.")
    if call.check_mode:
        return {**result, "changed": True, "rows": 0, "finished": False, "msg": "would work in batches"}
    copy = batches.Batches(migration.programs, migration.database, migration.limits.lock_timeout)
    with claims.held(claims.Claim.from_params(call.params.get("claim"))):
        done = copy.run(
            call.params["batch"],
            durations.seconds("batch_pause", call.params["batch_pause"]),
            durations.positive("batch_time", call.params["batch_time"]),
        )
    return {**result, "changed": done.rows > 0, "rows": done.rows, "finished": done.finished, "msg": done.message}


STATES: dict[str, t.Callable[[Call, Migration, Result], Result]] = {
    "read": _read,
    "applied": _apply,
    "reverted": _go_down,
    "batched": _copy_batches,
}


def _standing(migration: Migration, result: Result) -> str:
    pending = f"{', '.join(result['pending'])} pending" if result["pending"] else "nothing pending"
    return f"{migration.database.shown}: at {result['version'] or 'no version'}, {pending}"


def _limits(params: t.Mapping[str, t.Any]) -> Limits:
    attempts = params["attempts"]
    if not 1 <= attempts <= 1000:
        raise InputError(f"attempts: expected 1 to 1000, found {attempts}.")
    return Limits(
        durations.positive("lock_timeout", params["lock_timeout"]),
        attempts,
        durations.seconds("pause", params["pause"]),
    )


def _programs(call: Call, database: Database, limits: Limits, pooler: Pooler | None) -> Programs:
    given = {str(name): str(value) for name, value in (call.params.get("environment") or {}).items()}
    return Programs(
        call.run_command,
        {**database.environment(limits.lock_timeout), **given},
        secrets_of(database, given, pooler),
        call.params.get("chdir") or None,
        durations.positive("timeout", call.params["timeout"]),
    )


def secrets_of(database: Database, environment: t.Mapping[str, str], pooler: Pooler | None = None) -> list[str]:
    """Short values of the environment, such as 1 and true, are no secrets, and would spoil every message."""
    values = [value for value in environment.values() if len(value) >= SHORTEST_SECRET]
    return sorted({*database.secrets(), *values, *(pooler.secrets() if pooler else [])}, key=len, reverse=True)


def _commands(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    commands: dict[str, t.Any] = dict(params.get("commands") or {})
    unknown = sorted(set(commands) - set(VERBS))
    if unknown or not commands:
        raise InputError(f"commands: expected some of {', '.join(VERBS)}; found {', '.join(unknown) or 'none'}.")
    return commands


def _words(option: str, given: t.Any) -> list[str]:
    try:
        words = shlex.split(given) if isinstance(given, str) else [str(word) for word in given]
    except (ValueError, TypeError):
        words = []
    if not words or not words[0]:
        raise InputError(f"{option}: expected a command line, or a list of words; found {str(given)[:80]!r}.")
    return words
