# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Files that are there after a crash, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents, files
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError


def read_json(path: str) -> t.Any:
    """The content of a JSON file, None where there is none; RolloutError where it is not JSON."""
    try:
        with open(path, encoding="utf-8") as stream:
            return documents.parsed(stream.read())
    except FileNotFoundError:
        return None
    except ValueError:
        raise RolloutError(f"{path} is not JSON, so its content is unknown. Check it, then remove it.") from None


def write_json(path: str, content: t.Any) -> None:
    """Replaces a JSON file, at one instant and on disk."""
    files.replace(path, json.dumps(content), files.Access(0o644))


def sync(path: str) -> None:
    """Waits until a file or directory is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(top: str) -> None:
    """Waits until all below a directory is on disk. Cheaper after writing everything than file by file."""
    for directory, dummy, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                sync(path)
        sync(directory)


def remove(path: str) -> None:
    """Removes a file or tree as far as it can be removed."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        os.unlink(path)
