# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call that works for every module, in a sandbox; the fuzzer makes others of them."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import http.server
import importlib
import pathlib
import random
import threading
import typing as t

from support import hostile, pools
from support.archives import archive
from support.cores import call_core

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry

Options = t.Dict[str, t.Any]
MODULES = "ansible_collections.steady.rollout.plugins.modules"
LEDGER = (
    "rollout",
    "rollout_approval",
    "rollout_control",
    "rollout_host",
    "rollout_gate",
    "rollout_shift",
    "rollout_info",
    "rollout_claim",
    "rollout_watch",
)
BALANCERS = ("lb_member", "lb_member_info", "lb_weight", "lb_route", "lb_page", "lb_pool")
OTHERS = (
    "health_wait",
    "smoke_test",
    "http_compare",
    "metric_gate",
    "release",
    "unit_info",
    "disk_info",
    "replica_info",
)
NAMES = (*LEDGER, *BALANCERS, *OTHERS)


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers a path that is a number with the hostile document of that number, all others well."""

    def do_GET(self) -> None:
        name = self.path.strip("/").split("?")[0].split("/")[0]
        body = '{"status": "healthy", "version": "2.0.0", "value": 1}'
        if name.isdigit():
            body = hostile.DOCUMENTS[int(name) % len(hostile.DOCUMENTS)]
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body.encode("utf-8", "surrogatepass"))

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET

    def log_message(self, format: str, *args: t.Any) -> None:
        """Nothing is printed."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Clients leave in the middle; that is none of the test's business."""


