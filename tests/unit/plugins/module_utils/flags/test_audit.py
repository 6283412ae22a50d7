# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit over fifty flags of all kinds against a list written by hand."""

from __future__ import annotations

import pytest
from support.fifty_flags import BY_HAND, DAY, FIFTY, NOW, RULES, flag
from support.flag_doubles import FileLike, InMemory

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import audit, info


def test_fifty_flags() -> None:
    assert len(FIFTY) == 50
    assert [tuple(one) for one in audit.findings(FIFTY, RULES, NOW, sees_use=True)] == BY_HAND


def test_only_some_kinds() -> None:
    rules = RULES._replace(kinds=("kill-switch",), older_than=80 * DAY)
    found = audit.findings(FIFTY, rules, NOW, sees_use=True)
    assert [one.flag for one in found] == [f"kill{number}" for number in range(5)]


def test_use_and_tickets_are_judged_only_where_they_can_be() -> None:
    found = audit.findings(FIFTY, RULES._replace(ticket=None), NOW, sees_use=False)
    assert {one.check for one in found} == {"old", "full", "stale"}


def test_markdown_that_nobody_can_break_out_of() -> None:
    one = flag("old", age=400, kind="a|b @team <script>")
    found = audit.findings([one, flag("young")], RULES, NOW, sees_use=True)
    assert audit.markdown([one, flag("young")], found) == (
        "| flag | state | kind | created | findings |\n|---|---|---|---|---|\n"
        "| old | off | a\\|b \\@team \\<script\\> | 2024-12-29 | is 400 days old |\n"
    )
    assert audit.markdown([flag("young")], []) == ""


def test_the_module_fails_for_findings_if_so_set() -> None:
    system = InMemory(flag("old", age=400), flag("young", on_for=1))
    params = {"names": [], "fail_on": "never", "system": {}}
    result = info.report(system, params, RULES, NOW)
    assert result["msg"] == "memory: 2 flags, 1 on, 1 to clean up: old"
    assert result["text"] == [
        "flag   state  kind     created     findings",
        "old    off    release  2024-12-29  is 400 days old",
        "young  on     release  2026-01-28  -",
    ]
    with pytest.raises(RolloutError) as failed:
        info.report(system, {**params, "fail_on": "findings"}, RULES, NOW)
    assert (
        failed.value.message == "memory: 2 flags, 1 on, 1 to clean up: old. Remove these flags, or name their reason."
    )
    assert failed.value.result["findings"] == result["findings"]
    assert info.report(system, {**params, "names": ["young"], "fail_on": "findings"}, RULES, NOW)["findings"] == []


def test_a_file_cannot_be_audited() -> None:
    with pytest.raises(InputError) as refused:
        info.report(FileLike(), {"names": [], "fail_on": "never", "system": {}}, RULES, NOW)
    assert refused.value.message == ("memory: this type of flag system cannot be audited: it is as simple as a file.")
