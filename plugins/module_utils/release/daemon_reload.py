# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether systemd has to read the files of a unit anew before a restart.

It reads the files of all units each time, which takes it a tenth of a second and more, and its own NeedDaemonReload does
not count a file that was replaced by one with an older date. That is what a rollback does to a unit that comes with the release.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import units
from ansible_collections.steady.rollout.plugins.module_utils.units import RunCommand

PROPERTIES = ("LoadState", "NeedDaemonReload", "FragmentPath", "SourcePath", "DropInPaths")
LOADED_AT = "UnitsLoadTimestampMonotonic"
"""When systemd last read the files of all units, in microseconds; older versions do not say it."""
GENERATED = "/run/systemd/generator"
MARGIN = 2.0
"""Seconds by which a file system may date a change too early."""
MOST_LINKS = 40


def is_needed(
    run_command: RunCommand,
    unit: str,
    now: t.Callable[[], float] = time.time,
    monotonic: t.Callable[[], float] = time.monotonic,
) -> bool:
    """True in every case of doubt."""
    found = _properties(run_command, "--property=" + ",".join(PROPERTIES), "--", unit)
    paths = [found.get("FragmentPath", ""), *found.get("DropInPaths", "").split()]
    loaded_at = _properties(run_command, f"--property={LOADED_AT}").get(LOADED_AT, "")
    if found.get("LoadState") != "loaded" or found.get("NeedDaemonReload") != "no" or not loaded_at.isdecimal():
        return True
    if found.get("SourcePath") or not all(path.startswith("/") and not path.startswith(GENERATED) for path in paths):
        return True
    moment = now() - (monotonic() - int(loaded_at) / 1e6) - MARGIN
    return any(has_changed_since(path, moment) for path in paths)


def has_changed_since(path: str, moment: float) -> bool:
    """Whether the file, or a link on the way to it, was put there or changed after *moment*; true where it is not there."""
    try:
        return any(os.lstat(one).st_ctime > moment for one in _links_and_file(path))
    except OSError:
        return True


def _links_and_file(path: str) -> list[str]:
    """Every symbolic link that leads from *path* to its file, and the file. Raises OSError where one leads nowhere."""
    found: list[str] = []
    place, left = "/", [part for part in path.split("/") if part]
    while left:
        here = os.path.join(place, left.pop(0))
        if not os.path.islink(here):
            place = os.path.normpath(here)
            continue
        found.append(here)
        if len(found) > MOST_LINKS:
            raise OSError(f"{path} leads through more than {MOST_LINKS} links")
        target = os.readlink(here)
        place = "/" if target.startswith("/") else place
        left = [part for part in target.split("/") if part] + left
    return [*found, place]


def _properties(run_command: RunCommand, *words: str) -> dict[str, str]:
    status, found, _said = units.show(run_command, *words)
    return {} if status else found
