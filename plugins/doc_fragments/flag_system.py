# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that says where the flags are."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.flags import registry
from ansible_collections.steady.rollout.plugins.plugin_utils.option_docs import documented

DESCRIBED = [
    "Where the applications get their flags from.",
    "The module talks to it from the host where it runs: a file is on that host, a server is reached from there.",
]


class ModuleDocFragment:
    # With its type, for sanity's yamllint takes any plain assignment for text.
    DOCUMENTATION: str = documented("system", DESCRIBED, ["type: dict", "required: true"], registry.options())
