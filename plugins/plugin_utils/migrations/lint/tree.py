# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements classified by their tree. Every kind of node has a function; a kind without one cannot be classified."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import alterations
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import MYSQL, Hit, Setting, Statement
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.rules import CANNOT_TELL

Node = t.Any
Hits = t.Iterator[Hit]

BOOKKEEPING = {"alembic_version", "schema_migrations", "django_migrations", "steady_migrations"}
"""What migration tools write for themselves, a row at a time."""
HARMLESS_FUNCTIONS = {
    "setval",
    "set_config",
    "pg_advisory_lock",
    "pg_advisory_unlock",
    "pg_advisory_xact_lock",
    "to_regclass",
}
CHANGES = ("update", "delete", "insert", "merge")
DROPPED_FOR_GOOD = ("DATABASE", "SCHEMA")


def hits(node: Node, statement: Statement, setting: Setting) -> Hits:
    """The rules that the statement breaks."""
    judge = JUDGES.get(node.key)
    if judge is None:
        yield Hit(CANNOT_TELL, f"no rule covers {statement.words.split(' ', 1)[0] or 'it'}")
        return
    yield from judge(node, statement, setting)
    queries = node.args.get("with_")
    for query in queries.expressions if queries is not None else ():
        if query.this.key in CHANGES:
            yield from JUDGES[query.this.key](query.this, statement, setting)


def _fine(node: Node, statement: Statement, setting: Setting) -> Hits:
    yield from ()


def _create(node: Node, statement: Statement, setting: Setting) -> Hits:
    kind = str(node.args.get("kind") or "").upper()
    if kind == "INDEX":
        yield from _create_index(node, statement, setting)
    elif kind == "TABLE":
        if not node.args.get("exists"):
            setting.created.add(alterations.table_name(node.this))
    elif kind in ("VIEW", "FUNCTION", "PROCEDURE"):
        if node.args.get("replace"):
            yield Hit("replace_code", f"{kind.lower()} {alterations.table_name(node.this)}")
    elif kind == "TRIGGER":
        yield Hit("create_trigger", node.this.name)
    elif kind not in ("TYPE", "SEQUENCE", "SCHEMA", "DATABASE"):
        yield Hit(CANNOT_TELL, f"no rule covers CREATE {kind}")


def _create_index(node: Node, statement: Statement, setting: Setting) -> Hits:
    table = alterations.table_name(node.this.args.get("table"))
    if table in setting.created:
        return
    if setting.database == MYSQL:
        yield from alterations.algorithm(table, statement)
    elif not node.args.get("concurrently"):
        yield Hit("create_index", table)
    if node.args.get("unique"):
        yield Hit("unique_for_old_writes", table)


def _drop(node: Node, statement: Statement, setting: Setting) -> Hits:
    kind = str(node.args.get("kind") or "").upper()
    names = [alterations.table_name(one) for one in alterations.dropped(node)]
    subject = f"{kind.lower()} {', '.join(names)}"
    if kind == "INDEX":
        yield from _drop_index(node, statement, setting, ", ".join(names))
    elif kind in DROPPED_FOR_GOOD:
        yield Hit("drop_database", subject)
    elif kind in ("TABLE", "VIEW"):
        left = [name for name in names if name not in setting.created]
        if left:
            yield Hit("drop_table", f"{kind.lower()} {', '.join(left)}")
    else:
        yield Hit("drop_object", subject)


def _drop_index(node: Node, statement: Statement, setting: Setting, names: str) -> Hits:
    if setting.database == MYSQL:
        on = node.args.get("cluster")
        yield from alterations.algorithm(alterations.table_name(on.this) if on else names, statement)
    elif not node.args.get("concurrently"):
        yield Hit("drop_index", names)


def _truncate(node: Node, statement: Statement, setting: Setting) -> Hits:
    names = [alterations.table_name(one) for one in node.expressions]
    left = [name for name in names if name not in setting.created]
    if left:
        yield Hit("truncate", ", ".join(left))


def _update(node: Node, statement: Statement, setting: Setting) -> Hits:
    yield from _changed_rows(node, setting, "update_all_rows")


def _delete(node: Node, statement: Statement, setting: Setting) -> Hits:
    yield from _changed_rows(node, setting, "delete_all_rows")


