# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real flag systems for the contract suite, each with six instances of an application that gets its flags from it.

A new type is a subclass with its name in STARTERS of tests/integration/flags/conftest.py.
"""

from __future__ import annotations

import abc
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading
import typing as t
import urllib.request
import zlib

from support import unleash
from support.haproxy import free_port, wait_until

INSTANCES = 6
FLAG = "checkout_v2"
SECRET = "a-secret-of-the-redis"
SEGMENTS = {"internal": range(10), "beta": range(10, 30)}
"""Segments of users, by the numbers of the users."""


def members(segment: str) -> list[str]:
    return [f"user-{number}" for number in SEGMENTS[segment]]


class RealFlags(abc.ABC):
    """One system, running between start() and stop()."""

    name: t.ClassVar[str]

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.closing = contextlib.ExitStack()

    @staticmethod
    @abc.abstractmethod
    def missing() -> str:
        """What to install before it can be started, or an empty string."""

    @abc.abstractmethod
    def start(self) -> None: ...

    def stop(self) -> None:
        self.closing.close()

    @abc.abstractmethod
    def settings(self) -> dict[str, t.Any]: ...

    @abc.abstractmethod
    def users(self, count: int) -> set[int]:
        """The numbers of the users for whom the application's own client has the flag on."""

    @abc.abstractmethod
    def overwrite(self, on: bool) -> None:
        """Another program turns the flag on or off, past the collection."""

    def add_rule(self) -> None:
        """Another program adds a rule of its own to the flag."""
        raise NotImplementedError

    def make_segments(self) -> None:
        """Another program creates SEGMENTS, where there can be any."""
        raise NotImplementedError

    def spoil(self, percent: str) -> None:
        """Another program sets a percentage that means nothing."""
        raise NotImplementedError

    def break_down(self) -> None:
        """From here on it does not answer."""
        self.stop()

    def is_on(self) -> bool:
        """For nobody in particular, as one instance sees it."""
        return bool(self.users(1))

    def instances(self) -> list[str]:
        """Where each instance says which flags it sees."""
        return [self._serve() for dummy in range(INSTANCES)]

    def _serve(self) -> str:
        system = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"flags": {FLAG: system.is_on()}}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: t.Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.closing.callback(server.server_close)
        self.closing.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}/health"


class JsonFile(RealFlags):
    name = "file"
    file = "features.json"

    @staticmethod
    def missing() -> str:
        return ""

    def start(self) -> None:
        self.path = self.directory / self.file
        self.path.write_text('{"title": "Shop", "features": {"search": true}}')

    def settings(self) -> dict[str, t.Any]:
        return {"type": "file", "path": str(self.path), "section": "features"}

    def users(self, count: int) -> set[int]:
        return set(range(count)) if json.loads(self.path.read_text())["features"].get(FLAG) else set()

    def overwrite(self, on: bool) -> None:
        self._replace(json.dumps({"features": {**json.loads(self.path.read_text())["features"], FLAG: on}}))

    def _replace(self, text: str) -> None:
        draft = self.path.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.path)

    def break_down(self) -> None:
        self.path.unlink()


class EnvironmentFile(JsonFile):
    name = "environment file"
    file = "shop.env"

    def start(self) -> None:
        self.path = self.directory / self.file
        self.path.write_text("# of the shop\nPORT=8080\n")

    def settings(self) -> dict[str, t.Any]:
        return {"type": "file", "path": str(self.path)}

    def users(self, count: int) -> set[int]:
        """As the shell reads it."""
        script = '. "$1"; printf %s "$CHECKOUT_V2"'
        done = subprocess.run(["sh", "-c", script, "sh", str(self.path)], capture_output=True, text=True, check=True)
        return set(range(count)) if done.stdout == "true" else set()

    def overwrite(self, on: bool) -> None:
        kept = [line for line in self.path.read_text().splitlines() if not line.startswith("CHECKOUT_V2=")]
        self._replace("\n".join([*kept, f"CHECKOUT_V2={str(on).lower()}", ""]))


