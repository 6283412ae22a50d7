# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges files of migrations: the collection's rules, and squawk's findings where it is installed."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import (
    alterations,
    source,
    sqlglot_parser,
    tree,
    words,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import (
    ALLOWED,
    ERROR,
    MYSQL,
    WARNING,
    Finding,
    Hit,
    Setting,
    Statement,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.rules import BY_NAME, CANNOT_TELL

SHOWN = 200


@dataclasses.dataclass(frozen=True)
class Report:
    findings: t.Sequence[Finding]
    statements: int

    @property
    def errors(self) -> list[Finding]:
        return self.of(ERROR)

    @property
    def warnings(self) -> list[Finding]:
        return self.of(WARNING)

    def of(self, severity: str) -> list[Finding]:
        """The findings that nobody has accepted."""
        return [finding for finding in self.findings if finding.severity == severity and not finding.accepted]

    @property
    def summary(self) -> str:
        accepted = sum(1 for finding in self.findings if finding.accepted)
        counts = [
            f"{len(self.errors)} error{'' if len(self.errors) == 1 else 's'}",
            f"{len(self.warnings)} warning{'' if len(self.warnings) == 1 else 's'}",
            *([f"{accepted} accepted"] if accepted else []),
        ]
        return f"{self.statements} statement{'' if self.statements == 1 else 's'}: {', '.join(counts)}."


def lint(file: str, text: str, setting: Setting) -> Report:
    """All findings of one file, in the order of its lines. *setting* is not changed."""
    part, transaction = source.forward_part(text)
    state = dataclasses.replace(
        setting,
        in_transaction=setting.in_transaction if transaction is None else transaction,
        created=set(setting.created),
        not_null_checks={},
        validated=set(),
        locked=set(),
        renamed={},
    )
    statements = source.statements(part, state.database)
    hits = [(statement, hit) for statement in statements for hit in _hits(statement, state)]
    swapped = {hit.subject for dummy, hit in hits if hit.rule == "swap_tables"}
    findings = [_finding(file, statement, _as_swap(hit, swapped), state) for statement, hit in hits]
    return Report(list(dict.fromkeys(one for one in findings if one)), len(statements))


def _as_swap(hit: Hit, swapped: t.Collection[str]) -> Hit:
    """A table that is renamed to make room for another is half of a swap."""
    table = hit.subject.partition("table ")[2]
    return Hit("swap_tables", table) if hit.rule == "rename_table" and table in swapped else hit


def together(reports: t.Sequence[Report]) -> Report:
    return Report(
        [finding for report in reports for finding in report.findings], sum(report.statements for report in reports)
    )


def _hits(statement: Statement, state: Setting) -> t.Iterator[Hit]:
    if statement.problem:
        yield Hit(CANNOT_TELL, statement.problem)
        return
    if words.begins_transaction(statement):
        state.in_transaction = True
    if words.ends_transaction(statement):
        state.in_transaction = False
        state.locked.clear()
    work = words.concurrent_work(statement)
    if work and state.in_transaction and state.database != MYSQL:
        yield Hit("concurrently_in_transaction", work)
    by_words = words.hits(statement, state)
    yield from by_words if by_words is not None else _by_tree(statement, state)


def _by_tree(statement: Statement, state: Setting) -> t.Iterator[Hit]:
    try:
        node = sqlglot_parser.tree(statement.text, state.database)
    except sqlglot_parser.CannotParse as error:
        yield Hit(CANNOT_TELL, str(error))
        return
    yield from tree.hits(node, statement, state)
    yield from _several_locks(node, state)


def _several_locks(node: t.Any, state: Setting) -> t.Iterator[Hit]:
    if node.key not in ("alter", "drop", "truncatetable") or not state.in_transaction or state.database == MYSQL:
        return
    table = alterations.table_name(node.args.get("this")) if node.key == "alter" else ""
    if not table or table in state.created or str(node.args.get("kind")).upper() != "TABLE":
        return
    if state.locked - {table}:
        yield Hit("several_locks", table)
    state.locked.add(table)


def _finding(file: str, statement: Statement, hit: Hit, state: Setting) -> Finding | None:
    rule = BY_NAME[hit.rule]
    severity = rule.severity(state.phase, state.traffic)
    if severity == ALLOWED:
        return None
    problem = rule.problem.format(hit.subject)
    return Finding(
        file=file,
        line=statement.line,
        rule=rule.name,
        severity=severity,
        message=f"{problem[:1].upper()}{problem[1:]}. The safe way: {rule.safe}",
        statement=" ".join(statement.text.split())[:SHOWN],
        accepted=statement.accepted.get(rule.name, ""),
        last_line=max(statement.line, statement.last_line),
    )
