# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the flag of the lab's shop is kept: in Unleash, in Redis, or in a file on each host."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import shutil
import subprocess
import typing as t

import pytest
from fleet.lab.files import SERVICE_PORT
from fleet.lab.places import CONTROLLER_ADDRESS
from fleet.world.flags import PASSWORD
from fleet.world.shop import Shop
from fleet.world.unleash import FLAG
from support import unleash
from support.haproxy import free_port, wait_until

FILES = {"flagd": ("/opt/shop/flags.json", '{"flags": {}}'), "file": ("/opt/shop/shop.env", "# of the shop")}
ITSELF = f"http://127.0.0.1:{SERVICE_PORT}/health"


@dataclasses.dataclass(frozen=True)
class FlagPlace:
    """*system* is the setting of the collection, *reader* that of the shop, *hosts* where the module runs."""

    system: dict[str, t.Any]
    reader: dict[str, t.Any]
    hosts: str = "localhost"

    def behaviour(self, refresh: float) -> dict[str, t.Any]:
        return {"feature": {"name": FLAG, "system": self.reader, "refresh": refresh}}


def in_unleash(server: unleash.Unleash) -> FlagPlace:
    server.remove(FLAG)
    return FlagPlace(server.settings(), {"type": "unleash", "url": server.url, "token": unleash.CLIENT})


def in_file(shop: Shop, kind: str) -> FlagPlace:
    path, content = FILES[kind]
    shop.on_each(f"echo '{content}' > {path}")
    system = {"type": kind, "path": path}
    return FlagPlace(system, system, "fleet")


@contextlib.contextmanager
def in_redis(shop: Shop, directory: pathlib.Path) -> t.Iterator[FlagPlace]:
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server on this machine; install the package redis-server")
    port = str(free_port())
    argv = ["redis-server", "--port", port, "--bind", CONTROLLER_ADDRESS, "--save", "", "--requirepass", PASSWORD]
    inside = shop.lab.inside()
    with subprocess.Popen([*inside, *argv], cwd=directory, stdout=subprocess.DEVNULL) as server:
        try:
            ping = [*inside, "redis-cli", "-h", CONTROLLER_ADDRESS, "-p", port, "PING"]
            wait_until(lambda: subprocess.run(ping, capture_output=True, check=False).returncode == 0, "Redis answers")
            system = {"type": "redis", "address": f"{CONTROLLER_ADDRESS}:{port}", "password": PASSWORD}
            yield FlagPlace(system, system)
        finally:
            server.kill()
