# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An alert in a real Alertmanager kills a feature by a job template: examples/awx, with a stand-in for AWX."""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import threading
import typing as t

import pytest
import yaml
from support.flag_systems import FLAG, SECRET, RedisServer
from support.haproxy import wait_until
from support.monitoring import ALERTMANAGER, Alertmanager
from support.playbooks import REPOSITORY, run_playbook

EXAMPLE = REPOSITORY / "examples" / "awx"
TOKEN = "a-secret-of-the-awx"
LAUNCH = "/api/v2/job_templates/42/launch/"


class Awx:
    """The one template there is, launched by POST with a token; what is in the body changes nothing of the job."""

    def __init__(self, directory: pathlib.Path, variables: dict[str, t.Any]) -> None:
        self.jobs: list[tuple[int, str]] = []
        self.refused: list[str] = []
        awx = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                is_right = self.path == LAUNCH and self.headers.get("Authorization") == f"Bearer {TOKEN}"
                if not is_right:
                    awx.refused.append(self.path)
                self.send_response(201 if is_right else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if is_right:
                    options = ("-i", "localhost,", "-c", "local", "-e", json.dumps(variables))
                    awx.jobs.append(run_playbook(directory, EXAMPLE / "kill_flag.yml", *options))

            def log_message(self, *_words: t.Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def redis(tmp_path: pathlib.Path) -> t.Iterator[RedisServer]:
    if RedisServer.missing() or ALERTMANAGER is None:
        pytest.skip(RedisServer.missing() or "no prometheus-alertmanager on this machine")
    server = RedisServer(tmp_path)
    try:
        server.start()
        server.overwrite(True)
        yield server
    finally:
        server.stop()


def test_an_alert_kills_the_feature_and_no_other_alert_does(
    redis: RedisServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = redis.settings()
    monkeypatch.setenv("STEADY_ROLLOUT_FLAG_PASSWORD", system.pop("password"))
    variables = {"flag": FLAG, "flag_system": system, "service": "shop", "reason": "5 % of the checkouts fail"}
    (tmp_path / "job").mkdir()
    awx = Awx(tmp_path / "job", {**variables, "flag_instances": redis.instances()})
    config = yaml.safe_load((EXAMPLE / "alertmanager.yml").read_text(encoding="utf-8"))
    hook = config["receivers"][1]["webhook_configs"][0]
    hook["url"] = awx.url + hook["url"].partition("example.com")[2]
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="utf-8")
    hook["http_config"]["authorization"]["credentials_file"] = str(token)
    with contextlib.closing(awx), Alertmanager(tmp_path, config) as alertmanager:
        alertmanager.fire("SlowSearch", severity="page")
        alertmanager.fire("CheckoutErrors", kill_flag=FLAG)
        wait_until(lambda: bool(awx.jobs), "the job has run", 60)
        exit_code, printed = awx.jobs[0]
        assert exit_code == 0, printed
        assert f"{FLAG} is killed (5 % of the checkouts fail): sent after " in printed
        assert "seen by 6 of 6 instances after " in printed
    assert redis.cli("GET", f"kill_switch:{FLAG}:reason") == "5 % of the checkouts fail"
    assert (len(awx.jobs), awx.refused) == (1, [])
    assert SECRET not in printed
