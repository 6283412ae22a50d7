# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of a migration: what is asked of whom in which order, and what happens when something fails."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations import drive
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.settings import phase_of, settings_errors

pytest.importorskip("sqlglot")
Result = t.Dict[str, t.Any]
GIVEN: Result = {"database_url": "postgresql://shop:secret@db1/shop", "tool": "alembic", "expand": {}, "contract": {}}
READ: Result = {"version": "a", "pending": ["b"], "sql": "ALTER TABLE t ADD COLUMN c int;"}


class World:
    """The ledger and the host with the tool, which note what they are asked."""

    kind, why_not_session = "session", ""

    def __init__(self, read: Result, **answers: t.Any) -> None:
        self.asked: list[str] = []
        self.options: dict[str, Result] = {}
        self.shown: list[str] = []
        self._answers: dict[str, t.Any] = {
            "read": read,
            "applied": {"changed": True, "version": "b", "msg": "applied b"},
            "begun": {"go": True},
            **answers,
        }

    def call(self, module: str, arguments: t.Mapping[str, t.Any], **options: t.Any) -> Result:
        answer = self._note(arguments["state"], dict(arguments))
        return t.cast("Result", answer.pop(0) if isinstance(answer, list) else answer)

    def begun(self, **options: t.Any) -> Result:
        return t.cast("Result", self._note("begun", options))

    def done(self, **options: t.Any) -> Result:
        return t.cast("Result", self._note("done", options))

    def failed(self, **options: t.Any) -> Result:
        return t.cast("Result", self._note("failed", options))

    def _note(self, word: str, options: Result) -> t.Any:
        self.asked.append(word)
        self.options[word] = options
        return self._answers.get(word, {})

    def migration(self, name: str = "expand", given: Result | None = None) -> drive.Migration:
        phase = phase_of(GIVEN if given is None else given, name)
        assert phase is not None
        return drive.Migration(phase, self, self, {"token": 7}, [], self.shown.append)


def test_a_phase_is_read_judged_claimed_applied_and_recorded() -> None:
    world = World(READ)
    assert drive.migrate(world.migration())["msg"] == "applied b"
    assert world.asked == ["read", "begun", "applied", "done"]
    assert world.options["applied"]["claim"] == {"token": 7}
    assert world.options["done"]["applied"] is True
    assert world.options["done"]["version"] == "b"
    assert world.options["begun"]["database"] == "database 'shop' on db1"


def test_nothing_pending_claims_nothing() -> None:
    world = World({**READ, "pending": []})
    assert drive.migrate(world.migration())["msg"] == "database 'shop' on db1: nothing to expand"
    assert world.asked == ["read"]


def test_what_is_unsafe_in_this_phase_is_not_begun() -> None:
    world = World({**READ, "sql": "ALTER TABLE t DROP COLUMN c;"})
    with pytest.raises(RolloutError) as caught:
        drive.migrate(world.migration())
    assert caught.value.message == (
        "database 'shop' on db1: the linter found 1 unsafe statement for the phase expand; the first: expand of database "
        "'shop' on db1:1: error: drop_column: Drops column t.c, which the running version may still use. The safe way: Do it "
        "in the contract phase, once no host runs a version that uses it. Nothing was migrated."
    )
    assert world.asked == ["read"]


def test_a_contract_says_what_it_removes() -> None:
    world = World({**READ, "sql": "ALTER TABLE t DROP COLUMN c; DROP TABLE old;"})
    drive.migrate(world.migration("contract"))
    assert world.options["done"]["lost"] == "drops column t.c; drops table old"


def test_a_contract_that_waits_is_no_failure() -> None:
    world = World({**READ, "sql": "DROP TABLE old;"}, begun={"go": False, "msg": "shop: the contract waits: app2"})
    assert drive.migrate(world.migration("contract")) == {
        "changed": False, "go": False, "msg": "shop: the contract waits: app2",
    }  # fmt: skip
    assert world.asked == ["read", "begun"]


def test_a_failure_is_recorded_with_where_the_database_stands() -> None:
    failed = {"failed": True, "msg": "it broke", "version": "a2", "kind": "locked"}
    world = World(READ, applied=failed)
    with pytest.raises(RolloutError, match="it broke") as caught:
        drive.migrate(world.migration())
    assert caught.value.result["kind"] == "locked"
    assert world.asked == ["read", "begun", "applied", "failed"]
    assert (world.options["failed"]["version"], world.options["failed"]["error"]) == ("a2", "it broke")


