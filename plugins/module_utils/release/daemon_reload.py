# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether systemd has to be reloaded before a restart, which takes it a tenth of a second and more.

Its own NeedDaemonReload is no answer: it misses a file that was replaced by an older one, as a rollback does, and in some
versions a new drop-in or a new unit that takes precedence (systemd issues 31752 and 4500). So all directories that
systemd reads units from are searched for whatever has changed since it read them, for this unit or for any other.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import units
from ansible_collections.steady.rollout.plugins.module_utils.units import RunCommand

OF_UNIT = ("LoadState", "NeedDaemonReload", "FragmentPath", "SourcePath")
FOLDERS, LOADED_AT = "UnitPath", "UnitsLoadTimestampMonotonic"
"""LOADED_AT: microseconds of the monotonic clock. Older versions of systemd do not have it."""
TOUCHED_WHEN_LOADED = "/run/systemd/systemd-units-load"
GENERATED = "/run/systemd/generator"
NOT_READ = (GENERATED, "/run/systemd/transient", "/run/systemd/system.control", "/etc/systemd/system.control")
"""What systemd itself writes there is in effect without a reload."""
MARGIN = 2.0
"""Seconds by which a file system may date a change too early."""
MOST_LINKS = 40


class Clocks(t.NamedTuple):
    wall: t.Callable[[], float] = time.time
    monotonic: t.Callable[[], float] = time.monotonic


CLOCKS = Clocks()


def is_needed(run_command: RunCommand, unit: str, clocks: Clocks = CLOCKS, touched: str = TOUCHED_WHEN_LOADED) -> bool:
    """Returns True where it cannot tell."""
    found = _properties(run_command, f"--property={','.join(OF_UNIT)}", "--", unit)
    if found.get("LoadState") != "loaded" or found.get("NeedDaemonReload") != "no":
        return True
    if found.get("SourcePath") or found.get("FragmentPath", "").startswith(GENERATED):
        return True
    systemd = _properties(run_command, f"--property={FOLDERS},{LOADED_AT}")
    read = (folder for folder in systemd.get(FOLDERS, "").split() if not folder.startswith(NOT_READ))
    folders = set(map(os.path.realpath, read))
    try:
        loaded_at = _loaded_at(int(systemd[LOADED_AT]) / 1e6, clocks, touched)
        return not folders or any(has_changed_since(folder, loaded_at - MARGIN) for folder in folders)
    except (KeyError, ValueError, OSError):
        return True


def has_changed_since(folder: str, moment: float) -> bool:
    """Whether anything in *folder*, in the folders in it, or where links in them lead was created or changed since.

    Raises OSError where it cannot be read; a folder that is not there has not changed.
    """
    if not os.path.isdir(folder):
        return False
    entries = _entries(folder)
    below = [path for one in entries if os.path.isdir(one) for path in _entries(one)]
    return any(_entry_has_changed(path, moment) for path in (folder, *entries, *below))


def _entries(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in os.listdir(folder)]


def _entry_has_changed(path: str, moment: float) -> bool:
    places = _links_and_target(path) if os.path.islink(path) else [path]
    return any(os.lstat(place).st_ctime > moment for place in places)


def _links_and_target(path: str) -> list[str]:
    """Every symbolic link that leads from *path* to what it stands for, and that; without what is not there, or a device."""
    found: list[str] = []
    place, left = "/", [part for part in path.split("/") if part]
    while left and len(found) < MOST_LINKS:
        here = os.path.join(place, left.pop(0))
        if not os.path.islink(here):
            place = os.path.normpath(here)
            continue
        found.append(here)
        target = os.readlink(here)
        place = "/" if target.startswith("/") else place
        left = [part for part in target.split("/") if part] + left
    return [*found, place] if os.path.isfile(place) or os.path.isdir(place) else found


def _loaded_at(monotonic: float, clocks: Clocks, touched: str) -> float:
    """By the wall clock. The earlier of two answers: either clock may have been stopped or set since."""
    return min(os.stat(touched).st_mtime, clocks.wall() - (clocks.monotonic() - monotonic))


def _properties(run_command: RunCommand, *words: str) -> dict[str, str]:
    status, found, _said = units.show(run_command, *words)
    return {} if status else found
