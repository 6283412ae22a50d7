# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much room there is where a path is to be."""

from __future__ import annotations

import os
import pathlib

from support.cores import call_core

from ansible_collections.steady.rollout.plugins.modules import disk_info


def test_a_path_that_is_not_there_yet_is_judged_by_the_nearest_folder(tmp_path: pathlib.Path) -> None:
    found = call_core(disk_info, path=str(tmp_path / "opt" / "shop")).result
    assert (found["path"], found["place"]) == (str(tmp_path / "opt" / "shop"), str(tmp_path))
    assert 0 < found["free"] <= found["size"]
    assert found["writable"]
    assert found["msg"] == f"{found['free'] / 1e6:.0f} MB are free at {tmp_path}"


def test_file_systems_without_a_limit_of_files(tmp_path: pathlib.Path) -> None:
    found = call_core(disk_info, path=str(tmp_path)).result
    system = os.statvfs(tmp_path)
    assert (found["free_inodes"] is None) == (system.f_files == 0)
