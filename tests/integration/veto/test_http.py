# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that is asked over HTTP, such as OpenSearch or Patroni: who may not go now gives its slot to the others."""

from __future__ import annotations

import http.server
import pathlib
import threading
import typing as t
import urllib.parse

import pytest
from support.replicas import NAMES, Replicas
from support.rolling_restarts import roll

SECRET = "t0p-s3cret-of-the-search"
RULE = {
    "name": "opensearch",
    "type": "http",
    "url": "http://127.0.0.1:{{ search_port }}/_cluster/health?host={{ inventory_hostname }}",
    "headers": {"Authorization": f"Bearer {SECRET}"},
    "expect": "status == 'green'",
}


class Search(Replicas):
    """Answers for each host what *answers* has for it, one after the other; the last one stays."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory)
        self.program = self.script(
            "search", f'#!/bin/sh\n[ $1 = restart ] && echo "$2 data 2" >> {self.history_file}\ntrue\n'
        )
        self.answers: dict[str, list[str]] = {}
        self.asked: list[str] = []
        search = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("host", [""])[0]
                search.asked.append(host)
                queue = search.answers.get(host) or ['{"status": "green"}']
                body = (queue.pop(0) if len(queue) > 1 else queue[0]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: t.Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.ports = dict.fromkeys(NAMES, self.server.server_address[1])

    def is_up(self, name: str) -> bool:
        return True

    def variables(self) -> dict[str, dict[str, t.Any]]:
        return {name: {"search_port": port} for name, port in self.ports.items()}

    @property
    def order(self) -> list[str]:
        return [one.name for one in self.history]


@pytest.fixture
def service(tmp_path: pathlib.Path) -> t.Iterator[Search]:
    directory = tmp_path / "search"
    directory.mkdir()
    search = Search(directory)
    yield search
    search.server.shutdown()
    search.server.server_close()


ONE = {"rollout_max_unavailable": 1, "rollout_before_drain_tasks": "", "rollout_accept": ["health"]}


def test_who_may_not_go_now_gives_the_only_slot_to_the_others(service: Search, tmp_path: pathlib.Path) -> None:
    service.answers["db1"] = ['{"status": "yellow"}'] * 3 + ['{"status": "green"}']
    code, said = roll(service, tmp_path, RULE, {**ONE, "rollout_veto_poll": 3})
    assert code == 0, said
    assert sorted(service.order) == list(NAMES)
    assert service.order[0] != "db1"
    assert "db1 objection opensearch: http://127.0.0.1:" in said
    assert '({"status": "yellow"})' in said
    assert SECRET not in said


def test_an_answer_that_is_not_understood_is_an_objection_until_the_run_ends(
    service: Search, tmp_path: pathlib.Path
) -> None:
    service.answers["db2"] = [f"<html>\x1b[2J {SECRET} token=hunter22</html>"]
    code, said = roll(service, tmp_path, RULE, {**ONE, "rollout_veto_wait": 2})
    assert code == 2, said
    assert "db2" not in service.order
    assert "db2 was left unchanged because of an objection that lasted" in said
    assert "the body is not JSON" in said
    assert not [word for word in (SECRET, "hunter22", "\x1b") if word in said]


def test_with_one_worker_an_objection_ends_too(service: Search, tmp_path: pathlib.Path) -> None:
    service.answers["db1"] = ['{"status": "red"}']
    code, said = roll(service, tmp_path, RULE, {**ONE, "rollout_veto_wait": 2}, "--forks", "1")
    assert code == 2, said
    assert service.order == []
    assert "db1 was left unchanged" in said