def _changed_rows(node: Node, setting: Setting, without_where: str) -> Hits:
    table = alterations.table_name(node.this)
    if table in setting.created or table.rpartition(".")[2] in BOOKKEEPING:
        return
    where = node.args.get("where")
    if _is_limited(node):
        return
    if where is None or where.this.key == "boolean":
        yield Hit(without_where, table)
    elif not _is_bounded(where.this):
        yield Hit("unproven_bound" if _is_by_value(where.this) else "unbounded_change", table)


def _is_limited(node: Node) -> bool:
    """By a LIMIT of its own, or joined with rows of a query that has one."""
    if node.args.get("limit") is not None:
        return True
    queries = node.args.get("with_")
    joined = {one.name.lower() for key in ("from_", "using") for one in _tables(node.args.get(key))}
    return any(
        query.alias.lower() in joined and query.this.args.get("limit") is not None
        for query in (queries.expressions if queries is not None else ())
    )


def _tables(part: t.Any) -> list[Node]:
    found = part if isinstance(part, list) else [part]
    return [table for one in found if hasattr(one, "find_all") for table in one.find_all(*_kinds(one, "table"))]


def _kinds(node: Node, key: str) -> list[type]:
    return list({type(one) for one in node.walk() if one.key == key})


def _conditions(node: Node) -> list[Node]:
    """The conditions of which all must hold."""
    if node.key == "paren":
        return _conditions(node.this)
    if node.key != "and":
        return [node]
    return [*_conditions(node.this), *_conditions(node.expression)]


def _is_bounded(condition: Node) -> bool:
    """Whether one condition alone limits the rows: a range of a column, a list, the key's value, rows of a limited query."""
    conditions = _conditions(condition)
    sides = {(one.key, one.this.name) for one in conditions if one.key in ("gt", "gte", "lt", "lte")}
    columns = {name for dummy, name in sides}
    if any({"gt", "gte"} & _keys(sides, name) and {"lt", "lte"} & _keys(sides, name) for name in columns):
        return True
    return any(_bounds(one) for one in conditions)


def _keys(sides: set[tuple[str, str]], name: str) -> set[str]:
    return {key for key, column in sides if column == name}


def _bounds(one: Node) -> bool:
    if one.key == "between":
        return True
    if one.key == "in":
        query = one.args.get("query")
        return bool(query.this.args.get("limit")) if query is not None else bool(one.expressions)
    return bool(one.key == "eq" and one.this.key == "column" and one.this.name.lower() == "id")


def _is_by_value(condition: Node) -> bool:
    """Whether a column must have a certain value: maybe a few rows, maybe most."""
    return any(
        one.key == "eq" and one.expression.key in ("literal", "boolean", "placeholder")
        for one in _conditions(condition)
    )


def _insert(node: Node, statement: Statement, setting: Setting) -> Hits:
    table = alterations.table_name(node.this)
    query = node.expression
    if table in setting.created or table.rpartition(".")[2] in BOOKKEEPING or query is None or query.key == "values":
        return
    if query.args.get("limit") is None and (
        query.args.get("where") is None or not _is_bounded(query.args["where"].this)
    ):
        yield Hit("unproven_bound", table)


def _merge(node: Node, statement: Statement, setting: Setting) -> Hits:
    yield Hit("unbounded_change", alterations.table_name(node.this))


def _copy(node: Node, statement: Statement, setting: Setting) -> Hits:
    yield Hit("unproven_bound", alterations.table_name(node.this))


def _select(node: Node, statement: Statement, setting: Setting) -> Hits:
    unknown = sorted({one.name.lower() for one in node.walk() if one.key == "anonymous"} - HARMLESS_FUNCTIONS)
    if unknown:
        yield Hit(CANNOT_TELL, f"function {', '.join(unknown)} may do anything")


def _revoke(node: Node, statement: Statement, setting: Setting) -> Hits:
    yield Hit("revoke", alterations.table_name(node.args.get("securable")))


JUDGES: dict[str, t.Callable[[Node, Statement, Setting], Hits]] = {
    "alter": alterations.hits,
    "create": _create,
    "drop": _drop,
    "truncatetable": _truncate,
    "update": _update,
    "delete": _delete,
    "insert": _insert,
    "merge": _merge,
    "copy": _copy,
    "select": _select,
    "revoke": _revoke,
    "grant": _fine,
    "comment": _fine,
    "analyze": _fine,
    "set": _fine,
    "transaction": _fine,
    "commit": _fine,
    "rollback": _fine,
}
