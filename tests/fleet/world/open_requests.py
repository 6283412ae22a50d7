# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that stay open until the test ends them: uploads whose last byte is held back.

with OpenRequests(lab, "lb1", 6) as requests:    # round robin: one at each of six app hosts
    ...
    answers = requests.finish()
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t

from fleet.lab.files import SERVICE_PORT
from fleet.lab.hosts import Lab
from fleet.lab.places import Host

CLIENT = """
import http.client, json, sys
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
clients = [http.client.HTTPConnection(address, port, timeout=60) for _ in range(count)]
for client in clients:
    client.putrequest("POST", "/upload")
    client.putheader("Content-Length", "2")
    client.endheaders()
    client.send(b"x")
print("open", flush=True)
sys.stdin.readline()
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


class OpenRequests:
    """So many requests through one balancer; each takes as long as the test needs (a minute at most)."""

    def __init__(self, lab: Lab, balancer: str, count: int) -> None:
        address = Host.named(balancer).address
        argv = [*lab.inside(), sys.executable, "-c", CLIENT, address, str(SERVICE_PORT), str(count)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.finished_at = 0.0
        """Seconds since the epoch, just before the last byte was sent."""

    def __enter__(self) -> OpenRequests:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "open\n"
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def finish(self) -> list[dict[str, t.Any]]:
        """Ends all requests and returns their answers: status, host and version."""
        self.finished_at = time.time()
        answered, _errors = self._process.communicate("go\n", timeout=60)
        return t.cast("list[dict[str, t.Any]]", json.loads(answered))