class Flagd(JsonFile):
    """Evaluated by OpenFeature's provider in file mode."""

    name = "flagd"
    file = "flags.json"

    @staticmethod
    def missing() -> str:
        try:
            import openfeature.contrib.provider.flagd  # noqa: F401
        except ImportError:
            return "no OpenFeature provider for flagd in this Python; pip install openfeature-provider-flagd"
        return ""

    def start(self) -> None:
        from openfeature import api
        from openfeature.contrib.provider.flagd import FlagdProvider
        from openfeature.contrib.provider.flagd.config import ResolverType

        self.path = self.directory / self.file
        self.path.write_text('{"flags": {}, "$evaluators": {}}')
        provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(self.path))
        api.set_provider(provider)
        self._client = api.get_client()
        self.closing.callback(api.shutdown)

    def settings(self) -> dict[str, t.Any]:
        return {"type": "flagd", "path": str(self.path)}

    def users(self, count: int) -> set[int]:
        from openfeature.evaluation_context import EvaluationContext

        return {
            number
            for number in range(count)
            if self._client.get_boolean_value(FLAG, False, EvaluationContext(targeting_key=f"user-{number}"))
        }

    def overwrite(self, on: bool) -> None:
        self._edit(state="ENABLED", variants={"on": True, "off": False}, defaultVariant="on" if on else "off")

    def add_rule(self) -> None:
        self._edit(targeting={"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "on", "off"]})

    def make_segments(self) -> None:
        document = json.loads(self.path.read_text())
        document["$evaluators"] = {name: {"in": [{"var": "targetingKey"}, members(name)]} for name in SEGMENTS}
        self._replace(json.dumps(document))

    def _edit(self, **changes: t.Any) -> None:
        document = json.loads(self.path.read_text())
        flag = {key: value for key, value in document["flags"].get(FLAG, {}).items() if key != "targeting"}
        document["flags"][FLAG] = {**flag, **changes}
        self._replace(json.dumps(document))


class RedisServer(RealFlags):
    """With an application of a few lines: a user is in where the checksum of flag and user is below the percentage."""

    name = "redis"

    @staticmethod
    def missing() -> str:
        return (
            "" if shutil.which("redis-server") else "no redis-server on this machine; install the package redis-server"
        )

    def start(self) -> None:
        self.port = free_port()
        argv = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--requirepass", SECRET]
        self.process = subprocess.Popen(argv, cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.closing.callback(self.process.wait, 10)
        self.closing.callback(self.process.kill)
        wait_until(lambda: self.cli("PING") == "PONG", "Redis answers")

    def cli(self, *words: str) -> str:
        argv = ["redis-cli", "-p", str(self.port), "--raw", *words]
        environment = {**os.environ, "REDISCLI_AUTH": SECRET}
        return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment).stdout.strip()

    def settings(self) -> dict[str, t.Any]:
        return {"type": "redis", "address": f"127.0.0.1:{self.port}", "password": SECRET}

    def users(self, count: int) -> set[int]:
        keys = (f"feature:{FLAG}", f"rollout_percentage:{FLAG}", f"kill_switch:{FLAG}")
        state, percent, kill = (self.cli("GET", key) for key in keys)
        if state != "on" or kill:
            return set()
        limit = int(percent or 100) * 100
        return {number for number in range(count) if zlib.crc32(f"{FLAG}:user-{number}".encode()) % 10_000 < limit}

    def overwrite(self, on: bool) -> None:
        self.cli("SET", f"feature:{FLAG}", "on" if on else "off")
        self.cli("DEL", f"kill_switch:{FLAG}")

    def spoil(self, percent: str) -> None:
        self.cli("SET", f"rollout_percentage:{FLAG}", percent)


class UnleashServer(RealFlags):
    """With an application that has six instances of Unleash's client for Node."""

    name = "unleash"

    missing = staticmethod(unleash.missing)

    def start(self) -> None:
        self.application = free_port()
        self.server = self.closing.enter_context(unleash.Unleash(self.directory))
        script = str(pathlib.Path(__file__).with_name("unleash_application.js"))
        words = [str(self.application), self.server.url, unleash.CLIENT, str(INSTANCES)]
        self.server.run([unleash.NODE, script, *words], "application.log")
        wait_until(lambda: self.server.serves(self.instances()[0]), "the application answers", 60)

    def settings(self) -> dict[str, t.Any]:
        return self.server.settings()

    def instances(self) -> list[str]:
        return [f"http://127.0.0.1:{self.application}/{number}" for number in range(INSTANCES)]

    def users(self, count: int) -> set[int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.application}/users/{FLAG}/{count}", timeout=60) as answer:
            return set(json.load(answer))

    def admin(self, method: str, path: str, body: t.Any = None) -> t.Any:
        return self.server.of_flag(method, FLAG, path, body)

    def wait_until_database(self, query: str, shows: str) -> None:
        wait_until(lambda: self.server.database.sql(query).strip() == shows, f"the database shows {shows}", 30)

    def overwrite(self, on: bool) -> None:
        self.admin("POST", "/on" if on else "/off")

    def add_rule(self) -> None:
        only = {"contextName": "userId", "operator": "IN", "values": ["user-7"]}
        self.admin(
            "POST",
            "/strategies",
            {
                "name": "flexibleRollout",
                "constraints": [only],
                "parameters": {"rollout": "100", "stickiness": "default", "groupId": FLAG},
            },
        )

    def make_segments(self) -> None:
        known = [one["name"] for one in self.server.admin("GET", "/segments")["segments"]]
        for name in SEGMENTS:
            only = {"contextName": "userId", "operator": "IN", "values": members(name)}
            if name not in known:
                self.server.admin("POST", "/segments", {"name": name, "constraints": [only]})

    def spoil(self, percent: str) -> None:
        strategy = self.admin("GET", "/strategies")[0]
        change = {"op": "replace", "path": "/parameters/rollout", "value": percent}
        self.admin("PATCH", f"/strategies/{strategy['id']}", [change])
