# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What outlives releases: paths that every release links to one place beside them."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release import durable
from ansible_collections.steady.rollout.plugins.module_utils.release.layout import Layout


def unlinked(layout: Layout, tree: str, paths: t.Iterable[str]) -> list[str]:
    """The shared paths that a release does not link to yet."""
    return [path for path in paths if not _is_linked(layout, tree, path)]


def link(layout: Layout, tree: str, paths: t.Iterable[str]) -> None:
    """Links shared paths into a release, an unfinished or a staged one.

    Where nothing is shared yet, what the release brings becomes the beginning; otherwise what it brings is dropped.
    """
    for path in unlinked(layout, tree, paths):
        place, shared = os.path.join(tree, path), os.path.join(layout.shared, path)
        _make_way(layout, tree, path)
        layout.make_directory(os.path.dirname(shared))
        if os.path.lexists(place):
            _give(place, shared)
        if not os.path.lexists(shared):
            layout.make_directory(shared)
        os.symlink(_target(layout, path), place)
        layout.own(place)
        durable.sync(os.path.dirname(place))
        durable.sync(os.path.dirname(shared))


def _target(layout: Layout, path: str) -> str:
    """The link's text; all releases lie equally deep, so it holds before and after one gets its final name."""
    place = os.path.join(layout.releases, "x", path)
    return os.path.relpath(os.path.join(layout.shared, path), os.path.dirname(place))


def _is_linked(layout: Layout, tree: str, path: str) -> bool:
    place = os.path.join(tree, path)
    return os.path.islink(place) and os.readlink(place) == _target(layout, path)


def _make_way(layout: Layout, tree: str, path: str) -> None:
    place = tree
    for part in path.split("/")[:-1]:
        place = os.path.join(place, part)
        if os.path.islink(place) or (os.path.exists(place) and not os.path.isdir(place)):
            raise RolloutError(
                f"shared: '{path}' cannot be linked, as '{os.path.relpath(place, tree)}' of the release is no directory."
            )
        layout.make_directory(place)


def _give(place: str, shared: str) -> None:
    if os.path.lexists(shared) or os.path.islink(place):
        durable.remove(place)
    else:
        os.rename(place, shared)
