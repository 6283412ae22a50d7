# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of every module is YAML, and lists the options that it takes."""

from __future__ import annotations

import importlib
import pathlib

import pytest
import yaml
from support.documented import accepted, documented

MODULES = pathlib.Path(__file__).parents[4] / "plugins" / "modules"
NAMES = sorted(path.stem for path in MODULES.glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_documentation(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.steady.rollout.plugins.modules.{name}")
    for part in (module.DOCUMENTATION, module.RETURN, module.EXAMPLES):
        assert yaml.safe_load(part)
    assert accepted(module) == documented(module)
