# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shop on the lab's hosts, seen and set from outside: never through the collection that is being tested."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import pathlib
import shutil
import sqlite3
import time
import typing as t

from fleet.lab.hosts import FIRST_VERSION, Lab
from support.sightings import parse_servers_state

PRISTINE = "/root/shop-pristine"
SETTLE_WITHIN = 30.0
KEEP = f"test -d {PRISTINE} || cp -a /opt/shop {PRISTINE}"
BACK_TO_FIRST = (
    f"systemctl stop shop; find /opt/shop -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {{}} +; "
    f"cp -a {PRISTINE}/. /opt/shop/; rm -rf /var/lib/steady-rollout /var/lib/steady-rollout-claims; systemctl reset-failed shop; systemctl start shop"
)


class Shop:
    """All app hosts and balancers of a lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.apps = [host.name for host in lab.hosts if host.role == "app"]
        self.balancers = [host.name for host in lab.hosts if host.role == "lb"]
        self.zones = {zone: [h.name for h in lab.hosts if h.role == "app" and h.zone == zone] for zone in "abc"}

    @property
    def ledger(self) -> pathlib.Path:
        return self.lab.places.directory / "ledger"

    def reset(self) -> None:
        """Everything as it was at first: version 1.0.0 everywhere, all in rotation, no ledger, no claims."""
        self.lab.heal(*self.apps, *self.balancers)
        self._on_each(self.apps, KEEP)
        self._on_each(self.apps, BACK_TO_FIRST)
        ready = "; ".join(f"set server shop/{app} state ready; set server shop/{app} weight 100%" for app in self.apps)
        self._on_each(
            self.balancers,
            "rm -rf /var/lib/steady-rollout /var/lib/steady-rollout-claims; : > /var/lib/haproxy/server-state",
        )
        self._send_to_balancers(ready)
        shutil.rmtree(self.ledger, ignore_errors=True)
        # The balancers may not have noticed the restart yet.
        self.await_that(lambda: self.all_on(FIRST_VERSION))
        self.await_all_in_rotation()

    def behave(self, behaviour: dict[str, t.Any]) -> None:
        """Every instance is restarted and behaves so from now on; see examples/shop."""
        script = f"echo '{json.dumps(behaviour)}' > /opt/shop/current/behaviour.json; systemctl restart shop"
        self._on_each(self.apps, script)
        self.await_that(lambda: all(self.versions().values()))
        self.await_all_in_rotation()

    def versions(self) -> dict[str, str | None]:
        """What each instance itself says it is."""
        return {name: seen["version"] if seen else None for name, seen in self.lab.seen().items()}

    def all_on(self, version: str) -> bool:
        return set(self.versions().values()) == {version}

    def starts(self) -> dict[str, t.Any]:
        """When each instance was started: it differs where a host was touched."""
        return {name: seen["started_at"] if seen else None for name, seen in self.lab.seen().items()}

    def touched(self, version: str, before: dict[str, t.Any]) -> list[str]:
        """Hosts that were restarted or were switched to the version; files that wait beside the others touch nobody."""
        after = self.starts()
        found = self._on_each(self.apps, "readlink /opt/shop/current")
        return [app for app in self.apps if after[app] != before[app] or found[app].strip().endswith(f"/{version}")]

    def in_rotation(self) -> dict[str, set[str]]:
        """The app hosts that each balancer sends new requests to."""
        return {
            name: {member for member, is_in in parse_servers_state(self.servers(name), "shop").items() if is_in}
            for name in self.balancers
        }

    def members(self, balancer: str) -> set[str]:
        """The app hosts that a balancer has in its pool, in service or not."""
        return set(parse_servers_state(self.servers(balancer), "shop"))

    def drained(self) -> set[str]:
        """The app hosts that no balancer sends new requests to."""
        return set(self.apps) - set().union(*self.in_rotation().values())

    def drain(self, app: str) -> None:
        """As an operator does, past the collection."""
        self._send_to_balancers(f"set server shop/{app} state drain")

    def undrain(self, app: str) -> None:
        self._send_to_balancers(f"set server shop/{app} state ready")

    def _send_to_balancers(self, commands: str) -> None:
        for balancer in self.balancers:
            self.haproxy(balancer, commands)

    def servers(self, balancer: str) -> str:
        return self.haproxy(balancer, "show servers state shop")

    def haproxy(self, balancer: str, commands: str) -> str:
        """Says something to HAProxy on its admin socket and returns the answer."""
        script = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); "
            "s.sendall(sys.argv[1].encode() + b'\\n'); print(b''.join(iter(lambda: s.recv(65536), b'')).decode())"
        )
        return self.lab.run(balancer, ["python3", "-c", script, commands]).stdout

    def await_all_in_rotation(self, within: float = SETTLE_WITHIN) -> None:
        self.await_that(lambda: all(members == set(self.apps) for members in self.in_rotation().values()), within)

    def await_that(self, is_so: t.Callable[[], bool], within: float = SETTLE_WITHIN) -> None:
        deadline = time.monotonic() + within
        while not is_so():
            if time.monotonic() > deadline:
                raise AssertionError(f"not so within {within:g} s: {self.in_rotation()} {self.versions()}")
            time.sleep(0.1)

    def events(self) -> list[dict[str, t.Any]]:
        """The ledger's events, read past the collection; none while there is no ledger yet."""
        path = self.ledger / "ledger.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'event'").fetchall():
                return []
            return [dict(row) for row in connection.execute("SELECT * FROM event ORDER BY seq")]

    def subjects(self, kind: str) -> set[str]:
        """The hosts that events of this kind tell of."""
        return {event["host"] for event in self.events() if event["kind"] == kind}

    def story(self) -> str:
        """The ledger's events, for the reader of a failure."""
        return "\n".join(f"{e['seq']} {e['at']:.2f} {e['kind']} {e['host']} {e['data'][:200]}" for e in self.events())

    def on_each(self, script: str) -> dict[str, str]:
        """What a script prints on each app host, all at the same time."""
        return self._on_each(self.apps, script)

    def read(self, name: str, path: str) -> str:
        """A file on a host; empty where there is none."""
        return self.lab.run(name, ["cat", path], check=False).stdout

    def having(self, path: str) -> set[str]:
        """The app hosts that have the file."""
        return {app for app in self.apps if self.lab.run(app, ["test", "-e", path], check=False).returncode == 0}

    def _on_each(self, names: t.Sequence[str], script: str) -> dict[str, str]:
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            ran = pool.map(lambda name: self.lab.run(name, ["sh", "-c", script]).stdout, names)
            return dict(zip(names, ran))
