# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest
from run.tally import FAILED, PASSED, SKIPPED, Count, Line, count_junit, count_step, summary

PYTEST_REPORT = """\
<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1.5"/></testsuites>
"""


def report(folder: pathlib.Path, text: str) -> pathlib.Path:
    path = folder / "report.xml"
    path.write_text(text)
    return path


def test_junit_counts_errors_as_failures(tmp_path: pathlib.Path) -> None:
    assert count_junit(report(tmp_path, PYTEST_REPORT)) == Count(passed=4, failed=3, skipped=3)


def test_junit_adds_up_suites(tmp_path: pathlib.Path) -> None:
    two = '<testsuites><testsuite tests="1"/><testsuite tests="2" skipped="1"/></testsuites>'

    assert count_junit(report(tmp_path, two)) == Count(passed=2, skipped=1)


def test_junit_takes_a_bare_suite(tmp_path: pathlib.Path) -> None:
    assert count_junit(report(tmp_path, '<testsuite tests="2" failures="1"/>')) == Count(passed=1, failed=1)


@pytest.mark.parametrize("text", ["", "<testsuites><testsuite"])
def test_an_unreadable_report_is_a_failure(tmp_path: pathlib.Path, text: str) -> None:
    assert count_junit(report(tmp_path, text)) == FAILED


@pytest.mark.parametrize(("succeeded", "expected"), [(True, PASSED), (False, FAILED)])
def test_a_step_without_reports_counts_as_one(succeeded: bool, expected: Count) -> None:
    assert count_step(succeeded, []) == expected


def test_a_failed_step_is_not_hidden_by_a_clean_report(tmp_path: pathlib.Path) -> None:
    clean = report(tmp_path, '<testsuite tests="2"/>')

    assert count_step(False, [clean]) == Count(passed=2, failed=1)


def test_a_failed_step_is_not_counted_twice(tmp_path: pathlib.Path) -> None:
    assert count_step(False, [report(tmp_path, PYTEST_REPORT)]) == Count(passed=4, failed=3, skipped=3)


def test_the_summary_ends_with_the_totals_alone() -> None:
    lines = [
        Line("lint", "ok", 12.4, Count(8)),
        Line("fleet", "not run", 0, SKIPPED, "needs root for its hosts."),
        Line("unit", "FAILED", 100.6, Count(1200, 2, 1), "pytest (exit code 1) failed"),
    ]

    assert summary(lines) == (
        "part   result   seconds  passed  failed  skipped\n"
        "lint   ok            12       8       0        0\n"
        "fleet  not run        0       0       0        1\n"
        "unit   FAILED       101    1200       2        1\n"
        "\n"
        "fleet: needs root for its hosts.\n"
        "unit: pytest (exit code 1) failed\n"
        "\n"
        "1208 passed, 2 failed, 2 skipped"
    )


def test_the_summary_has_no_gap_where_there_is_nothing_to_note() -> None:
    assert summary([Line("lint", "ok", 1, PASSED)]).splitlines()[2:] == ["", "1 passed, 0 failed, 0 skipped"]
