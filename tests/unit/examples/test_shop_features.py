# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from support import examples

features = examples.module("shop", "features")
SHARE = {"name": "flexibleRollout", "parameters": {"rollout": "100"}}


@pytest.mark.parametrize(
    ("strategy", "is_for_all"),
    [
        (SHARE, True),
        ({"name": "default"}, True),
        ({**SHARE, "parameters": {"rollout": "50"}}, False),
        ({**SHARE, "constraints": [{}]}, False),
        ({**SHARE, "segments": [1]}, False),
        ({"name": "userWithId"}, False),
    ],
)
def test_a_strategy_of_unleash_counts_only_where_it_is_for_everybody(
    strategy: dict[str, t.Any], is_for_all: bool
) -> None:
    assert features._is_for_all(strategy) is is_for_all


@pytest.mark.parametrize(
    ("state", "default", "is_on"), [("ENABLED", "on", True), ("ENABLED", "off", False), ("DISABLED", "on", False)]
)
def test_a_definition_of_flagd(tmp_path: pathlib.Path, state: str, default: str, is_on: bool) -> None:
    path = tmp_path / "flags.json"
    flag = {"state": state, "variants": {"on": True, "off": False}, "defaultVariant": default}
    path.write_text(json.dumps({"flags": {"a": flag}}), encoding="utf-8")
    assert features._flagd("a", {"path": str(path)}) is is_on
    assert features._flagd("b", {"path": str(path)}) is False
