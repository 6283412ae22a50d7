# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote import answering


def test_a_bug_is_a_failure_that_asks_for_a_report() -> None:
    def core(_call: object) -> dict[str, object]:
        raise KeyError("x")

    reply = answering.answer(core, {}, False, False)
    assert answering.result_of(reply, "release on app1") == {
        "changed": False,
        "failed": True,
        "msg": "release on app1 ended with KeyError: 'x'. Please report this as a bug.",
    }
