# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What outlives releases: paths that every release links to one place beside them."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release import folders
from ansible_collections.steady.rollout.plugins.module_utils.release.layout import Layout


def unlinked(layout: Layout, tree: str, paths: t.Iterable[str]) -> list[str]:
    """The shared paths that a release does not link to yet."""
    return [path for path in paths if not _is_linked(layout, tree, path)]


def link(layout: Layout, tree: str, paths: t.Iterable[str]) -> None:
    """Links shared paths into a release, an unfinished or a staged one.

    Where nothing is shared yet, what the release brings becomes the beginning; otherwise what it brings is dropped.
    """
    for path in unlinked(layout, tree, paths):
        *above, name = path.split("/")
        try:
            with folders.entered(tree, above, layout.dress) as in_tree, folders.entered(
                layout.shared, above, layout.dress
            ) as in_shared:
                _link(layout, name, in_tree, in_shared, _target(layout, path))
        except folders.NotAFolder as error:
            raise RolloutError(
                f"shared: '{path}' cannot be linked, as {_shown(error.place, tree)} is a symbolic link or not a directory."
            ) from None


def _link(layout: Layout, name: str, in_tree: int, in_shared: int, target: str) -> None:
    if folders.exists(name, in_tree):
        if folders.exists(name, in_shared) or folders.is_link(name, in_tree):
            folders.remove(name, in_tree)
        else:
            os.rename(name, name, src_dir_fd=in_tree, dst_dir_fd=in_shared)
    folders.make(name, in_shared, layout.dress)
    os.symlink(target, name, dir_fd=in_tree)
    layout.own(name, in_tree)
    os.fsync(in_tree)
    os.fsync(in_shared)


def _shown(place: str, tree: str) -> str:
    return f"'{os.path.relpath(place, tree)}' of the release" if place.startswith(f"{tree}/") else place


def _target(layout: Layout, path: str) -> str:
    """The link's text; all releases lie equally deep, so it holds before and after one gets its final name."""
    place = os.path.join(layout.releases, "x", path)
    return os.path.relpath(os.path.join(layout.shared, path), os.path.dirname(place))


def _is_linked(layout: Layout, tree: str, path: str) -> bool:
    place = os.path.join(tree, path)
    return os.path.islink(place) and os.readlink(place) == _target(layout, path)