@contextlib.contextmanager
def serving() -> t.Iterator[str]:
    with Server(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class Sandbox:
    """A ledger with a rollout under way, a release path, a pool in memory and a server, all for this one test."""

    def __init__(self, directory: pathlib.Path, url: str) -> None:
        self.directory = directory
        self.url = url
        self.pool = pools.FakePool(pools.member("app1"), pools.member("app2"), pools.member("app3"))
        self.ledger = {"service": "shop", "ledger": str(directory / "state")}
        self.path = directory / "shop"
        self.source = archive(directory / "shop-1.0.tar.gz", {"VERSION": "1.0", "bin/app": "run"})
        self._begin()

    def _begin(self) -> None:
        owner = {"user": "ops", "controller": "here", "pid": 1}
        opened = call_core(
            module("rollout"), **self.ledger, state="opened", version="2.0.0", owner=owner, lease_ttl=86400
        )
        self.ledger.update(run=opened["run"], token=opened["token"])
        hosts = [{"name": f"app{number}", "version": "1.0.0"} for number in (1, 2, 3)]
        planned = call_core(module("rollout"), **self.ledger, state="planned", hosts=hosts)
        if opened.error or planned.error:
            raise AssertionError(opened.error or planned.error)
        released = call_core(module("release"), **self._release())
        if released.error:
            raise AssertionError(released.error)

    def _release(self) -> Options:
        checksum = f"sha256:{hashlib.sha256(self.source.read_bytes()).hexdigest()}"
        return {
            "path": str(self.path),
            "version": "1.0",
            "source": str(self.source),
            "remote_source": True,
            "checksum": checksum,
            "shared": ["log"],
        }

    def call(self, name: str, rng: random.Random) -> Options:
        """Options that the module takes."""
        document = f"{self.url}/{rng.randrange(len(hostile.DOCUMENTS))}"
        balancer: Options = {
            "type": "haproxy",
            "socket": str(self.directory / "no.sock"),
            "pool": "shop",
            "timeout": 0.2,
        }
        claim = {"service": "shop", "ledger": "1", "token": 1, "directory": str(self.directory / "claims")}
        host = {**self.ledger, "host": rng.choice(("app1", "app2", "app9")), "timeout": 0}
        calls: dict[str, Options] = {
            "rollout": {**self.ledger, "state": "planned", "hosts": [{"name": "app1", "version": "1.0.0"}]},
            "disk_info": {"path": str(self.directory)},
            "rollout_approval": {"service": "shop", "ledger": self.ledger["ledger"], "plan": "0123456789ab"},
            "rollout_control": {
                "service": "shop",
                "ledger": self.ledger["ledger"],
                "state": rng.choice(("paused", "blocked", "unblocked")),
                "reason": "a reason",
                "until": "1s",
                "owner": {"user": "fuzz"},
            },
            "rollout_host": {**host, "state": "admitted", "limit": 60},
            "rollout_gate": {**self.ledger, "verdict": "pass", "stage": 1, "claim": "x"},
            "rollout_shift": {**self.ledger, "timeout": 0},
            "rollout_info": {"service": "shop", "ledger": self.ledger["ledger"]},
            "rollout_claim": {"service": "shop", "ledger_id": "1", "token": 1, "directory": claim["directory"]},
            "rollout_watch": {
                **self.ledger,
                "read_at": 0.1,
                "hosts": [{"name": "app1", "healthy": False, "why": "status 503"}],
                "balancers": [{"host": "lb1", "members": {"app1": {"admin": "in_service", "in_rotation": True}}}],
            },
            "lb_member": {
                "balancer": balancer,
                "members": ["app1"],
                "state": "drained",
                "timeout": 0.05,
                "claim": claim,
            },
            "lb_member_info": {"balancer": balancer, "members": ["app1"], "counters": True},
            "lb_weight": {"balancer": balancer, "shares": {"app1": 50, "app2": 50}, "timeout": 0.05},
            "lb_route": {"balancer": balancer, "header": "X-Test", "value": "a", "target": "app1"},
            "lb_page": {"balancer": balancer, "state": "present"},
            "lb_pool": {"balancer": balancer, "member": "app9", "address": "127.0.0.1:9"},
            "health_wait": {
                "targets": [{"name": "app1", "url": document, "expect": "status == 'healthy'", "timeout": 0.5}],
                "timeout": 0,
            },
            "smoke_test": {
                "requests": [{"url": document, "timeout": 0.5, "keep": {"x": "body.value"}, "expect": "value == `1`"}],
            },
            "http_compare": {
                "candidate": {"urls": [self.url]},
                "baseline": {"urls": [self.url]},
                "requests": [{"path": "/"}],
                "rate": 100,
                "seconds": 1,
                "max_seconds": 1,
                "warm_up": 0,
                "timeout": 0.2,
                "min_samples": 10,
                "percentile": 50,
            },
            "metric_gate": {
                "sources": {
                    "json": {"type": "json", "url": document, "timeout": 0.5},
                    "prometheus": {"type": "prometheus", "url": document, "timeout": 0.5},
                    "alerts": {"type": "alertmanager", "url": document, "timeout": 0.5},
                },
                "metrics": [
                    {"name": "a", "source": "json", "query": "value", "limit": "< 5"},
                    {"name": "b", "source": "prometheus", "query": "up", "limit": "< 5"},
                    {"name": "c", "source": "alerts"},
                ],
                "groups": {"canary": ["app1"], "baseline": ["app2"]},
                "window": 0.05,
                "interval": 0.05,
            },
            "release": {**self._release(), "claim": claim},
            "unit_info": {"unit": "shop.service"},
            "replica_info": {"type": "postgresql", "url": "postgresql://shop:secret@127.0.0.1/shop", "timeout": 0.5},
        }
        return copy.deepcopy(calls[name])

    def run_command(self, rng: random.Random) -> t.Callable[..., tuple[int, str, str]]:
        """Programs that end in any way and print anything."""

        def run(argv: list[str], **options: t.Any) -> tuple[int, str, str]:
            if any(not isinstance(word, str) or "\0" in word for word in argv):
                raise AssertionError(f"a command that no system runs: {argv!r:.200}")
            printed = rng.choice((*hostile.TEXTS, *hostile.DOCUMENTS)).encode("utf-8", "replace").decode()
            return rng.choice((0, 0, 1, 124, 255, -9)), printed, printed

        return run

    def open_balancer(self, rng: random.Random) -> t.Callable[..., t.Any]:
        """The pool in memory, or what the settings ask for, which nobody answers."""
        real = registry.open_balancer

        def opened(settings: Options, *given: t.Any) -> t.Any:
            return self.pool if rng.random() < 0.5 else real(settings, *given)

        return opened

    def state(self) -> t.Any:
        """What a call that is refused must leave as it is."""
        info = call_core(module("rollout_info"), service="shop", ledger=self.ledger["ledger"])
        files = {
            str(one.relative_to(self.path)): (one.lstat().st_mtime_ns if one.is_file() else 0)
            for one in self.path.rglob("*")
            if one.name != "lock" and not one.name.startswith(".")
        }
        members = {name: one.own for name, one in self.pool.members.items()}
        return len(info.result.get("events", ())), files, members


def module(name: str) -> t.Any:
    return importlib.import_module(f"{MODULES}.{name}")
