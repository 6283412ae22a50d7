# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules: what each refuses in which phase, and the safe way. Which statement breaks which rule is in tree.py and words.py."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import (
    BREAKS,
    LOCKS,
    LOSES,
    UNKNOWN,
    Rule,
)

CANNOT_TELL = "cannot_tell"
LATER = "Do it in the contract phase, once no host runs a version that uses it."

ALL = (
    # What the version that still runs would stumble over.
    Rule("drop_column", BREAKS, "EE-", "drops column {}, which the running version may still use", LATER),
    Rule("drop_table", BREAKS, "EE-", "drops {}, which the running version may still use", LATER),
    Rule("drop_object", BREAKS, "EE-", "drops {}, which the running version may still use", LATER),
    Rule("drop_default", BREAKS, "EE-", "drops the default of {}, which inserts of the running version may rely on", LATER),
    Rule(
        "rename_column",
        BREAKS,
        "EEE",
        "renames column {}: the running version fails at once, and so does the new one before",
        "Add a column of the new name, have both written, copy in batches, and drop the old one in a later contract.",
    ),
    Rule(
        "rename_table",
        BREAKS,
        "EEE",
        "renames {}: the running version fails at once, and so does the new one before",
        "Create a view of the other name in the same transaction and drop it in a later contract, or rename while the "
        "service is stopped (recreate).",
    ),
    Rule(
        "swap_tables",
        LOCKS,
        "EEE",
        "puts another table in the place of {}: what is written between the copy and the swap is lost, and all "
        "queries wait",
        "Swap while the pooler is paused, or while the service is stopped (recreate).",
    ),
    Rule(
        "rename_value",
        BREAKS,
        "EEE",
        "renames a value of type {}: the running version reads and writes the old one",
        "Add the new value, migrate the rows in batches, and stop using the old one in a later contract.",
    ),
    Rule(
        "replace_code",
        BREAKS,
        "WWW",
        "replaces {}, which the running version uses from this moment on too",
        "Create it under a new name, and drop the old one in the contract phase.",
    ),
    Rule(
        "create_trigger",
        BREAKS,
        "WWW",
        "creates trigger {}, which fires on the running version's writes too and blocks writes while it is created",
        "Make sure that it accepts what the running version writes, and that lock_timeout is set.",
    ),
    Rule(
        "unique_for_old_writes",
        BREAKS,
        "WW-",
        "makes {} unique: inserts of the running version that are duplicates fail",
        "Have the version before write no duplicates first.",
    ),
    Rule(
        "check_for_old_writes",
        BREAKS,
        "WW-",
        "adds a constraint to {}, which applies to the running version's writes too",
        "Make sure that it writes nothing that the constraint refuses, or add it in the contract phase.",
    ),
    Rule("revoke", BREAKS, "EE-", "takes a permission away on {}", LATER),
    Rule(
        "row_security",
        BREAKS,
        "EEE",
        "switches row security of {}: the running version may see no rows at all",
        "Create the policies first and test them as the service's user; then do it while the service is stopped.",
    ),
    # What makes users wait.
    Rule(
        "change_column_type",
        LOCKS,
        "EEE",
        "changes the type of {}: the whole table is rewritten while nobody can use it, and the running version may "
        "not know the new type",
        "Add a column of the new type, have both written, copy in batches, and drop the old one in a later contract.",
    ),
    Rule(
        "widen_column",
        LOCKS,
        "WWW",
        "changes the type of {}: without a rewrite only if it is a shorter varchar today, which the statement does not show",
        "Look at the type with \\d first; from any other type, add a new column and copy in batches.",
    ),
    Rule(
        "add_not_null_column",
        BREAKS,
        "EEE",
        "adds column {} with NOT NULL and no default: it fails on a table with rows, and every insert of the running "
        "version fails",
        "Add it with a constant default, or without NOT NULL; set NOT NULL in the contract phase.",
    ),
    Rule(
        "set_not_null",
        LOCKS,
        "EEE",
        "sets {} to NOT NULL: the whole table is read under an exclusive lock, and inserts without a value fail",
        "In the contract phase: ADD CONSTRAINT ... CHECK (column IS NOT NULL) NOT VALID; VALIDATE CONSTRAINT in a "
        "transaction of its own; then SET NOT NULL, which reads nothing any more.",
    ),
    Rule(
        "not_null_for_old_writes",
        BREAKS,
        "EE-",
        "sets {} to NOT NULL: inserts of the running version without a value fail",
        LATER,
    ),
    Rule(
        "volatile_default",
        LOCKS,
        "EEE",
        "adds column {} with a default that differs by row: the whole table is rewritten while nobody can use it",
        "Add it without a default, SET DEFAULT afterwards for new rows, and fill the old ones in batches.",
    ),
    Rule(
        "computed_column",
        LOCKS,
        "EEE",
        "adds column {} whose values are computed: the whole table is rewritten while nobody can use it",
        "Add a plain column, have it written by the service or a trigger, and fill the old rows in batches.",
    ),
    Rule(
        "numbered_column",
        LOCKS,
        "EEE",
        "adds column {} that numbers the rows: the whole table is rewritten while nobody can use it",
        "Add a plain column, create a sequence, SET DEFAULT nextval(...), and fill the old rows in batches.",
    ),
    Rule(
        "add_unique_column",
        LOCKS,
        "EEE",
        "adds column {} with an index, which is built while nobody can write",
        "Add the column alone, CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... USING INDEX.",
    ),
    Rule(
        "add_checked_column",
        LOCKS,
        "EEE",
        "adds column {} with a CHECK: the whole table is read while nobody can use it",
        "Add the column alone, ADD CONSTRAINT ... CHECK (...) NOT VALID, then VALIDATE CONSTRAINT.",
    ),
    Rule(
        "add_reference_column",
        LOCKS,
        "WWW",
        "adds column {} with a foreign key: writes to both tables wait for it",
        "Set lock_timeout, or add the column alone and the constraint afterwards, NOT VALID, then VALIDATE CONSTRAINT.",
    ),
    Rule(
        "add_foreign_key",
        LOCKS,
        "EEE",
        "adds a foreign key to {}, which is checked for all rows while nobody can write to either table",
        "ADD CONSTRAINT ... NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own.",
    ),
    Rule(
        "add_check",
        LOCKS,
        "EEE",
        "adds a CHECK to {}, for which the whole table is read while nobody can use it",
        "ADD CONSTRAINT ... CHECK (...) NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own.",
    ),
    Rule(
        "add_unique",
        LOCKS,
        "EEE",
        "adds a unique constraint to {}, whose index is built while nobody can use the table",
        "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... UNIQUE USING INDEX.",
    ),
    Rule(
        "add_primary_key",
        LOCKS,
        "EEE",
        "adds a primary key to {}, whose index is built while nobody can use the table",
        "CREATE UNIQUE INDEX CONCURRENTLY over columns that are NOT NULL, then ADD CONSTRAINT ... PRIMARY KEY USING INDEX.",
    ),
    Rule(
        "add_exclusion",
        LOCKS,
        "EEE",
        "adds an exclusion constraint to {}, whose index is built while nobody can use the table; there is no other way",
        "Add it while the service is stopped (recreate), or to a new table that rows are copied to in batches.",
    ),
    Rule(
        "create_index",
        LOCKS,
        "EEE",
        "builds an index on {} while nobody can write to it",
        "CREATE INDEX CONCURRENTLY, in a migration without a transaction.",
    ),
    Rule(
        "drop_index",
        LOCKS,
        "EEE",
        "drops index {} under an exclusive lock on its table",
        "DROP INDEX CONCURRENTLY, in a migration without a transaction.",
    ),
    Rule(
        "concurrently_in_transaction",
        LOCKS,
        "EEE",
        "does {} CONCURRENTLY inside a transaction, which PostgreSQL refuses",
        "Give it a migration of its own without a transaction: transaction:false (dbmate), autocommit_block() (alembic), "
        "atomic = False (Django).",
    ),
    Rule(
        "reindex",
        LOCKS,
        "EEE",
        "rebuilds {} while nobody can write",
        "REINDEX ... CONCURRENTLY, in a migration without a transaction.",
    ),
    Rule(
        "rewrite_table",
        LOCKS,
        "EEE",
        "rewrites {} while nobody can use it",
        "Do it while the service is stopped (recreate), or copy to a new table in batches.",
    ),
    Rule(
        "refresh_view",
        LOCKS,
        "EEE",
        "refreshes {} while nobody can read it",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index.",
    ),
    Rule(
        "lock_table",
        LOCKS,
        "EEE",
        "locks {} for as long as the transaction lasts",
        "Work in batches whose rows are locked by SELECT ... FOR UPDATE SKIP LOCKED.",
    ),
    Rule(
        "several_locks",
        LOCKS,
        "WWW",
        "locks {} in the same transaction as another table: each waits for the other's users, and deadlocks are possible",
        "Give each table a migration of its own.",
    ),
    Rule(
        "attach_partition",
        LOCKS,
        "WWW",
        "attaches a partition to {}: it is read under a lock unless a CHECK proves its bounds",
        "Add the CHECK to the partition first, NOT VALID, then VALIDATE CONSTRAINT.",
    ),
    Rule(
        "detach_partition",
        LOCKS,
        "EEE",
        "detaches a partition of {} under an exclusive lock, and the running version does not find its rows any more",
        "In the contract phase DETACH PARTITION ... CONCURRENTLY, in a migration without a transaction.",
    ),
    Rule(
        "no_lock_timeout",
        LOCKS,
        "EEE",
        "removes the limit for waiting for locks: every query waits behind a migration that waits",
        "Leave lock_timeout as the rollout sets it, or set it to a few seconds.",
    ),
    Rule(
        "algorithm_not_given",
        LOCKS,
        "EEE",
        "changes {} without naming ALGORITHM and LOCK: the server copies the table, silently, where it must",
        "Add ALGORITHM=INSTANT, or ALGORITHM=INPLACE, LOCK=NONE: it fails at once where that is impossible.",
    ),
    Rule(
        "algorithm_copy",
        LOCKS,
        "EEE",
        "copies {} or blocks all writes to it meanwhile",
        "ALGORITHM=INPLACE, LOCK=NONE; where that is impossible, gh-ost or pt-online-schema-change.",
    ),
    Rule(
        "table_copy",
        LOCKS,
        "EEE",
        "makes the server copy {}, with writes blocked",
        "Use gh-ost or pt-online-schema-change, or do it while the service is stopped (recreate).",
    ),
    # What loses or spoils data.
    Rule(
        "update_all_rows",
        LOSES,
        "EEE",
        "updates every row of {} in one statement: rows stay locked, replicas fall behind, and nothing can be resumed",
        "Update in batches by a range of the key, in the migrate phase.",
    ),
    Rule(
        "delete_all_rows",
        LOSES,
        "EEE",
        "deletes every row of {}",
        "Say which rows by WHERE, in batches, in the migrate phase; to give up a table, DROP it in a later contract.",
    ),
    Rule(
        "unbounded_change",
        LOCKS,
        "EEE",
        "changes an unbounded number of rows of {} in one statement",
        "Work in batches in the migrate phase: WHERE id BETWEEN ... AND ..., or WHERE id IN (SELECT ... LIMIT 1000), repeated.",
    ),
    Rule(
        "unproven_bound",
        LOCKS,
        "WWW",
        "changes rows of {}; how many, the statement does not show",
        "Bound it by a range of the key or a LIMIT, or accept it where it is known to be few.",
    ),
    Rule(
        "truncate",
        LOSES,
        "EEE",
        "empties {}, at once and for every version, under an exclusive lock",
        "DELETE in batches what is not needed any more, or DROP the table in a later contract.",
    ),
    Rule(
        "drop_database",
        LOSES,
        "EEE",
        "drops {} with all that is in it",
        "Do it by hand, after a backup; no rollout needs it.",
    ),
    Rule(
        "checks_off",
        LOSES,
        "EEE",
        "switches off {}, so that data becomes inconsistent unnoticed",
        "Leave the checks on and work in batches.",
    ),
    Rule(
        CANNOT_TELL,
        UNKNOWN,
        "EWE",
        "what this does is not known ({}), so it counts as unsafe",
        "Write it in plain SQL statements, or review it and accept it by a comment above it: "
        "-- lint: allow cannot_tell because ...",
    ),
)  # fmt: skip

BY_NAME = {rule.name: rule for rule in ALL}
