# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements classified by their words, because the parser leaves them opaque or takes them for something else."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import MYSQL, Hit, Setting, Statement

NAME = r"[^ (),;]+"
TABLE = rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(?P<subject>{NAME})"
FINE = ""

PATTERNS: tuple[tuple[str, str], ...] = (
    (rf"{TABLE} RENAME CONSTRAINT {NAME} TO {NAME}", FINE),
    (rf"{TABLE} ADD CONSTRAINT {NAME} UNIQUE USING INDEX {NAME}", FINE),
    (rf"{TABLE} ADD CONSTRAINT {NAME} PRIMARY KEY USING INDEX {NAME}", FINE),
    (rf"{TABLE} ALTER (?:COLUMN )?{NAME} SET STATISTICS -? ?\d+", FINE),
    (rf"{TABLE} (?:OWNER TO|REPLICA IDENTITY) .*", FINE),
    (rf"{TABLE} ENABLE TRIGGER {NAME}", FINE),
    (rf"{TABLE} (?:ENABLE|DISABLE|FORCE|NO FORCE) ROW LEVEL SECURITY", "row_security"),
    (rf"{TABLE} DISABLE TRIGGER {NAME}", "checks_off"),
    (rf"{TABLE} SET SCHEMA {NAME}", "rename_table"),
    (rf"{TABLE} ATTACH PARTITION .*", "attach_partition"),
    (rf"{TABLE} DETACH PARTITION {NAME} (?:CONCURRENTLY|FINALIZE)", "drop_object"),
    (rf"{TABLE} DETACH PARTITION {NAME}", "detach_partition"),
    (rf"{TABLE} CONVERT TO CHARACTER SET .*", "table_copy"),
    (rf"{TABLE} (?:PARTITION BY|REMOVE PARTITIONING|REORGANIZE PARTITION|FORCE)\b.*", "table_copy"),
    (rf"ALTER TYPE (?P<subject>{NAME}) ADD VALUE .*", FINE),
    (rf"ALTER TYPE (?P<subject>{NAME}) RENAME VALUE .*", "rename_value"),
    (r"ALTER (?:SEQUENCE|DEFAULT PRIVILEGES|ROLE|USER)\b.*", FINE),
    (r"CREATE (?:EXTENSION|DOMAIN|POLICY|ROLE|USER|STATISTICS|COLLATION|PUBLICATION)\b.*", FINE),
    (r"CREATE (?:PROCEDURE|FUNCTION) .*", FINE),
    (r"CREATE OR REPLACE (?:PROCEDURE|FUNCTION) (?P<subject>[^ (]+).*", "replace_code"),
    (r"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?(?:DEFINER = \S+ )?TRIGGER (?P<subject>\S+).*", "create_trigger"),
    (r"DROP (?P<subject>(?:EXTENSION|DOMAIN|POLICY|RULE|AGGREGATE|ROLE|USER|PUBLICATION)\b.*)", "drop_object"),
    (r"REINDEX (?:\([^)]*\) )?(?P<subject>(?:TABLE|INDEX|SCHEMA|DATABASE|SYSTEM) (?!CONCURRENTLY).*)", "reindex"),
    (r"VACUUM ?(?:\([^)]*\bFULL\b[^)]*\)|FULL)(?P<subject>.*)", "rewrite_table"),
    (r"VACUUM\b.*", FINE),
    (r"CLUSTER (?P<subject>.*)", "rewrite_table"),
    (r"OPTIMIZE (?:NO_WRITE_TO_BINLOG |LOCAL )?TABLE (?P<subject>.*)", "rewrite_table"),
    (r"REFRESH MATERIALIZED VIEW CONCURRENTLY .*", FINE),
    (r"REFRESH MATERIALIZED VIEW (?P<subject>.*)", "refresh_view"),
    (r"LOCK TABLES? (?P<subject>.*)", "lock_table"),
    (r"LOCK (?P<subject>.*)", "lock_table"),
    (r"UNLOCK TABLES", FINE),
    (r"REPLACE INTO (?P<subject>\S+) SELECT .*", "unbounded_change"),
    (r"LOAD DATA .* INTO TABLE (?P<subject>\S+).*", "unproven_bound"),
    (r"EXPLAIN (?!\(?[^)]*ANALYZE).*", FINE),
    (r"(?:START TRANSACTION|BEGIN)\b.*|COMMIT|END|ROLLBACK|(?:SAVEPOINT|RELEASE) .*", FINE),
    (
        r"SET (?:SESSION |LOCAL |@@SESSION\.)?(?:LOCK_TIMEOUT|LOCK_WAIT_TIMEOUT) (?:=|TO) (?:0|DEFAULT)",
        "no_lock_timeout",
    ),
    (r"SET (?:SESSION |@@SESSION\.)?(?P<subject>FOREIGN_KEY_CHECKS|UNIQUE_CHECKS) (?:=|TO) (?:0|OFF)", "checks_off"),
    (r"SET (?:SESSION |LOCAL )?(?P<subject>SESSION_REPLICATION_ROLE)\b.*", "checks_off"),
)
COMPILED = tuple((re.compile(pattern, re.IGNORECASE), rule) for pattern, rule in PATTERNS)
ZERO_AS_TEXT = re.compile(r"lock_timeout\s*(?:=|\bTO\b)\s*'0", re.IGNORECASE)
CONCURRENTLY = re.compile(r"^(?P<subject>(?:CREATE|DROP|REINDEX|ALTER)\b.*?) CONCURRENTLY\b")
RENAMES = re.compile(rf"({NAME}) TO ({NAME})")
VALIDATE = re.compile(rf"{TABLE} VALIDATE CONSTRAINT (?P<constraint>{NAME})")


def hits(statement: Statement, setting: Setting) -> list[Hit] | None:
    """The rules that its words break; None where the words do not show that."""
    words = statement.words
    if words.startswith("RENAME TABLE ") and setting.database == MYSQL:
        return _renamed(words)
    validated = VALIDATE.fullmatch(words)
    if validated:
        setting.validated.add(validated["constraint"].lower())
        return []
    if ZERO_AS_TEXT.search(statement.text):
        return [Hit("no_lock_timeout", "")]
    if words == "REINDEX":
        return None
    if re.match(r"REINDEX .*CONCURRENTLY", words):
        return []
    for pattern, rule in COMPILED:
        found = pattern.fullmatch(words)
        if found:
            return [Hit(rule, _subject(found))] if rule else []
    return None


def concurrent_work(statement: Statement) -> str:
    """What is done CONCURRENTLY, empty where nothing is."""
    found = CONCURRENTLY.match(statement.words)
    return found["subject"].lower() if found and "MATERIALIZED" not in found["subject"] else ""


def begins_transaction(statement: Statement) -> bool:
    return bool(re.match(r"(BEGIN|START TRANSACTION)\b", statement.words))


def ends_transaction(statement: Statement) -> bool:
    return statement.words in ("COMMIT", "END", "ROLLBACK") or bool(
        re.match(r"(COMMIT|END) (WORK|TRANSACTION)", statement.words)
    )


def _renamed(words: str) -> list[Hit]:
    pairs = t.cast("list[tuple[str, str]]", RENAMES.findall(words.split(" ", 2)[2]))
    old, new = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    rule = "swap_tables" if old & new else "rename_table"
    return [Hit(rule, ", ".join(sorted(name.lower() for name in (old & new or old))))]


def _subject(found: re.Match[str]) -> str:
    return (found.groupdict().get("subject") or "").strip().lower()
