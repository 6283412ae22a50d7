# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which worker process has which host, so that one that is killed is missed.

With the strategy host_pinned Ansible does not notice that a worker died, and waits for its result for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import slots

HOSTS = "hosts"


@contextlib.contextmanager
def at_work_on(host: str) -> t.Iterator[None]:
    """This process has the host until the end of the block, whichever way it ends but by SIGKILL."""
    pid = os.getpid()
    path = os.path.join(slots.private_directory(_directory()), str(pid))
    draft = f"{path}.draft"
    with open(draft, "w", encoding="utf-8") as stream:
        json.dump({"host": host, "pid": pid, "started": controller.started(pid)}, stream)
    os.replace(draft, path)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def died() -> list[str]:
    """The hosts whose worker is gone without having ended its work."""
    return sorted(one["host"] for one in _at_work() if controller.started(one["pid"]) != one["started"])


def _at_work() -> t.Iterator[dict[str, t.Any]]:
    for name in _names():
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError), open(
                os.path.join(_directory(), name), encoding="utf-8"
            ) as stream:
                yield json.load(stream)


def _names() -> list[str]:
    """Makes no directory: the run may be about to remove its own."""
    try:
        return os.listdir(_directory())
    except FileNotFoundError:
        return []


def _directory() -> str:
    return os.path.join(slots.run_directory(), HOSTS)
