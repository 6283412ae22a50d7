# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example's shop as a member of a pool: a process of its own, which can be killed and started again."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from support import examples
from support.haproxy import fetch, free_port, wait_until

build_release = examples.module("shop", "build_release")


class ShopMember:
    """Serves from its making until stop(); the port stays the same all the while."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.version = 1
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="member-"))
        for name, content in build_release.program().items():
            (self._directory / name).write_bytes(content)
        self._start()

    def replace(self) -> None:
        """Kills the process, whatever it is doing, and starts the next version."""
        self._process.kill()
        self._process.wait(10)
        self.version += 1
        self._start()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self) -> None:
        (self._directory / "VERSION").write_text(str(self.version))
        self._process = subprocess.Popen(
            [sys.executable, str(self._directory / "app.py"), f"--port={self.port}", f"--name={self.name}"],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers, f"{self.name} answers")

    def _answers(self) -> bool:
        try:
            return fetch(self.port, "/health")[0] == 200
        except OSError:
            return False
