# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the options that describe load balancers, from the registry of their types."""

from __future__ import annotations

import json

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.options import Option

SHOWN = ("type", "elements", "choices", "default", "required")
INTRODUCTION = "Set it once for all modules of the group with C(module_defaults) and C(group/steady.rollout.balancer)."


def one_node() -> str:
    """The option 'balancer', as YAML."""
    described = ["One pool on one node of a load balancer.", INTRODUCTION]
    return _documented("balancer", described, ["type: dict", "required: true"])


def all_nodes() -> str:
    """The option 'balancers' of modules that read several nodes."""
    described = ["The pool on every node of the load balancer.", INTRODUCTION]
    return _documented("balancers", described, ["type: list", "elements: dict"]).replace(
        "O(balancer.", "O(balancers[]."
    )


def _documented(name: str, described: list[str], kind: list[str]) -> str:
    lines = ["options:", f"  {name}:", "    description:", *_items(described, 6), *(f"    {line}" for line in kind)]
    lines.append("    suboptions:")
    for option_name, option in registry.options().items():
        lines += [f"      {option_name}:", *_option(option)]
    return "".join(f"{line}\n" for line in lines)


def _option(option: Option) -> list[str]:
    facts = [f"        {name}: {json.dumps(option.spec[name])}" for name in SHOWN if name in option.spec]
    return ["        description:", *_items(option.docs, 10), *facts]


def _items(texts: list[str] | tuple[str, ...], indent: int) -> list[str]:
    """JSON's strings are YAML's, too, and need no rules for quoting."""
    return [f"{' ' * indent}- {json.dumps(text)}" for text in texts]
