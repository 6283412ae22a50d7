# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of lb_route and lb_page says is what they accept and return."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from support.documented import accepted, documented

from ansible_collections.steady.rollout.plugins.module_utils.pools import header_route, maintenance_page
from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route

RESULTS = {lb_page: maintenance_page.nothing_done, lb_route: header_route.nothing_done}


@pytest.mark.parametrize("module", [lb_page, lb_route])
def test_options(module: t.Any) -> None:
    assert accepted(module) == documented(module)


@pytest.mark.parametrize("module", [lb_page, lb_route])
def test_results(module: t.Any) -> None:
    assert set(yaml.safe_load(module.RETURN)) | {"changed"} == set(RESULTS[module]("shop"))
