# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what ran and prints it: one table, and a last line that is easy to find."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t
from xml.etree import ElementTree


@dataclasses.dataclass(frozen=True)
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


PASSED, FAILED, SKIPPED = Count(passed=1), Count(failed=1), Count(skipped=1)


@dataclasses.dataclass(frozen=True)
class Line:
    """One part of a run. *note* is empty, or says in one sentence why the part failed or could not run."""

    part: str
    result: str
    seconds: float
    count: Count
    note: str = ""


def count_step(succeeded: bool, reports: t.Iterable[pathlib.Path]) -> Count:
    """What a step contributes: its reports' tests, or itself as one where it wrote none.

    A step that failed counts at least one failure, so that no total hides it.
    """
    count = sum((count_junit(report) for report in reports), Count())
    if count == Count():
        return PASSED if succeeded else FAILED
    if not succeeded and not count.failed:
        return count + FAILED
    return count


def count_junit(report: pathlib.Path) -> Count:
    """The tests of a JUnit report; an unreadable one is a failure."""
    try:
        root = ElementTree.parse(report).getroot()
    except (OSError, ElementTree.ParseError):
        return FAILED
    suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
    return sum((count_suite(suite) for suite in suites), Count())


def count_suite(suite: ElementTree.Element) -> Count:
    total, failures, errors, skipped = (
        int(suite.get(name) or 0) for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return Count(max(total - failed - skipped, 0), failed, skipped)


def summary(lines: t.Sequence[Line]) -> str:
    """The table of all parts; its last line holds the totals alone."""
    rows = [("part", "result", "seconds", "passed", "failed", "skipped"), *(cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [render(row, widths) for row in rows]
    notes = [f"{line.part}: {line.note}" for line in lines if line.note]
    total = sum((line.count for line in lines), Count())
    return "\n".join([*table, "", *notes, *([""] if notes else []), str(total)])


def cells(line: Line) -> tuple[str, ...]:
    count = line.count
    return (line.part, line.result, f"{line.seconds:.0f}", str(count.passed), str(count.failed), str(count.skipped))


def render(row: t.Sequence[str], widths: t.Sequence[int]) -> str:
    """Words to the left, numbers to the right."""
    padded = [
        cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))
    ]
    return "  ".join(padded).rstrip()
