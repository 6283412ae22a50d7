# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib

import pytest
from fleet.lab import base
from fleet.lab.places import LabError

UNITS = pathlib.Path("etc/systemd/system")
NOWHERE = "/lib/systemd/system/of-a-package-that-only-the-tree-has.service"


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """A tree as Debian leaves it. The links lead to files that are in the tree and not on this machine."""
    for link in (
        "multi-user.target.wants/ssh.service",
        "multi-user.target.wants/apache2.service",
        "multi-user.target.wants/nginx.service",
        "getty.target.wants/getty@tty1.service",
        "sockets.target.requires/other.socket",
    ):
        (tmp_path / UNITS / link).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / UNITS / link).symlink_to(NOWHERE)
    (tmp_path / UNITS / "getty@.service").symlink_to(NOWHERE)
    return tmp_path


def links(root: pathlib.Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(folder, name), root / UNITS)
        for folder, _folders, names in os.walk(root / UNITS)
        for name in names
        if os.path.join(folder, name) not in {str(root / UNITS / masked) for masked in base.MASKED}
    }


def test_units_of_packages_that_this_machine_lacks_stayed_enabled_in_the_tree(root: pathlib.Path) -> None:
    base.set_units(root)

    assert links(root) == {"multi-user.target.wants/ssh.service"}
    base.check_units(root)


def test_a_tree_that_would_start_something_else_is_refused(root: pathlib.Path) -> None:
    base.set_units(root)
    (root / UNITS / "multi-user.target.wants/ssh.service").rename(
        root / UNITS / "multi-user.target.wants/nginx.service"
    )
    (root / UNITS / "getty@.service").unlink()

    with pytest.raises(LabError) as refused:
        base.check_units(root)

    assert str(refused.value) == (
        f"the common tree {root} is not as its hosts need it: nginx.service is enabled and should not be; "
        "ssh.service is not enabled; getty@.service is not masked."
    )
