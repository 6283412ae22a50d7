# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under Ansible's own loader of collections, a file of the collection is compiled once and not in every run."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils import bytecode

REPOSITORY = pathlib.Path(__file__).resolve().parents[4]
LOAD = """
import sys
compiled = []
sys.addaudithook(lambda event, given: compiled.append(str(given[1])) if event == "compile" else None)
from ansible.plugins.loader import action_loader, callback_loader, init_plugin_loader
init_plugin_loader([sys.argv[1]])
callback_loader.get("steady.rollout.progress")
action_loader.get("steady.rollout.roll_host", class_only=True)
print(*sorted({file.rpartition("/plugins/")[2] for file in compiled if "/steady/rollout/" in file}))
"""
ROLLS = "plugin_utils/roll/host.py"


@pytest.fixture
def compiled(tmp_path: pathlib.Path) -> list[str]:
    """The files that each of two runs compiles, in a line each."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": ""}
    argv = [sys.executable, "-c", LOAD, str(REPOSITORY / ".collections")]
    return [
        subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout for dummy in range(2)
    ]


def test_every_run_compiled_all_files_of_the_collection_anew(compiled: list[str]) -> None:
    first, second = (set(line.split()) for line in compiled)
    assert ROLLS in first - second
    assert len(second) < len(first) / 5, "those that the callback itself imports"


def test_what_is_not_of_the_collection_is_left_to_others() -> None:
    found = bytecode.Finder().find_spec("ansible_collections.other.one.plugins.plugin_utils.x", [str(REPOSITORY)])
    assert found is None


def test_a_folder_without_an_init_file_is_left_to_others(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bare").mkdir()
    assert bytecode.Finder().find_spec(f"{bytecode.OURS}bare", [str(tmp_path)]) is None


def test_it_is_installed_once() -> None:
    bytecode.install()
    bytecode.install()
    assert sum(isinstance(one, bytecode.Finder) for one in sys.meta_path) == 1
