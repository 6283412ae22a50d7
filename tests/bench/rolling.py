# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling deployment of real hosts against the ideal schedule and against a hand-written playbook.

Both do the same work on the same hosts with the same drains: the sessions of each host end a given time after its
drain began. Each has settings of its own: ours those that the README asks for, the other Ansible's
defaults with pipelining and kept connections. One host in four has a client with a download of a minute, the others have requests of some seconds.
The ideal is a sliding window of the same width and in the order of our run, in which a host needs its drain and the
time that health must last, and nothing else. Prints ratios and writes build/bench/rolling.json.
"""

from __future__ import annotations

import concurrent.futures
import heapq
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.drain_lag import lags_ms, percentile
from fleet.lab.hosts import Lab
from fleet.lab.places import REPOSITORY, Places
from fleet.world.shop import Shop

BUILD = REPOSITORY / "build" / "bench"
WINDOW = 4
MIN_HEALTHY = 2.0
DRAINS = [4.0, 60.0, 7.0, 3.0, 5.0, 6.0, 60.0, 8.0, 60.0, 4.0, 9.0, 5.0, 6.0, 3.0, 7.0, 60.0,
          8.0, 60.0, 4.0, 6.0, 5.0, 9.0, 60.0, 3.0]  # fmt: skip
"""Seconds that the sessions of app1, app2 ... go on after their drain began."""
PEER = "ansible==12.3.0"
PEER_FOLDER = "tests/bench/peer"
COUNTER = """#!/bin/sh
echo x >> /var/tmp/modules.count
exec /usr/bin/python3 "$@"
"""


class Measured(t.NamedTuple):
    seconds: float
    processor: float
    modules: int


def ideal_seconds(drains: t.Sequence[float], window: int) -> float:
    """The makespan of a sliding window that starts the next host, in order, as soon as one is done."""
    free = [0.0] * window
    for drain in drains:
        heapq.heappush(free, heapq.heappop(free) + drain + MIN_HEALTHY)
    return max(free)


def main() -> int:
    BUILD.mkdir(parents=True, exist_ok=True)
    lab = Lab(
        apps=len(DRAINS), balancers=2, places=Places("bench", REPOSITORY / "build" / "lab-bench", Places.usual().cache)
    )
    lab.down()
    with lab:
        bench = Bench(lab)
        ours = bench.measure(bench.ours(), "ansible.cfg")
        order = bench.order()
        peer = bench.measure(bench.peer(), f"{PEER_FOLDER}/settings.cfg")
    ideal = ideal_seconds([DRAINS[number] for number in order], WINDOW)
    hosts = len(DRAINS)
    figures = {
        "ours_over_ideal": round(ours.seconds / ideal, 3),
        "ours_over_peer": round(ours.seconds / peer.seconds, 3),
        "module_processes_per_host": round(ours.modules / hosts, 2),
        "cpu_seconds_per_host": round(ours.processor / hosts, 2),
        "drain_lag_ms_p95": round(percentile(lags_ms(), 95), 1),
        "hosts": hosts,
    }
    (BUILD / "rolling.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(
        f"{hosts} hosts, window {WINDOW}, drains of {min(DRAINS):g} to {max(DRAINS):g} s, two HAProxy nodes, over ssh"
    )
    print(f"{'':26}{'ours':>10}{'by hand':>10}{'ideal':>10}")
    print(f"{'seconds':26}{ours.seconds:>10.1f}{peer.seconds:>10.1f}{ideal:>10.1f}")
    print(f"{'module processes a host':26}{ours.modules / hosts:>10.2f}{peer.modules / hosts:>10.2f}")
    print(f"{'processor seconds a host':26}{ours.processor / hosts:>10.2f}{peer.processor / hosts:>10.2f}")
    print(f"ours over ideal {figures['ours_over_ideal']}, ours over by hand {figures['ours_over_peer']}")
    print(f"a drain returns {figures['drain_lag_ms_p95']} ms after its last session ended (95th percentile)")
    return 0


class Bench:
    """The two contestants and the ground they meet on."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.shop = Shop(lab)
        self.count = pathlib.Path("/var/tmp/modules.count")
        self._pin_by_header()
        self._count_modules()
        for version in ("2.0.0", "3.0.0"):
            lab.add_release(version)

    def ours(self) -> list[str]:
        settings = {
            "rollout_version": "2.0.0",
            "rollout_max_unavailable": WINDOW,
            "rollout_min_available": len(DRAINS) - WINDOW,
            "rollout_min_healthy_time": MIN_HEALTHY,
            "rollout_health_interval": 0.5,
            "rollout_drain_timeout": 120,
        }
        return self._playbook("playbooks/rolling.yml", settings)

    def order(self) -> list[int]:
        """The hosts, counted from 0, in the order in which the ledger let them go."""
        admitted = [event["host"] for event in self.shop.events() if event["kind"] == "admitted"]
        return [int(name[len("app") :]) - 1 for name in admitted]

    def peer(self) -> list[str]:
        artifact = str(self.lab.releases / "shop-3.0.0.tar.gz")
        return self._playbook(f"{PEER_FOLDER}/serial.yml", {"version": "3.0.0", "artifact": artifact})

    def measure(self, argv: list[str], config: str) -> Measured:
        """One run with the sessions held; its modules are those that any host or this machine started."""
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": f"{REPOSITORY / '.collections'}:{peer_collections()}",
            "ANSIBLE_CONFIG": str(REPOSITORY / config),
        }
        self._forget_counts()
        sessions = self._hold_sessions()
        before, begun = _children(), time.monotonic()
        with (BUILD / "output.log").open("ab") as log:
            done = subprocess.run(argv, cwd=REPOSITORY, env=environment, stdout=log, stderr=log, check=False)
        seconds, processor = time.monotonic() - begun, _children() - before
        sessions.terminate()
        sessions.wait()
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(argv)} failed, see {BUILD / 'output.log'}")
        return Measured(seconds, processor, self._counted())

    def _playbook(self, playbook: str, settings: dict[str, t.Any]) -> list[str]:
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        inventory = BUILD / "controller.ini"
        inventory.write_text(
            "controller ansible_connection=local ansible_python_interpreter=/var/tmp/counting-python\n"
        )
        return [*self.lab.inside(), str(program), playbook, "-i", str(self.lab.inventory), "-i", str(inventory),
                "--forks", str(len(DRAINS)), "-e", "ansible_python_interpreter=/var/tmp/counting-python",
                "-e", json.dumps(settings)]  # fmt: skip

    def _hold_sessions(self) -> subprocess.Popen[bytes]:
        wanted, seen = BUILD / "drains.json", BUILD / "sessions.json"
        nodes = {host.name: host.address for host in self.lab.hosts if host.role == "lb"}
        drains = {f"app{number}": drain for number, drain in enumerate(DRAINS, start=1)}
        wanted.write_text(json.dumps({"drains": drains, "nodes": nodes}), encoding="utf-8")
        seen.unlink(missing_ok=True)
        program = pathlib.Path(__file__).with_name("sessions.py")
        sessions = subprocess.Popen([*self.lab.inside(), sys.executable, str(program), str(wanted), str(seen)])
        while not seen.exists():
            time.sleep(0.05)
        return sessions

    def _pin_by_header(self) -> None:
        pins = "".join(f"    use-server {app} if {{ req.hdr(x-app) {app} }}\n" for app in self.shop.apps)
        script = f"printf '%b' '{pins}' >> /etc/haproxy/haproxy.cfg && systemctl reload haproxy"
        for balancer in self.shop.balancers:
            self.lab.run(balancer, ["sh", "-c", script.replace("\n", "\\n")])
        self.shop.await_all_in_rotation()

    def _count_modules(self) -> None:
        put = f"cat > /var/tmp/counting-python <<'EOF'\n{COUNTER}EOF\nchmod 755 /var/tmp/counting-python"
        self._everywhere(put)
        here = pathlib.Path("/var/tmp/counting-python")
        here.write_text(COUNTER.replace("/usr/bin/python3", sys.executable), encoding="ascii")
        here.chmod(0o755)

    def _forget_counts(self) -> None:
        self.count.unlink(missing_ok=True)
        self._everywhere(f"rm -f {self.count}")

    def _counted(self) -> int:
        here = len(self.count.read_text().split()) if self.count.exists() else 0
        return here + sum(int(text) for text in self._everywhere(f"cat {self.count} 2>/dev/null | wc -l"))

    def _everywhere(self, script: str) -> list[str]:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            names = [host.name for host in self.lab.hosts]
            return list(pool.map(lambda name: self.lab.run(name, ["sh", "-c", script]).stdout, names))


def peer_collections() -> pathlib.Path:
    """Where community.general lies: taken out of the 'ansible' package of PyPI, once."""
    folder = BUILD / "peer"
    if not (folder / "ansible_collections" / "community" / "general").is_dir():
        download = BUILD / "download"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(download), PEER]
        subprocess.run(pip, check=True)
        (wheel,) = download.glob("ansible-*.whl")
        shutil.unpack_archive(str(wheel), str(download / "unpacked"), "zip")
        shutil.move(str(download / "unpacked" / "ansible_collections"), str(folder / "ansible_collections"))
        shutil.rmtree(download)
    return folder


def _children() -> float:
    """Processor seconds of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
