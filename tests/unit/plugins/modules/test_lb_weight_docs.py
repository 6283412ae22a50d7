# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of lb_weight says is what it accepts and returns."""

from __future__ import annotations

import yaml
from support.documented import accepted, documented

from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.report import nothing_done
from ansible_collections.steady.rollout.plugins.modules import lb_weight


def test_options() -> None:
    assert accepted(lb_weight) == documented(lb_weight)


def test_results() -> None:
    assert set(yaml.safe_load(lb_weight.RETURN)) | {"changed"} == set(nothing_done("shop"))
