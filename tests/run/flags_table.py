# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes README.md's table of what each flag system can do from what it declares; --check only compares."""

from __future__ import annotations

import importlib
import pathlib
import sys
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
BEGIN, END = "<!-- flags: begin -->\n", "<!-- flags: end -->\n"

sys.path.insert(0, str(REPOSITORY / ".collections"))

from ansible_collections.steady.rollout.plugins.module_utils.flags import contract, registry

PACKAGE = registry.__name__.rpartition(".")[0]
TITLES = {
    contract.CAN_PERCENT: "share of the users",
    contract.CAN_SEGMENTS: "segments",
    contract.CAN_RULES: "targeting rules",
    contract.CAN_GIVE_REASON: "stores the reason of a kill",
    contract.CAN_COMPARE: "refuses concurrent changes",
    contract.CAN_LISTENERS: "lists listeners",
    contract.CAN_AUDIT: "audit",
}


def systems() -> dict[str, type[contract.FlagSystem]]:
    """The class of each type, by its title."""
    return {row.title: _class(row.face) for row in registry.TYPES.values()}


def _class(place: str) -> type[contract.FlagSystem]:
    module, dummy, name = place.partition(":")
    return t.cast("type[contract.FlagSystem]", getattr(importlib.import_module(f"{PACKAGE}.{module}"), name))


def table(found: t.Mapping[str, type[contract.FlagSystem]]) -> str:
    """The table, and below it the reasons, numbered in the order in which they are needed."""
    reasons: dict[str, int] = {}
    rows = []
    for name, system in found.items():
        cells = [
            "yes" if one in system.capabilities else f"no ({reasons.setdefault(system.lacks[one], len(reasons) + 1)})"
            for one in TITLES
        ]
        rows.append(f"| {name[0].upper()}{name[1:]} | {' | '.join(cells)} |")
    notes = [f"{number}. {reason[0].upper()}{reason[1:]}." for reason, number in reasons.items()]
    return "\n".join([f"| | {' | '.join(TITLES.values())} |", f"|---|{'---|' * len(TITLES)}", *rows, "", *notes, ""])


def rendered(readme: str, found: t.Mapping[str, type[contract.FlagSystem]]) -> str:
    before, dummy, rest = readme.partition(BEGIN)
    return before + BEGIN + table(found) + END + rest.partition(END)[2]


def main() -> int:
    readme = README.read_text(encoding="utf-8")
    wanted = rendered(readme, systems())
    if "--check" in sys.argv:
        if readme != wanted:
            print(f"{README.name}: the table of flag systems is not what they declare; run {sys.argv[0]}")
        return int(readme != wanted)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
