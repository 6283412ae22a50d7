# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus in the lab's network, which scrapes the lab's real HAProxy nodes."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import typing as t

from fleet.lab.hosts import Lab
from fleet.world.configured import EXPORTER, EXPORTER_PORT, configured
from fleet.world.shop import Shop
from support.haproxy import wait_until
from support.monitoring import HAPROXY_ERRORS, HAPROXY_RESPONSES, Prometheus

"""Both nodes together, by host."""


class FleetPrometheus(Prometheus):
    """Reached from inside the lab's network only."""

    def __init__(self, directory: pathlib.Path, lab: Lab) -> None:
        addresses = [host.address for host in lab.hosts if host.role == "lb"]
        super().__init__(directory, {"haproxy": [f"{address}:{EXPORTER_PORT}" for address in addresses]})
        self._inside = lab.inside()

    def argv(self) -> list[str]:
        return [*self._inside, *super().argv()]

    def get(self, path: str, **parameters: str) -> t.Any:
        words = [word for name, value in parameters.items() for word in ("--data-urlencode", f"{name}={value}")]
        return json.loads(self._curl("--get", *words, f"{self.url}{path}"))

    def _is_ready(self) -> bool:
        return bool(self._curl(f"{self.url}/-/ready"))

    def _curl(self, *words: str) -> str:
        argv = [*self._inside, "curl", "--silent", "--fail", "--max-time", "5", *words]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout


@contextlib.contextmanager
def scraped(shop: Shop, directory: pathlib.Path) -> t.Iterator[dict[str, t.Any]]:
    """The settings of a rollout that is judged by a Prometheus which has scraped every node."""
    with configured(shop, EXPORTER), FleetPrometheus(directory, shop.lab) as prometheus:
        count = f"count(count by (instance) ({HAPROXY_RESPONSES}))"
        wait_until(lambda: prometheus.number(count) == len(shop.balancers), "every node is scraped", 30)
        source = {"type": "prometheus", "url": prometheus.url, "timeout": 2}
        yield {"rollout_metrics": [HAPROXY_ERRORS], "rollout_metric_sources": {"prometheus": source}}
