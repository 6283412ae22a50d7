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
