# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the options that describe load balancers, from the registry of their types."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.plugin_utils.option_docs import documented

INTRODUCTION = "Set it once for all modules of the group with C(module_defaults) and C(group/steady.rollout.balancer)."


def one_node() -> str:
    """The option 'balancer', as YAML."""
    described = ["One pool on one node of a load balancer.", INTRODUCTION]
    return documented("balancer", described, ["type: dict", "required: true"], registry.options())


def all_nodes() -> str:
    """The option 'balancers' of modules that read several nodes."""
    described = ["The pool on every node of the load balancer.", INTRODUCTION]
    text = documented("balancers", described, ["type: list", "elements: dict"], registry.options())
    return text.replace("O(balancer.", "O(balancers[].")
