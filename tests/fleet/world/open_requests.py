# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that stay open until the test ends them: uploads whose last byte is held back.

with OpenRequests(shop, "lb1") as requests:    # at least one at each app host
    ...
    answers = requests.finish()

As many requests as there are hosts do not reach all of them by round robin alone: HAProxy 2.6 may pass a member
over for some 60 requests after all members were down. So enough requests are sent first, and HAProxy is asked
which member has each of those that stay open.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import typing as t

from fleet.lab.files import SERVICE_PORT
from fleet.lab.places import Host
from fleet.world.shop import Shop

CLIENT = """
import http.client, json, sys
address, port = sys.argv[1], int(sys.argv[2])
for _ in range(100):
    client = http.client.HTTPConnection(address, port, timeout=60)
    client.request("GET", "/")
    client.getresponse().read()
    client.close()
clients = []
while sys.stdin.readline() == "open\\n":
    client = http.client.HTTPConnection(address, port, timeout=60)
    client.putrequest("POST", "/upload")
    client.putheader("Content-Length", "2")
    client.endheaders()
    client.send(b"x")
    clients.append(client)
    print(client.sock.getsockname()[1], flush=True)
answers = []
for client in clients:
    try:
        client.send(b"x")
        answer = client.getresponse()
        answers.append(dict(json.loads(answer.read()), status=answer.status))
    except Exception as error:
        answers.append({"status": 0, "error": repr(error)})
print(json.dumps(answers), flush=True)
"""
SESSION = re.compile(r" src=\S+:(\d+) .* srv=(\S+)")
ROUNDS = 12


class OpenRequests:
    """Requests through one balancer, one or more at each app host; they last until finish() (a minute at most)."""

    def __init__(self, shop: Shop, balancer: str) -> None:
        self._shop, self._balancer = shop, balancer
        argv = [*shop.lab.inside(), sys.executable, "-c", CLIENT, Host.named(balancer).address, str(SERVICE_PORT)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.finished_at = 0.0
        """Seconds since the epoch, just before the last byte was sent."""

    def __enter__(self) -> OpenRequests:
        ports: set[str] = set()
        for dummy in range(ROUNDS * len(self._shop.apps)):
            ports.add(self._open())
            if self._reached(ports) == set(self._shop.apps):
                return self
        raise AssertionError(f"{len(ports)} requests have not reached all of {self._shop.apps}: {self._members()}")

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def finish(self) -> list[dict[str, t.Any]]:
        """Ends all requests and returns their answers: status, host and version."""
        self.finished_at = time.time()
        answered, _errors = self._process.communicate("finish\n", timeout=60)
        return t.cast("list[dict[str, t.Any]]", json.loads(answered))

    def _open(self) -> str:
        """One more request; returns the port it is sent from."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("open\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def _reached(self, ports: set[str]) -> set[str]:
        """The members that have the requests from these ports, once each is at one."""
        members: dict[str, str] = {}

        def are_at_members() -> bool:
            members.update(self._members())
            return ports <= set(members)

        self._shop.await_that(are_at_members)
        return {members[port] for port in ports}

    def _members(self) -> dict[str, str]:
        """The member that has the request from each client's port."""
        sessions = self._shop.haproxy(self._balancer, "show sess").splitlines()
        found = (SESSION.search(line) for line in sessions)
        return {match[1]: match[2] for match in found if match and match[2] != "<none>"}
