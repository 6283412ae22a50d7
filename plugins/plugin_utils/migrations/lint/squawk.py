# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What squawk says of a migration for PostgreSQL, merged by line with the collection's own findings."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import source
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.core import Report
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import (
    ALLOWED,
    WARNING,
    Finding,
    Setting,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.rules import BY_NAME

LIMIT = 60.0
OWN_TRANSACTION = re.compile(r"^\s*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE | re.MULTILINE)
"""Statements that alembic prints open their transaction themselves."""
SAME: dict[str, tuple[str, ...]] = {
    "adding-field-with-default": ("volatile_default", "computed_column"),
    "adding-foreign-key-constraint": ("add_foreign_key", "add_reference_column"),
    "adding-not-nullable-field": ("set_not_null", "not_null_for_old_writes", "add_not_null_column"),
    "adding-required-field": ("add_not_null_column",),
    "adding-serial-primary-key-field": ("numbered_column", "add_primary_key", "add_unique_column"),
    "ban-alter-domain-with-add-constraint": (),
    "ban-concurrent-index-creation-in-transaction": ("concurrently_in_transaction",),
    "ban-create-domain-with-constraint": (),
    "ban-drop-column": ("drop_column",),
    "ban-drop-database": ("drop_database",),
    "ban-drop-not-null": (),
    "ban-drop-table": ("drop_table",),
    "ban-truncate-cascade": ("truncate",),
    "changing-column-type": ("change_column_type", "widen_column"),
    "constraint-missing-not-valid": ("add_check", "add_foreign_key"),
    "disallowed-unique-constraint": ("add_unique", "add_unique_column"),
    "renaming-column": ("rename_column",),
    "renaming-table": ("rename_table", "swap_tables"),
    "require-concurrent-index-creation": ("create_index",),
    "require-concurrent-index-deletion": ("drop_index",),
    "syntax-error": ("cannot_tell",),
    "transaction-nesting": (),
}
"""Squawk's rules that are asked for, with the collection's rules that say the same: these decide about the phase."""
LEFT_TO_THE_PHASES = {"ban-drop-not-null", "ban-create-domain-with-constraint"}
"""Rules of squawk's that say nothing about a rollout."""


def merged(report: Report, file: str, text: str, setting: Setting, pg_version: str, program: str = "squawk") -> Report:
    """The report with squawk's findings; without squawk as it is. Raises RolloutError where squawk cannot be understood."""
    path = shutil.which(program, path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]))
    if path is None:
        return report
    part, transaction = source.forward_part(text)
    inside = setting.in_transaction if transaction is None else transaction
    inside = inside and not OWN_TRANSACTION.search(part)
    said = _run(path, part, inside, pg_version)
    return dataclasses.replace(report, findings=merge(report.findings, file, said, setting))


def merge(
    own: t.Sequence[Finding], file: str, said: t.Sequence[t.Mapping[str, t.Any]], setting: Setting
) -> list[Finding]:
    """Confirmed findings name squawk too; what only squawk has found is a warning."""
    result = list(own)
    for one in said:
        rule, line = str(one.get("rule_name")), _line(one)
        if rule not in SAME or rule in LEFT_TO_THE_PHASES:
            continue
        confirmed = [
            number
            for number, finding in enumerate(result)
            if finding.line <= line <= finding.last_line and finding.rule in SAME[rule]
        ]
        for number in confirmed:
            names = (*result[number].found_by, "squawk")
            result[number] = dataclasses.replace(result[number], found_by=tuple(dict.fromkeys(names)))
        if not confirmed and not _is_allowed(SAME[rule], setting):
            result.append(_finding(file, line, rule, one))
    return sorted(result, key=lambda finding: finding.line)


def _is_allowed(same: t.Sequence[str], setting: Setting) -> bool:
    """Whether the phase allows what the collection's own rule is about, so that it was found and passed."""
    return any(BY_NAME[name].severity(setting.phase, setting.traffic) == ALLOWED for name in same)


def _finding(file: str, line: int, rule: str, one: t.Mapping[str, t.Any]) -> Finding:
    help_text = str(one.get("help") or "look it up in squawk's documentation")
    message = f"{str(one.get('message')).rstrip('.')}. The safe way: {help_text.rstrip('.')}."
    return Finding(file, line, f"squawk:{rule}", WARNING, message, "", found_by=("squawk",), last_line=line)


def _line(one: t.Mapping[str, t.Any]) -> int:
    """Squawk counts lines from 0 and names where the statement begins."""
    line = one.get("line")
    return int(line) + 1 if isinstance(line, int) else 1


def _run(path: str, text: str, in_transaction: bool, pg_version: str) -> list[dict[str, t.Any]]:
    argv = [path, "--reporter", "Json", "--stdin-filepath", "migration.sql"]
    argv += ["--pg-version", pg_version] if pg_version else []
    argv += ["--assume-in-transaction"] if in_transaction else []
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=LIMIT, check=False)
        said = json.loads(done.stdout or "[]")
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise RolloutError(f"squawk ({path}) did not answer: {error}. Fix it or set squawk: false.") from error
    if done.returncode not in (0, 1) or not isinstance(said, list):
        raise RolloutError(
            f"squawk ({path}) ended with exit code {done.returncode}: {(done.stderr or done.stdout).strip()[:300]}. "
            "Fix it or set squawk: false."
        )
    return [one for one in said if isinstance(one, dict)]
