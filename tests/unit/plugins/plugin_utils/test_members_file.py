# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch knows of the hosts without evaluating their variables again."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils import members_file
from ansible_collections.steady.rollout.plugins.plugin_utils.survey import Member

HEALTH = {"url": "http://10.0.0.1:8080/health", "headers": {"Authorization": "Bearer secret"}}
WEB1 = Member("web1", "a", "web1", True, HEALTH, "controller", ("http://10.0.0.1:8080/",))
WEB2 = Member("web2", "b", "web2.example", True, HEALTH, "self", outdated=False, may_be_added=True)
WEB3 = Member("web3", "c", "web3", False, HEALTH, "controller")


@pytest.fixture(autouse=True)
def _run_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(members_file.slots, "run_directory", lambda: str(tmp_path))


def test_the_members_that_are_asked_for_are_read_as_they_were_written() -> None:
    path = members_file.write([WEB1, WEB2, WEB3])
    assert members_file.read(path, {"web2", "web1"}) == [WEB1, WEB2]


def test_only_this_user_can_read_the_secrets_of_a_health_check() -> None:
    assert stat.S_IMODE(os.stat(members_file.write([WEB1])).st_mode) == 0o600


def test_two_services_of_one_run_have_a_file_each() -> None:
    assert members_file.write([WEB1]) != members_file.write([WEB2])
