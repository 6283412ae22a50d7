# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import Entry


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        (Entry("drain", 2.34, "no session left after 1.9 s"), "app1  drain        2.3 s  no session left after 1.9 s"),
        (Entry("reach", 0.2), "app1  reach        0.2 s  ok"),
        (Entry("fence", 0.2), ""),
        (Entry("report proven", 0.1, "app1 in service on 2.0.0 (1/4)"), "app1 in service on 2.0.0 (1/4)"),
        (Entry("admit", 0.1, "", {"verdict": "stop"}), ""),
        (Entry("wait", 12.3, lines.waited({})), "app1  wait        12.3 s  for its turn"),
        (Entry("wait", 0.4, lines.waited({})), ""),
        (Entry("wait", 0.4, failure={"kind": "coordinator", "error": "no."}), "app1  wait         0.4 s  failed: no."),
    ],
)
def test_the_line_of_a_step(entry: Entry, shown: str) -> None:
    assert lines.of_entry("app1", entry) == shown