SWAP = "ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t;"
POOLER = {"urls": ["postgresql://admin:secret@db1:6432/pgbouncer"], "limit": "10s"}


def test_tables_are_swapped_only_while_the_pooler_is_paused() -> None:
    with pytest.raises(RolloutError, match="Puts another table in the place of"):
        drive.migrate(World({**READ, "sql": SWAP}).migration())
    world = World({**READ, "sql": SWAP})
    drive.migrate(world.migration(given={**GIVEN, "pooler": POOLER}))
    assert world.options["applied"]["pooler"] == {**POOLER, "resume": False}


def test_what_an_interrupted_run_has_left_paused_is_resumed_though_nothing_is_pending() -> None:
    world = World({**READ, "pending": [], "paused": ["PgBouncer on db1:6432"]}, begun={"go": True, "interrupted": True})
    drive.migrate(world.migration(given={**GIVEN, "expand": {"pooler": POOLER}}))
    assert world.asked == ["read", "begun", "applied", "done"]
    assert world.options["applied"]["pooler"]["resume"] is True


def test_a_backfill_is_repeated_until_nothing_is_left() -> None:
    batch = "UPDATE t SET c = 1 WHERE id IN (SELECT id FROM t WHERE c IS NULL LIMIT 1000)"
    runs = [{"rows": 5000, "finished": False}, {"rows": 3, "finished": True, "version": ""}]
    world = World({**READ, "pending": []}, batched=runs)
    given = {**GIVEN, "migrate": {"batch": batch}}
    assert drive.migrate(world.migration("migrate", given))["msg"] == (
        "database 'shop' on db1: 5003 rows changed, none is left"
    )
    assert world.asked == ["read", "begun", "batched", "batched", "done"]


def test_a_backfill_without_a_bound_is_not_begun() -> None:
    world = World({**READ, "pending": []})
    given = {**GIVEN, "migrate": {"batch": "UPDATE t SET c = 1"}}
    with pytest.raises(RolloutError, match="update_all_rows"):
        drive.migrate(world.migration("migrate", given))


def test_check_mode_reads_and_judges_only() -> None:
    world = World(READ)
    assert drive.rehearse(world.migration())["msg"] == "database 'shop' on db1: would apply b"
    assert world.asked == ["read"]


def test_a_phase_has_its_own_settings_on_top_of_all() -> None:
    phase = phase_of({**GIVEN, "directory": "db", "lock_timeout": "3s", "expand": {"directory": "db/expand"}}, "expand")
    assert phase is not None
    assert phase.tool_options == {
        "tool": "alembic",
        "directory": "db/expand",
        "database_url": GIVEN["database_url"],
        "lock_timeout": "3s",
    }
    assert phase_of(GIVEN, "migrate") is None
    assert phase_of({}, "expand") is None


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            "alembic",
            "rollout_migrations must be a dictionary with database_url, tool, and the phases expand, migrate and contract.",
        ),
        ({"tool": "sql", "expand": {}}, "rollout_migrations.database_url is needed."),
        (
            {"tool": "sql", "database_url": "postgresql://h/d"},
            "rollout_migrations names no phase; give it expand, migrate or contract, such as expand: {}.",
        ),
        (
            {**GIVEN, "expand": "head"},
            "rollout_migrations.expand must be a dictionary, such as {target: 7ad1e0c9b2f4}.",
        ),
    ],
)
def test_settings_that_cannot_be_right(given: t.Any, error: str) -> None:
    assert settings_errors(given) == [error]
    with pytest.raises(InputError):
        phase_of(given, "expand")


def test_an_address_that_cannot_be_one_is_not_shown() -> None:
    with pytest.raises(InputError) as caught:
        phase_of({**GIVEN, "database_url": "oracle://shop:secret@db1/shop"}, "expand")
    assert caught.value.message == (
        "rollout_migrations.database_url: is not the address of a database; expected "
        "postgresql://user:password@host:5432/name or mysql://user:password@host:3306/name."
    )


def test_what_was_judged_before_is_applied_without_reading_it_once_more() -> None:
    """Users waited for the linter, behind the page, where the same had been judged before it."""
    world = World(READ)
    migration = world.migration()
    migration.judged = drive.judge_first(migration)
    assert drive.migrate(migration)["msg"] == "applied b"
    assert world.asked == ["read", "begun", "applied", "done"]
    assert world.options["applied"]["expected_pending"] == ["b"]
