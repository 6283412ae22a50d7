# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Unpacks an artifact beside the releases, complete and on disk before it becomes one."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durable
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release.archive import unpack
from ansible_collections.steady.rollout.plugins.module_utils.release.layout import Layout
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import Artifact

OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclasses.dataclass(frozen=True)
class Delivery:
    """An artifact that has to be unpacked: *name* to show, *path* of the archive, *size* of its files in bytes."""

    name: str
    path: str
    artifact: Artifact
    size: int


@contextlib.contextmanager
def staged_tree(layout: Layout, delivery: Delivery | None, version: str) -> t.Iterator[str]:
    """The unpacked artifact, in a place that is gone at the end unless it was published from there."""
    if delivery is None:
        yield ""
        return
    tree = layout.unfinished(version, "partial")
    try:
        _refuse_too_big(layout, delivery)
        try:
            _unpack(layout, delivery, tree)
        except OSError as error:
            if error.errno in OUT_OF_SPACE:
                raise out_of_space(layout, delivery) from None
            raise
        yield tree
    finally:
        durable.remove(tree)


def free_bytes(path: str) -> int:
    """What this user may still write on the file system of *path*."""
    system = os.statvfs(path)
    return system.f_frsize * (system.f_bfree if os.geteuid() == 0 else system.f_bavail)


def out_of_space(layout: Layout, delivery: Delivery) -> RolloutError:
    return RolloutError(
        f"{layout.path}: not enough space for {delivery.name}: it needs {_megabytes(delivery.size)} and "
        f"{_megabytes(free_bytes(layout.path))} are free. Nothing was changed. Free some, for example with a smaller "
        "keep, and run again."
    )


def _refuse_too_big(layout: Layout, delivery: Delivery) -> None:
    if delivery.size > free_bytes(layout.path):
        raise out_of_space(layout, delivery)


def _unpack(layout: Layout, delivery: Delivery, tree: str) -> None:
    os.mkdir(tree, 0o700)
    unpack(delivery.path, delivery.artifact.strip, tree, delivery.name)
    layout.own_below(tree)
    durable.sync_tree(tree)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
