# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from run import flags_table

from ansible_collections.steady.rollout.plugins.module_utils.flags import contract

ABLE: t.Any = type("Able", (), {"capabilities": contract.ALL_CAPABILITIES})
UNABLE: t.Any = type(
    "Unable", (), {"capabilities": (), "lacks": dict.fromkeys(contract.ALL_CAPABILITIES, "it is a stone")}
)


def test_every_capability_has_a_column() -> None:
    assert tuple(flags_table.TITLES) == contract.ALL_CAPABILITIES


def test_what_is_lacking_has_its_reason_below_the_table_once() -> None:
    lines = flags_table.table({"one": ABLE, "two": UNABLE}).splitlines()
    assert lines[2] == f"| One |{' yes |' * 7}"
    assert lines[3] == f"| Two |{' no (1) |' * 7}"
    assert lines[4:] == ["", "1. It is a stone."]


def test_the_rest_of_the_page_stays_as_it_is() -> None:
    page = f"before\n{flags_table.BEGIN}old\n{flags_table.END}after\n"
    new = flags_table.rendered(page, {"one": ABLE})
    assert new.startswith(f"before\n{flags_table.BEGIN}| |")
    assert new.endswith(f"{flags_table.END}after\n")
