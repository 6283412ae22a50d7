# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a host's rollout, by what they are about in the folder steps. Their order is in host.py."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.admission import Admission
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.reports import Reports


class HostSteps(Admission, Reports):
    """One host on its way."""
