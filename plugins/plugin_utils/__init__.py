# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nearly all of what a rollout loads is imported after this."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils import bytecode

bytecode.keep()
