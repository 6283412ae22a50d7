# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a server's configuration that are edited as root, in a directory that others may write to."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from ansible_collections.steady.rollout.plugins.module_utils import files
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
NOBODY = 65534


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "routes.map"
    path.write_text("old")
    path.chmod(0o640)
    return path


@pytest.fixture
def victim(tmp_path: pathlib.Path) -> pathlib.Path:
    victim = tmp_path / "passwd"
    victim.write_text("root")
    return victim


def owned(path: pathlib.Path) -> OwnedFile:
    return OwnedFile(str(path), "lb1", "balancer.route_file")


@pytest.mark.parametrize("kind", ["new", "page-1", "page-1~"])
def test_links_planted_beside_the_file_are_not_followed(path: pathlib.Path, victim: pathlib.Path, kind: str) -> None:
    """Drafts once had names that could be foreseen; root wrote to and gave away whatever they led to."""
    path.with_name(f".routes.map.{kind}").symlink_to(victim)
    owned(path).replace("new")
    owned(path).write_beside("page-1", "sorry")
    assert (victim.read_text(), path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("root", "new", 0o640)
    assert path.with_name(".routes.map.page-1").read_text() == "sorry"


def test_a_link_in_place_of_the_lock_is_refused(path: pathlib.Path, victim: pathlib.Path) -> None:
    path.with_name(".routes.map.lock").symlink_to(victim)
    with pytest.raises(RolloutError) as caught, owned(path).locked():
        pytest.fail("the lock is not a file of ours")
    assert caught.value.message.startswith(f"lb1: {path} cannot be replaced (")
    assert victim.read_text() == "root"


@needs_root
def test_a_file_that_is_another_users_link_is_refused(path: pathlib.Path, victim: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to(victim)
    assert owned(path).path == str(victim)
    os.lchown(path, NOBODY, NOBODY)
    with pytest.raises(RolloutError) as caught:
        owned(path)
    assert caught.value.message == (
        f"lb1: {path} is not edited (it is a symbolic link made by uid 65534). Remove the link, or let "
        "balancer.route_file name the file itself."
    )


def test_a_held_lock_ends_with_an_error(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_defaults = files.locked.__wrapped__.__defaults__[1:]
    monkeypatch.setattr(files.locked.__wrapped__, "__defaults__", (0.0, *other_defaults))
    with owned(path).locked(), pytest.raises(RolloutError) as caught, owned(path).locked():
        pytest.fail("the lock is held")
    assert f"another process has been changing {path} for more than 0 s: pid {os.getpid()} (" in caught.value.message


def test_a_file_of_another_user_would_have_changed_hands(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file belongs to whoever writes it, and only root can give it away."""
    file, owner = owned(path), os.stat(path).st_uid
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    with pytest.raises(RolloutError) as caught:
        file.require_writable()
    assert caught.value.message == (
        f"lb1: uid {NOBODY} may not replace {path}, which belongs to uid {owner}. Use become, or correct "
        "balancer.route_file."
    )
