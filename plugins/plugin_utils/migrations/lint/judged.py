# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of migration_lint to its result."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import core, squawk
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import (
    ERROR,
    POSTGRESQL,
    WARNING,
    Setting,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located

Result = t.Dict[str, t.Any]
NOTHING_JUDGED: Result = {"changed": False, "findings": [], "errors": 0, "warnings_found": 0, "statements": 0}
FAILING = {"error": (ERROR,), "warning": (ERROR, WARNING), "never": ()}


def texts_of(options: t.Mapping[str, t.Any], search: t.Sequence[str]) -> list[tuple[str, str]]:
    """Names and contents of what is to be judged. Raises InputError."""
    texts = [(name, _read(name, search)) for name in options["files"]]
    if options.get("sql") is not None:
        texts.append(("sql", options["sql"]))
    if not texts:
        raise InputError("files, sql: one of them must be given, for there is nothing to judge.")
    return texts


def result_of(options: t.Mapping[str, t.Any], texts: t.Sequence[tuple[str, str]]) -> Result:
    """Raises RolloutError."""
    report = report_of(options, texts)
    failing = [finding for severity in FAILING[options["fail_on"]] for finding in report.of(severity)]
    return {
        **NOTHING_JUDGED,
        "failed": bool(failing),
        "msg": "\n".join([*(finding.text for finding in report.findings), report.summary]),
        "findings": [_shown(finding) for finding in report.findings],
        "errors": len(report.errors),
        "warnings_found": len(report.warnings),
        "statements": report.statements,
    }


def report_of(options: t.Mapping[str, t.Any], texts: t.Sequence[tuple[str, str]]) -> core.Report:
    setting = Setting(
        database=options["database"],
        phase=options["phase"],
        in_transaction=options["transaction"],
        traffic=options["traffic"],
    )
    return core.together([_report(name, text, setting, options) for name, text in texts])


REMOVES = ("drop_column", "drop_table", "drop_object")


def removed_by(database: str, text: str) -> str:
    """What the statements remove, in words; empty where nothing."""
    found = core.lint("sql", text, Setting(database=database)).findings
    parts = [finding.message.partition(",")[0] for finding in found if finding.rule in REMOVES]
    return "; ".join(part[:1].lower() + part[1:] for part in dict.fromkeys(parts))


def _report(name: str, text: str, setting: Setting, options: t.Mapping[str, t.Any]) -> core.Report:
    report = core.lint(name, text, setting)
    if not options["squawk"] or setting.database != POSTGRESQL:
        return report
    return squawk.merged(report, name, text, setting, str(options.get("server_version") or ""))


def _shown(finding: t.Any) -> Result:
    shown = dataclasses.asdict(finding)
    del shown["last_line"]
    return {**shown, "found_by": list(shown["found_by"])}


def _read(name: str, search: t.Sequence[str]) -> str:
    path = located(name, search)
    if not os.path.isfile(path):
        raise InputError(f"files: '{name}' does not exist: give a path relative to the playbook or the inventory.")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"files: {path} cannot be read: {error}.") from error
