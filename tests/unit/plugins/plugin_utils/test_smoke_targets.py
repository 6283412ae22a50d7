# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils import targets


@pytest.mark.parametrize(
    ("health", "url", "found"),
    [
        ({"url": "https://u:p@app1:8443/health?x=y"}, "", [{"name": "app1", "url": "https://u:p@app1:8443"}]),
        ({"url": "https://app1/health"}, "http://app1:8080/api", [{"name": "app1", "url": "http://app1:8080/api"}]),
        ({"tcp": "app1:80"}, "http://app1", [{"name": "app1", "url": "http://app1"}]),
        ({"tcp": "app1:80"}, "", []),
    ],
)
def test_smoke_tests_go_to_their_setting_or_to_that_of_health(
    health: dict[str, t.Any], url: str, found: list[dict[str, str]]
) -> None:
    assert targets.smoke_targets(health, url, "app1") == found
