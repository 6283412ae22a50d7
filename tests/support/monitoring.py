# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Prometheus and Alertmanager on loopback, for tests; both are Debian packages.

with Prometheus(tmp_path, {"haproxy": [8405]}) as prometheus:
    prometheus.url
"""

from __future__ import annotations

import datetime
import json
import pathlib
import shutil
import subprocess
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from support.haproxy import free_port, wait_until

PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager")

HAPROXY_RESPONSES = "haproxy_server_http_responses_total"
HAPROXY_ERRORS = {
    "name": "errors",
    "source": "prometheus",
    "kind": "share",
    "judge": True,
    "critical": True,
    "query": {
        "bad": f'sum by (server) (increase({HAPROXY_RESPONSES}{{proxy="shop", code="5xx", server=~"$members"}}[2s]))',
        "total": f'sum by (server) (increase({HAPROXY_RESPONSES}{{proxy="shop", server=~"$members"}}[2s]))',
    },
}
"""The share of failed requests of each group, as a metric of metric_gate, from HAProxy's own exporter."""


class Server:
    """A program that answers over HTTP once it is ready."""

    def __init__(self, directory: pathlib.Path, name: str) -> None:
        self.directory = directory
        self.name = name
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def argv(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(self.argv(), stdout=log, stderr=log, cwd=self.directory)
        wait_until(self._is_ready, f"{self.name} is ready", 30)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def get(self, path: str, **parameters: str) -> t.Any:
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=5) as answer:
            return json.load(answer)

    def __enter__(self) -> t.Any:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return int(answer.status) == 200
        except (OSError, urllib.error.URLError):
            return False


class Prometheus(Server):
    """Scrapes, by job, every half second: ports of this host, or HOST:PORT; *path* is where their figures are."""

    def __init__(
        self, directory: pathlib.Path, jobs: t.Mapping[str, t.Sequence[int | str]], path: str = "/metrics"
    ) -> None:
        super().__init__(directory, "prometheus")
        self._config = directory / "prometheus.json"
        scrapes = [
            {
                "job_name": job,
                "metrics_path": path,
                "static_configs": [{"targets": [at if isinstance(at, str) else f"127.0.0.1:{at}" for at in places]}],
            }
            for job, places in jobs.items()
        ]
        settings = {"global": {"scrape_interval": "500ms", "scrape_timeout": "400ms"}, "scrape_configs": scrapes}
        self._config.write_text(json.dumps(settings))

    def argv(self) -> list[str]:
        return [
            str(PROMETHEUS),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self.directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]

    def number(self, query: str) -> float | None:
        """The first number that a query gives, by means that share nothing with the code under test."""
        result = self.get("/api/v1/query", query=query)["data"]["result"]
        return float(result[0]["value"][1]) if result else None


NOBODY = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


class Alertmanager(Server):
    """Takes alerts and notifies nobody, unless *config* says whom."""

    def __init__(self, directory: pathlib.Path, config: t.Any = None) -> None:
        super().__init__(directory, "alertmanager")
        self._config = directory / "alertmanager.json"
        self._config.write_text(json.dumps(config or NOBODY))

    def argv(self) -> list[str]:
        return [
            str(ALERTMANAGER),
            f"--config.file={self._config}",
            f"--storage.path={self.directory / 'alerts'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def fire(self, name: str, **labels: str) -> None:
        self._post("/api/v2/alerts", [{"labels": {"alertname": name, **labels}}])
        wait_until(lambda: any(name == one["labels"]["alertname"] for one in self.get("/api/v2/alerts")), "it fires")

    def silence(self, name: str) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        until = now + datetime.timedelta(hours=1)
        matcher = {"name": "alertname", "value": name, "isRegex": False, "isEqual": True}
        times = {"startsAt": now.isoformat(), "endsAt": until.isoformat()}
        self._post("/api/v2/silences", {"matchers": [matcher], **times, "createdBy": "test", "comment": "test"})

        def is_silent() -> bool:
            found = self.get("/api/v2/alerts", silenced="false")
            return all(name != one["labels"]["alertname"] for one in found)

        wait_until(is_silent, "it is silenced")

    def _post(self, path: str, content: t.Any) -> None:
        request = urllib.request.Request(
            self.url + path, json.dumps(content).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        urllib.request.urlopen(request, timeout=5).close()
