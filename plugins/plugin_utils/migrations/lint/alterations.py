# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ALTER by its tree: one function for each kind of action; what has none cannot be classified."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import MYSQL, Hit, Setting, Statement
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.rules import CANNOT_TELL

Node = t.Any
Hits = t.Iterator[Hit]

STABLE_DEFAULTS = (
    "literal",
    "null",
    "boolean",
    "currenttimestamp",
    "currentdate",
    "currenttime",
    "currentuser",
    "array",
    "neg",
)
VOLATILE = {
    "uuid",
    "rand",
    "randn",
    "uuid_generate_v4",
    "clock_timestamp",
    "timeofday",
    "nextval",
    "random",
    "gen_random_bytes",
}
STABLE_FUNCTIONS = {
    "transaction_timestamp",
    "statement_timestamp",
    "jsonb_build_object",
    "json_build_object",
    "to_jsonb",
}
SERIALS = ("SERIAL", "BIGSERIAL", "SMALLSERIAL")
TEXTS = ("TEXT", "VARCHAR")
NEED_NO_COPY = ("dropprimarykey",)


def hits(node: Node, statement: Statement, setting: Setting) -> Hits:
    kind, table = str(node.args.get("kind") or "").upper(), table_name(node.this)
    actions = node.args.get("actions") or []
    if kind == "INDEX" and all(action.key == "alterrename" for action in actions):
        return
    if kind != "TABLE":
        renames = bool(actions) and all(action.key == "alterrename" for action in actions)
        yield Hit("rename_table", f"{kind.lower()} {table}") if renames else _unknown(f"ALTER {kind}")
        return
    if table in setting.created:
        return
    if setting.database == MYSQL:
        yield from _mysql_options(node, table, actions, statement)
    for action in actions:
        judge = ACTIONS.get(action.key)
        if judge is None:
            yield _unknown(f"an action on table {table}")
        else:
            yield from judge(action, node, table, setting)
    if not actions and not node.args.get("options"):
        yield _unknown(f"an action on table {table}")


def algorithm(table: str, statement: Statement) -> Hits:
    """MySQL copies a table unasked unless the statement forbids it."""
    if statement.algorithm == "COPY" or statement.lock in ("SHARED", "EXCLUSIVE"):
        yield Hit("algorithm_copy", table)
    elif statement.algorithm != "INSTANT" and (statement.algorithm, statement.lock) != ("INPLACE", "NONE"):
        yield Hit("algorithm_not_given", table)


def table_name(node: t.Any) -> str:
    """The name with its schema, in small letters; of a table, a schema of columns, a function or an identifier."""
    while node is not None and node.key in ("schema", "userdefinedfunction", "index"):
        node = node.this
    if node is None:
        return ""
    schema = str(node.args.get("db").name) if node.key == "table" and node.args.get("db") else ""
    return ".".join(part.lower() for part in (schema, str(node.name)) if part)


def dropped(node: Node) -> list[Node]:
    return [one for one in [node.args.get("this"), *(node.args.get("tables") or [])] if one is not None]


def _mysql_options(node: Node, table: str, actions: t.Sequence[Node], statement: Statement) -> Hits:
    options = [option.key for option in node.args.get("options") or []]
    if "engineproperty" in options:
        yield Hit("rewrite_table", table)
    elif actions and not _is_metadata(actions):
        yield from algorithm(table, statement)


def _is_metadata(actions: t.Sequence[Node]) -> bool:
    """What the server always does at once: renames and defaults."""
    return all(
        action.key in ("alterrename", "renameindex") or (action.key == "altercolumn" and not action.args.get("dtype"))
        for action in actions
    )


def _add_column(column: Node, alter: Node, table: str, setting: Setting) -> Hits:
    name = f"{table}.{column.name.lower()}"
    kinds = {
        constraint.args["kind"].key: constraint.args["kind"] for constraint in column.args.get("constraints") or []
    }
    default = kinds.get("defaultcolumnconstraint")
    if default is not None:
        yield from _default(name, default.this, setting)
    not_null = kinds.get("notnullcolumnconstraint")
    if not_null is not None and not not_null.args.get("allow_null") and default is None and not _computes(kinds):
        yield Hit("add_not_null_column", name)
    yield from _column_kinds(name, column, kinds, setting)


def _column_kinds(name: str, column: Node, kinds: dict[str, Node], setting: Setting) -> Hits:
    data_type = column.args.get("kind")
    if (data_type is not None and data_type.this.name in SERIALS) or "generatedasidentitycolumnconstraint" in kinds:
        yield Hit("numbered_column", name)
    if "autoincrementcolumnconstraint" in kinds:
        yield Hit("numbered_column", name)
    if _computes(kinds) and setting.database != MYSQL:
        yield Hit("computed_column", name)
    if {"uniquecolumnconstraint", "primarykeycolumnconstraint"} & set(kinds):
        yield Hit("add_unique_column", name)
    if "checkcolumnconstraint" in kinds:
        yield Hit("add_checked_column", name)
    if "reference" in kinds:
        yield Hit("add_reference_column", name)


def _computes(kinds: t.Mapping[str, Node]) -> bool:
    return bool({"computedcolumnconstraint", "generatedasrowcolumnconstraint"} & set(kinds))


def _default(name: str, value: Node, setting: Setting) -> Hits:
    used = {_function(one) for one in value.walk()} - {""}
    if used & VOLATILE:
        yield Hit("volatile_default", name)
    elif used - STABLE_FUNCTIONS:
        yield Hit(CANNOT_TELL, f"whether {', '.join(sorted(used - STABLE_FUNCTIONS))} differs by row")


