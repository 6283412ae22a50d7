# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adds to the request who makes it, and proves that a killed run of this machine is over before it is replaced."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.takes_lease import TakesLease


class ActionModule(TakesLease):
    module = "rollout"
    announced = {"opened": "opening the ledger", "planned": "planning"}
