# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that says which pool on which load balancer node."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils import balancer_docs


class ModuleDocFragment:
    # With their types, for sanity's yamllint takes any plain assignment for text.
    DOCUMENTATION: str = balancer_docs.one_node()
    NODES: str = balancer_docs.all_nodes()
