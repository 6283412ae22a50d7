# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis with the feature flag of the shop, and somebody who watches whether any host serves it that cannot."""

from __future__ import annotations

import pathlib
import subprocess
import threading
import time
import typing as t

from fleet.world.shop import Shop
from support.haproxy import wait_until

FLAG = "checkout_v2"
PASSWORD = "a-secret-of-the-flags"
NEEDS = "2.0.0"
"""The version that can serve the feature."""


class Flags:
    """A context manager. Its server is reached by a socket, from inside of the lab's network as well."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.socket = directory / "redis.sock"
        self._directory = directory
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Flags:
        argv = [
            "redis-server",
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--save",
            "",
            "--requirepass",
            PASSWORD,
        ]
        self._server = subprocess.Popen(argv, cwd=self._directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.ask("PING") == "PONG", "Redis answers")
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        self.stop()

    def stop(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None
            self.socket.unlink(missing_ok=True)

    def ask(self, *words: str) -> str:
        argv = ["redis-cli", "-s", str(self.socket), "-a", PASSWORD, "--no-auth-warning", "--raw", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()

    def turn(self, state: str) -> None:
        self.ask("SET", f"feature:{FLAG}", state)

    @property
    def is_on(self) -> bool:
        return self.ask("GET", f"feature:{FLAG}") == "on" and not self.ask("GET", f"kill_switch:{FLAG}")

    @property
    def percent(self) -> str:
        return self.ask("GET", f"rollout_percentage:{FLAG}")

    @property
    def system(self) -> dict[str, t.Any]:
        return {"type": "redis", "address": str(self.socket), "password": PASSWORD}

    def settings(self, **given: t.Any) -> dict[str, t.Any]:
        return {"rollout_flags": [{"name": FLAG, "system": self.system, **given}]}


class Onlooker(threading.Thread):
    """Looks again and again whether the flag is on while a host runs something older."""

    def __init__(self, flags: Flags, shop: Shop) -> None:
        super().__init__(daemon=True)
        self.looks = 0
        self.wrong: list[dict[str, t.Any]] = []
        self._flags = flags
        self._shop = shop
        self._over = threading.Event()

    def __enter__(self) -> Onlooker:
        self.start()
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.is_set():
            before = self._flags.is_on
            versions = self._shop.versions()
            if before and self._flags.is_on and any(version not in (None, NEEDS) for version in versions.values()):
                self.wrong.append(versions)
            self.looks += 1
            time.sleep(0.05)
