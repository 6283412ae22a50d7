# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import constraints


@pytest.mark.parametrize(
    ("version", "constraint", "met"),
    [
        ("2.0.0", ">=2.0", True),
        ("1.9.9", ">=2.0", False),
        ("2.10", ">2.9", True),
        ("2.0.0-rc.1", ">=2.0", False),
        ("2.0.0-rc.2", ">2.0.0-rc.1", True),
        ("2.0.0-rc.10", ">2.0.0-rc.9", True),
        ("2.0.0-1", "<2.0.0-rc", True),
        ("2.0.0+build.5", "==2", True),
        ("2.5.1", ">=2.0, <3", True),
        ("3.0.0", ">=2.0,<3", False),
        ("2.1.0", "!=2.1", False),
        ("2.1.0", "<=2.1", True),
    ],
)
def test_a_version_meets_every_clause(version: str, constraint: str, met: bool) -> None:
    assert constraints.meets(version, constraint) is met


@pytest.mark.parametrize("constraint", ["", "2.0", "~=2.0", ">=", ">=abc", ">=2.0,,<3", "> =2", ">=2.0 <3"])
def test_what_is_no_constraint_is_refused(constraint: str) -> None:
    with pytest.raises(InputError) as refused:
        constraints.meets("2.0", constraint)
    assert str(refused.value.message) == f"'{constraint}' is not a constraint such as '>=2.0' or '>=2.0,<3'"


def test_a_version_without_an_order_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        constraints.meets("d34db33f", ">=2.0")
    assert refused.value.message == "cannot compare 'd34db33f' with '>=2.0': expected a version such as 2.1.0"
