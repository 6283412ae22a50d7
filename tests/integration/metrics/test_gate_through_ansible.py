# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""metric_gate as Ansible runs it: in the worker and as a module; nothing printed, logged or kept holds a secret."""

from __future__ import annotations

import http.server
import json
import pathlib
import sys
import threading
import typing as t

import pytest
import yaml
from support.playbooks import played

from ansible_collections.steady.rollout.plugins.modules import metric_gate

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
SECRETS = ("bearer-secret", "password-secret", "header-secret", "query-secret", "environment-secret")


class Figures(http.server.BaseHTTPRequestHandler):
    """/good answers with a number of each group, anything else with 500 and what it was sent."""

    def do_GET(self) -> None:
        good = self.path.startswith("/good")
        body = json.dumps(
            {"canary": 5, "baseline": 6} if good else {"error": f"no: {self.headers} {self.path}"}
        ).encode()
        self.send_response(200 if good else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: t.Any) -> None:
        pass


@pytest.fixture
def url() -> t.Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Figures)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def task(**options: t.Any) -> dict[str, t.Any]:
    return {"steady.rollout.metric_gate": {"window": "0.2", "interval": "0.1", **options}}


def test_a_gate_passes_and_fails_the_play(url: str, way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    sources = {
        "figures": {"type": "json", "url": f"{url}/good"},
        "queue": {"type": "command", "command": [sys.executable, "-c", "print(7)"]},
    }
    good = {"name": "orders", "source": "figures", "query": "@", "baseline": "within 50%", "minimum": 2}
    queue = {"name": "queue", "source": "queue", "limit": "< 5", "max_failures": 0}
    passes, fails = task(sources=sources, metrics=[good]), task(sources=sources, metrics=[good, queue])
    exit_code, printed = played(tmp_path, {"tasks": [passes], **way})
    assert exit_code == 0, printed
    exit_code, printed = played(tmp_path, {"tasks": [fails], **way})
    assert exit_code == 2, printed
    assert "queue: 1 of 1 measurement not < 5, 1 in a row; at most 0 allowed." in printed


@pytest.mark.parametrize("verbosity", ["-v", "-vvvvv"])
def test_no_secret_is_printed(url: str, way: dict[str, t.Any], verbosity: str, tmp_path: pathlib.Path) -> None:
    leak = "import os, sys; sys.exit('broken: ' + os.environ['KEY'])"
    sources = {
        "one": {"type": "prometheus", "url": f"{url}/bad?token=query-secret", "token": "bearer-secret"},
        "two": {"type": "json", "url": f"{url}/bad", "user": "ana", "password": "password-secret"},
        "three": {"type": "alertmanager", "url": f"{url}/bad", "headers": {"X-Api": "header-secret"}},
        "four": {
            "type": "command",
            "command": [sys.executable, "-c", leak],
            "environment": {"KEY": "environment-secret"},
        },
    }
    metrics = [{"name": name, "source": name, "query": "up", "limit": "< 1"} for name in sources]
    gate = {**task(sources=sources, metrics=metrics, fail=False), "register": "gate"}
    tasks = [gate, {"ansible.builtin.debug": {"var": "gate"}}]
    exit_code, printed = played(tmp_path, {"tasks": tasks, **way}, verbosity)
    assert exit_code == 0, printed
    assert "answered 500" in printed
    assert "exited with 1: broken: ********" in printed
    # What the play itself says is the user's own to hide, with variables from a vault.
    said = "\n".join(line for line in printed.splitlines() if "play.yml" not in line)
    assert [secret for secret in SECRETS if secret in said] == []


def test_examples_are_taken_as_written(way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    examples = metric_gate.EXAMPLES
    for place in ("https://prometheus.example.com", "https://shop.example.com", "http://alertmanager.example.com:9093"):
        examples = examples.replace(place, "http://127.0.0.1:1")
    play = {"tasks": yaml.safe_load(examples), "vars": {"prometheus_token": "bearer-secret"}, **way}
    exit_code, printed = played(tmp_path, play, "--check", "-v")
    assert exit_code == 0, printed
    # Nobody is there: check mode says of every source whether it answers.
    for reason in ("no such socket", "http://127.0.0.1:1 refused the connection", "'/usr/local/bin/queue-length'"):
        assert reason in printed
