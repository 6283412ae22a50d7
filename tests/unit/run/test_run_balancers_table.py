# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from run import balancers_table

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract

ABLE: t.Any = type(
    "Able", (), {"capabilities": contract.ALL_CAPABILITIES, "weight_limits": contract.WeightLimits(1, 9)}
)
UNABLE: t.Any = type(
    "Unable", (), {"capabilities": (), "lacks": dict.fromkeys(contract.ALL_CAPABILITIES, "it is a stone")}
)


def test_every_capability_has_a_column() -> None:
    assert tuple(balancers_table.TITLES) == contract.ALL_CAPABILITIES


def test_what_is_lacking_has_its_reason_below_the_table_once() -> None:
    lines = balancers_table.table({"one": ABLE, "two": UNABLE}).splitlines()
    assert lines[2] == "| one | yes | yes | yes | yes | 0, 1 to 9 | yes | yes | yes | yes | yes | yes |"
    assert lines[3] == f"| two |{' no (1) |' * 11}"
    assert lines[4:] == ["", "1. It is a stone."]


def test_the_rest_of_the_page_stays_as_it_is() -> None:
    page = f"before\n{balancers_table.BEGIN}old\n{balancers_table.END}after\n"
    new = balancers_table.rendered(page, {"one": ABLE})
    assert new.startswith(f"before\n{balancers_table.BEGIN}| |")
    assert new.endswith(f"{balancers_table.END}after\n")
