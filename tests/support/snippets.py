# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration of load balancers that the documentation of modules shows: what is shown is what is tested."""

from __future__ import annotations

import typing as t

INDENT = "#   "


def snippet(module: t.Any, begins: str) -> str:
    """The indented lines of the one comment in the EXAMPLES of *module* whose first line has *begins*, in order."""
    blocks = [block for block in comments(module.EXAMPLES) if begins in block[0]]
    if len(blocks) != 1:
        raise AssertionError(f"{module.__name__}: {len(blocks)} comments begin with '{begins}'")
    return "".join(f"{line[2:]}\n" for line in blocks[0] if line.startswith(INDENT))


def comments(text: str) -> list[list[str]]:
    """Blocks of lines that are comments."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("#"):
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]
