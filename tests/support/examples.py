# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads the programs of examples/ for tests; they are scripts, not a package."""

from __future__ import annotations

import importlib
import pathlib
import sys
import types

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def module(folder: str, name: str) -> types.ModuleType:
    path = str(EXAMPLES / folder)
    if path not in sys.path:
        sys.path.append(path)
    return importlib.import_module(name)