def _function(node: Node) -> str:
    """The name of a function whose value is not known to be the same for all rows."""
    if node.key == "anonymous":
        return str(node.name).lower()
    if node.key in ("uuid", "rand", "randn", "select", "subquery", "nextvaluefor"):
        return str({"nextvaluefor": "nextval", "rand": "random"}.get(node.key, node.key))
    return ""


def _drop(action: Node, alter: Node, table: str, setting: Setting) -> Hits:
    kind = str(action.args.get("kind") or "").upper()
    names = [one.name.lower() for one in dropped(action)]
    if kind == "COLUMN":
        yield Hit("drop_column", ", ".join(f"{table}.{name}" for name in names))
    elif kind == "PARTITION":
        yield Hit("drop_table", f"a partition of {table}")
    elif kind not in ("CONSTRAINT", "INDEX", "FOREIGN KEY", "KEY", "CHECK"):
        yield _unknown(f"dropping {kind.lower() or 'something'} of table {table}")


def _drop_primary_key(action: Node, alter: Node, table: str, setting: Setting) -> Hits:
    yield Hit("table_copy", table)


def _rename_column(action: Node, alter: Node, table: str, setting: Setting) -> Hits:
    yield Hit("rename_column", f"{table}.{action.this.name.lower()}")


def _rename(action: Node, alter: Node, table: str, setting: Setting) -> Hits:
    """With TO after a name it is a column's: RENAME a TO b."""
    if any(option.key == "totableproperty" for option in alter.args.get("options") or []):
        yield Hit("rename_column", f"{table}.{table_name(action.this)}")
        return
    new = table_name(action.this)
    yield Hit(
        "swap_tables" if new in setting.renamed else "rename_table", new if new in setting.renamed else f"table {table}"
    )
    setting.renamed[table] = new


def _alter_column(action: Node, alter: Node, table: str, setting: Setting) -> Hits:
    name = f"{table}.{action.this.name.lower()}"
    if action.args.get("dtype") is not None:
        widens = action.args["dtype"].this.name in TEXTS and not action.args.get("using") and setting.database != MYSQL
        yield Hit("widen_column" if widens else "change_column_type", name)
    elif action.args.get("allow_null") is False:
        proven = any(column == name and check in setting.validated for check, column in setting.not_null_checks.items())
        yield Hit("not_null_for_old_writes" if proven else "set_not_null", name)
    elif action.args.get("drop") and not action.args.get("allow_null"):
        yield Hit("drop_default", name)


def _modify_column(action: Node, alter: Node, table: str, setting: Setting) -> Hits:
    old = action.args.get("rename_from")
    new = action.this.name.lower()
    if old is not None and old.name.lower() != new:
        yield Hit("rename_column", f"{table}.{old.name.lower()}")
    else:
        yield Hit("change_column_type", f"{table}.{new}")


def _add_constraint(action: Node, alter: Node, table: str, setting: Setting) -> Hits:
    for one in action.expressions:
        if one.key == "constraint":
            for part in one.expressions:
                yield from _constraint(part, one, alter, table, setting)
        else:
            yield from _constraint(one, one, alter, table, setting)


def _constraint(part: Node, named: Node, alter: Node, table: str, setting: Setting) -> Hits:
    later = bool(alter.args.get("not_valid"))
    if part.key == "foreignkey":
        yield from () if later else (Hit("add_foreign_key", table),)
    elif part.key in ("checkcolumnconstraint", "check"):
        yield Hit("check_for_old_writes" if later else "add_check", table)
        column = _not_null_column(part.this)
        if column:
            setting.not_null_checks[named.name.lower()] = f"{table}.{column}"
    elif part.key == "indexcolumnconstraint" and setting.database == MYSQL:
        return
    elif part.key == "uniquecolumnconstraint":
        yield Hit("unique_for_old_writes" if setting.database == MYSQL else "add_unique", table)
    elif part.key == "primarykey":
        yield Hit("add_primary_key" if setting.database != MYSQL else "table_copy", table)
    elif part.key == "excludecolumnconstraint":
        yield Hit("add_exclusion", table)
    else:
        yield _unknown(f"a constraint of table {table}")


def _not_null_column(condition: Node) -> str:
    """The column of a CHECK (column IS NOT NULL)."""
    is_null = condition
    while is_null is not None and is_null.key == "paren":
        is_null = is_null.this
    negated = is_null is not None and is_null.key == "not"
    if negated:
        is_null = is_null.this
    if is_null is None or is_null.key != "is" or is_null.expression.key != "null":
        return ""
    return str(is_null.this.name).lower() if negated or is_null.args.get("negate") else ""


def _alter_set(action: Node, alter: Node, table: str, setting: Setting) -> Hits:
    option = action.args.get("option")
    if action.args.get("tablespace") is not None or (
        option is not None and option.name.upper() in ("LOGGED", "UNLOGGED")
    ):
        yield Hit("rewrite_table", table)


def _nothing(action: Node, alter: Node, table: str, setting: Setting) -> Hits:
    yield from ()


def _unknown(what: str) -> Hit:
    return Hit(CANNOT_TELL, f"no rule covers {what}")


ACTIONS: dict[str, t.Callable[[Node, Node, str, Setting], Hits]] = {
    "columndef": _add_column,
    "drop": _drop,
    "dropprimarykey": _drop_primary_key,
    "renamecolumn": _rename_column,
    "alterrename": _rename,
    "altercolumn": _alter_column,
    "modifycolumn": _modify_column,
    "addconstraint": _add_constraint,
    "alterset": _alter_set,
    "renameindex": _nothing,
}
