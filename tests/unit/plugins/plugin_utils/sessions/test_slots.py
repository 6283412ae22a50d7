# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import slots


def test_a_place_is_free_again_when_its_holder_is_gone(tmp_path: pathlib.Path) -> None:
    held = [slots.taken(str(tmp_path), "a", 2) for _number in range(3)]
    assert held[2] is None
    os.close(held[0] or -1)
    assert slots.taken(str(tmp_path), "a", 2) is not None


def test_a_place_held_by_a_killed_process_is_free(tmp_path: pathlib.Path) -> None:
    child = os.fork()
    if child == 0:
        slots.taken(str(tmp_path), "a", 1)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert slots.taken(str(tmp_path), "a", 1) is not None


def test_a_directory_that_others_can_use_is_refused(tmp_path: pathlib.Path) -> None:
    """/tmp/steady-rollout-<uid>, made beforehand by somebody else, was used."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    with pytest.raises(slots.NotPrivate) as refused:
        slots.private_directory(str(shared))
    assert refused.value.message == (
        f"{shared} must be a directory of uid {os.geteuid()} with mode 0700; found owner {os.geteuid()} and mode 0755. "
        "Find out who made it, remove it and run again."
    )


def test_a_link_to_a_directory_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(slots.NotPrivate):
        slots.private_directory(str(tmp_path / "link"))


def test_a_link_in_the_place_of_a_file_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        slots.taken(str(tmp_path), "a", 1)
    assert not (tmp_path / "elsewhere").exists()
