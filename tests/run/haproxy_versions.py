# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy of other Debian releases, for the tests: unpacked below build/ with its libraries, nothing is installed.

A wrapper starts the binary by its own loader. HAProxy executes itself again at a reload, by the name that the wrapper
gives it, which is the wrapper's.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

from . import house, tools

RELEASES = ("trixie", "sid")
"""Debian 13 has 3.0 and sid 3.2; Debian 12, which the other tests run on, has 2.6."""
PLACE = house.BUILD / "haproxy"
WRAPPER = """\
#!/bin/sh
exec {loader} --argv0 "$0" --library-path {libraries} {root}/usr/sbin/haproxy "$@"
"""


def wrapper(release: str) -> pathlib.Path:
    return PLACE / release / "haproxy"


def get(release: str) -> str:
    """The reason why there is none, or an empty string."""
    if works(release):
        return ""
    tools.try_programs(["mmdebstrap"])
    if os.geteuid() != 0 or not house.which("mmdebstrap"):
        return f"HAProxy of Debian {release} is unpacked by mmdebstrap, as root"
    try:
        _unpack(release)
    except (tools.Unavailable, OSError) as error:
        return f"HAProxy of Debian {release} could not be unpacked: {str(error).splitlines()[0]}"
    return "" if works(release) else f"HAProxy of Debian {release} does not start on this machine"


def works(release: str) -> bool:
    place = wrapper(release)
    return place.exists() and subprocess.run([place, "-v"], stdout=subprocess.DEVNULL, check=False).returncode == 0


def _unpack(release: str) -> None:
    with tools.locked(f"haproxy-{release}"):
        if works(release):
            return
        root = PLACE / release / "root"
        shutil.rmtree(PLACE / release, ignore_errors=True)
        root.parent.mkdir(parents=True)
        # Snapshots of sid are older than their own date of expiry.
        options = ("--variant=extract", "--include=haproxy", '--aptopt=Acquire::Check-Valid-Until "false"')
        tools.logged(f"haproxy-{release}", ["mmdebstrap", "--quiet", *options, release, root])
        libraries = ":".join(str(path) for path in (root / "usr/lib").glob("*-linux-gnu"))
        (loader, *dummy) = sorted(root.glob("usr/lib*/ld-linux-*.so.*"))
        text = WRAPPER.format(loader=loader, root=root, libraries=libraries)
        wrapper(release).write_text(text, encoding="utf-8")
        wrapper(release).chmod(0o755)
