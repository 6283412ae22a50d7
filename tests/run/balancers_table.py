# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes README.md's table of what each load balancer can do from what its backend declares; --check only compares."""

from __future__ import annotations

import importlib
import pathlib
import sys
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
BEGIN, END = "<!-- balancers: begin -->\n", "<!-- balancers: end -->\n"

sys.path.insert(0, str(REPOSITORY / ".collections"))

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract, registry

PACKAGE = registry.__name__.rpartition(".")[0]


def backends() -> dict[str, type[contract.Balancer]]:
    """The class behind each kind of pool, by its title."""
    return {title: _class(place) for row in registry.TYPES.values() for title, place in row.faces.items()}


def _class(place: str) -> type[contract.Balancer]:
    module, dummy, name = place.partition(":")
    return t.cast("type[contract.Balancer]", getattr(importlib.import_module(f"{PACKAGE}.{module}"), name))


TITLES = {
    contract.CAN_DRAIN: "drain",
    contract.CAN_MAINTAIN: "maintenance",
    contract.CAN_END_SESSIONS: "cut what is in flight",
    contract.CAN_SAVE: "keep states over a reload",
    contract.CAN_WEIGH: "weights",
    contract.CAN_WEIGH_AT_ONCE: "all weights at once",
    contract.CAN_ROUTE: "header routes",
    contract.CAN_PAGE: "maintenance page",
    contract.CAN_COUNT: "counters",
    contract.CAN_LOG: "request log",
    contract.CAN_ADD: "add and remove members",
}


def table(found: t.Mapping[str, type[contract.Balancer]]) -> str:
    """The table, and below it the reasons, numbered in the order in which they are needed."""
    reasons: dict[str, int] = {}
    rows = [
        f"| {name} | {' | '.join(_cell(backend, capability, reasons) for capability in TITLES)} |"
        for name, backend in found.items()
    ]
    head = [f"| | {' | '.join(TITLES.values())} |", f"|---|{'---|' * len(TITLES)}"]
    return "\n".join([*head, *rows, "", *(f"{number}. {_sentence(reason)}" for reason, number in reasons.items()), ""])


def _cell(backend: type[contract.Balancer], capability: str, reasons: dict[str, int]) -> str:
    if capability not in backend.capabilities:
        return f"no ({reasons.setdefault(backend.lacks[capability], len(reasons) + 1)})"
    if capability == contract.CAN_WEIGH:
        return f"0, {backend.weight_limits.lowest} to {backend.weight_limits.highest}"
    return "yes"


def _sentence(reason: str) -> str:
    """With a capital, but for names that have none."""
    return f"{reason}." if reason.startswith("nginx") else f"{reason[0].upper()}{reason[1:]}."


def rendered(readme: str, found: t.Mapping[str, type[contract.Balancer]]) -> str:
    before, dummy, rest = readme.partition(BEGIN)
    return before + BEGIN + table(found) + END + rest.partition(END)[2]


def main() -> int:
    readme = README.read_text(encoding="utf-8")
    wanted = rendered(readme, backends())
    if "--check" in sys.argv:
        if readme != wanted:
            print(f"{README.name}: the table of load balancers is not what they declare; run {sys.argv[0]}")
        return int(readme != wanted)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
