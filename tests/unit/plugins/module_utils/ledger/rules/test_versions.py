# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host reports is data (invariant 19): a version becomes a path and part of a user's commands."""

from __future__ import annotations

import pytest
from support.ledger_client import LedgerClient, fleet

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, versions

HOSTILE = ["1.0.0; touch x", "$(id)", "../1", "1 0", "current", "-rf", "1\n", "", None, 1, "v" * 200]


@pytest.mark.parametrize("reported", HOSTILE)
def test_what_cannot_be_a_version_is_unknown(reported):
    assert versions.known(reported) is None


@pytest.mark.parametrize("reported", ["1.0.0", "2024-01-01_3", "v1+build.5", "1~rc1"])
def test_versions(reported):
    assert versions.known(reported) == reported


def test_what_a_host_reports_never_becomes_a_version_to_roll_back_to():
    """It was once executed in a user's shell task."""
    ledger = LedgerClient()
    ledger.open()
    plan = ledger.plan(fleet(2, version="1.0.0; touch x"))
    assert [row["from"] for row in plan["plan"]] == [None, None]
    assert ledger.admit("app1")["previous"] is None
    assert ledger.host("failed", "app1", kind="start", error="x")["go_back"] is False


def test_an_old_record_is_no_better_than_a_host():
    assert failure.last_proven_version(["1.0.0", "1.0.0; touch x"], "2.0.0", ()) == "1.0.0"


def test_a_hostile_version_is_not_opened():
    with pytest.raises(InputError, match="version: '2; reboot' cannot name a release"):
        LedgerClient().open("2; reboot")


@pytest.mark.parametrize("revision", ["7", "2026-11-22", "4f3a9c"])
def test_a_version_and_its_revision_are_one_value(revision):
    both = versions.joined("2.1.0", revision)
    assert both == f"2.1.0 revision {revision}"
    assert versions.known(both) == both
    assert versions.split(both) == ("2.1.0", revision)
    assert versions.of_target(versions.target(both)) == both


@pytest.mark.parametrize("reported", ["2.1.0 revision 7", "2.1.0 revision ", " revision 7"])
def test_no_host_reports_a_revision_in_its_version(reported):
    assert versions.single(reported) is None


def test_a_hostile_revision_is_not_opened():
    with pytest.raises(InputError, match="revision: '7; reboot' cannot name a release"):
        LedgerClient().open("2.0.0", revision="7; reboot")


@pytest.mark.parametrize(
    ("asked", "running", "is_on_it"),
    [
        ("2.1.0", "2.1.0", True),
        ("2.1.0", "2.1.0 revision 7", True),
        ("2.1.0", "2.0.0 revision 7", False),
        ("2.1.0 revision 7", "2.1.0 revision 7", True),
        ("2.1.0 revision 7", "2.1.0 revision 8", False),
        ("2.1.0 revision 7", "2.1.0", False),
        ("2.1.0", None, False),
        (None, "2.1.0", False),
        (None, None, True),
    ],
)
def test_whether_a_host_is_on_what_was_asked_for(asked, running, is_on_it):
    assert versions.covers(asked, running) is is_on_it


@pytest.mark.parametrize(
    ("asked", "running", "target"),
    [
        ("2.1.0", "2.0.0 revision 7", "2.1.0 revision 7"),
        ("2.1.0", "2.0.0", "2.1.0"),
        ("2.1.0 revision 8", "2.0.0 revision 7", "2.1.0 revision 8"),
        (None, "2.0.0 revision 7", None),
    ],
)
def test_a_host_keeps_its_revision_where_none_is_asked_for(asked, running, target):
    assert versions.kept(asked, running) == target


@pytest.mark.parametrize(
    ("version", "revision", "records", "runs"),
    [
        ("2.1.0", None, ["2.1.0 revision 7"], "2.1.0 revision 7"),
        ("2.1.0", "8", ["2.1.0 revision 7"], "2.1.0 revision 8"),
        (None, "7", ["2.1.0 revision 7"], "2.1.0 revision 7"),
        (None, "8", ["2.1.0 revision 7"], None),
        (None, None, ["2.1.0 revision 7"], None),
        ("2.0.0", None, ["2.1.0 revision 7"], "2.0.0"),
        ("2.1.0", None, [], "2.1.0"),
        # It was on its way from one to the other when its run was interrupted.
        ("2.1.0", None, ["2.1.0 revision 7", "2.1.0 revision 8"], None),
        ("2.1.0", "8", ["2.1.0 revision 7", "2.1.0 revision 8"], "2.1.0 revision 8"),
        ("2.1.0", None, ["2.0.0 revision 7", "2.1.0 revision 7"], "2.1.0 revision 7"),
    ],
)
def test_what_a_host_runs_by_what_it_shows_and_by_the_records(version, revision, records, runs):
    assert versions.recognised(version, revision, records) == runs


def test_a_bad_version_is_bad_with_every_revision_and_a_bad_revision_with_its_version_only():
    bad = versions.BadVersions({"2.0.0": {"why": "x"}, "2.1.0 revision 8": {"why": "y"}})
    assert [one in bad for one in ("2.0.0 revision 7", "2.1.0 revision 8", "2.1.0", "2.1.0 revision 7", None)] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("drill", [versions.DRILL, versions.PASSING_DRILL])
def test_a_host_that_an_interrupted_drill_left_does_not_keep_its_revision(drill: str) -> None:
    """The next release would have been a drill, and would have failed on purpose."""
    running = f"1.0.0 revision {drill}"
    assert versions.kept("1.1.0", running) == "1.1.0"
    assert versions.kept("1.1.0", "1.0.0 revision 7") == "1.1.0 revision 7"
    assert versions.is_drill(running)
    assert versions.fails_on_purpose(running) is (drill == versions.DRILL)
