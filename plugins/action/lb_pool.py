# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs lb_pool in the worker where its connection is local."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction


class ActionModule(InWorkerAction):
    module = "lb_pool"
    kind_of_silence = "balancer"
