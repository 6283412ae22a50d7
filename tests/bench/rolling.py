# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling deployment of real hosts against the ideal schedule and against a hand-written playbook.

Both do the same work on the same hosts with the same drains: the sessions of each host end a given time after its
drain began. There are two mixes: "long", where one host in four has a client with a download of a minute and the
others have requests of some seconds, and "short", where all drains take one to three seconds and every second of the
tool's own shows. Each contestant runs with settings of its own, ours with those that the README asks for, the other with
Ansible's defaults, pipelining and kept connections; and the other once more with ours.

The ideal is a sliding window of the same width and in the order of our run, in which a host needs its drain and the
time that health must last, and nothing else. Prints ratios and writes build/bench/rolling.json: the figures of "long",
and those of "short" below that name. Hosts keep the collection's runner from one rollout to the next: the first one of ours on
fresh hosts is measured beside the usual one ("first_over_ideal"). Of a host's time from its admission to its proof, "over_its_own_s" is what is neither
its drain nor its health. Processor time is that of the controller and of all it starts there, ssh and the watch included.

Usage: python tests/bench/rolling.py [long] [short] [alone]     alone: without the hand-written playbook
"""

from __future__ import annotations

import concurrent.futures
import heapq
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.drain_lag import lags_ms, percentile
from bench.usage import Group, usual_environment
from fleet.lab.hosts import Lab
from fleet.lab.machine import cgroups
from fleet.lab.places import REPOSITORY, Places
from fleet.world.shop import Shop

BUILD = REPOSITORY / "build" / "bench"
WINDOW = 4
MIN_HEALTHY = 2.0
LONG = [4.0, 60.0, 7.0, 3.0, 5.0, 6.0, 60.0, 8.0, 60.0, 4.0, 9.0, 5.0, 6.0, 3.0, 7.0, 60.0,
        8.0, 60.0, 4.0, 6.0, 5.0, 9.0, 60.0, 3.0]  # fmt: skip
"""Seconds that the sessions of app1, app2 ... go on after their drain began."""
SHORT = [
    1.0,
    2.0,
    3.0,
    1.5,
    2.5,
    1.0,
    3.0,
    2.0,
    1.5,
    1.0,
    2.5,
    3.0,
    2.0,
    1.0,
    1.5,
    2.0,
    3.0,
    2.5,
    1.0,
    2.0,
    1.5,
    3.0,
    1.0,
    2.0,
]
MIXES = {"long": LONG, "short": SHORT}
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
    workers: int
    """Forks of Ansible's, those of the plays before and after the roll included."""


def ideal_seconds(drains: t.Sequence[float], window: int) -> float:
    """The makespan of a sliding window that starts the next host, in order, as soon as one is done."""
    free = [0.0] * window
    for drain in drains:
        heapq.heappush(free, heapq.heappop(free) + drain + MIN_HEALTHY)
    return max(free)


def main() -> int:
    BUILD.mkdir(parents=True, exist_ok=True)
    alone = "alone" in sys.argv
    mixes = [name for name in MIXES if name in sys.argv] or list(MIXES)
    figures = {name: measured(MIXES[name], alone) for name in mixes}
    first = figures.pop(mixes[0])
    result = {**first, "drain_lag_ms_p95": round(percentile(lags_ms(), 95), 1), "mix": mixes[0], **figures}
    (BUILD / "rolling.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"a drain returns {result['drain_lag_ms_p95']} ms after its last session ended (95th percentile)")
    return 0


def measured(drains: list[float], alone: bool) -> dict[str, t.Any]:
    """The figures of one mix, on a lab of its own."""
    lab = Lab(
        apps=len(drains), balancers=2, places=Places("bench", REPOSITORY / "build" / "lab-bench", Places.usual().cache)
    )
    lab.down()
    with lab:
        bench = Bench(lab, drains)
        first = bench.measure(bench.ours("2.0.0"), "ansible.cfg")
        first_ideal = ideal_seconds([drains[number] for number in bench.order()], WINDOW)
        ours = bench.measure(bench.ours("3.0.0"), "ansible.cfg")
        order, own = bench.order(), bench.over_its_own()
        peers = {} if alone else bench.measure_peers()
    ideal = ideal_seconds([drains[number] for number in order], WINDOW)
    hosts = len(drains)
    figures: dict[str, t.Any] = {
        "ours_over_ideal": round(ours.seconds / ideal, 3),
        "first_over_ideal": round(first.seconds / first_ideal, 3),
        "over_its_own_s": round(sum(own) / len(own), 2),
        "module_processes_per_host": round(ours.modules / hosts, 2),
        "cpu_seconds_per_host": round(ours.processor / hosts, 2),
        "cpu_s_per_host": round(ours.processor / hosts, 3),
        "forks_per_host": round(ours.workers / hosts, 2),
        "hosts": hosts,
    }
    print(
        f"{hosts} hosts, window {WINDOW}, drains of {min(drains):g} to {max(drains):g} s, two HAProxy nodes, over ssh"
    )
    print(f"{'':34}{'seconds':>9}{'processes':>11}{'processor s':>13}  (a host)")
    print(f"{'ideal':34}{ideal:>9.1f}")
    for name, one in (("ours, the first rollout", first), ("ours", ours), *peers.items()):
        print(f"{name:34}{one.seconds:>9.1f}{one.modules / hosts:>11.2f}{one.processor / hosts:>13.2f}")
    if peers:
        by_hand, same = peers["by hand"], peers["by hand, with our settings"]
        figures["ours_over_peer"] = round(ours.seconds / by_hand.seconds, 3)
        figures["ours_over_peer_same_settings"] = round(ours.seconds / same.seconds, 3)
        figures["peer_cpu_s_per_host"] = round(by_hand.processor / hosts, 3)
    print(", ".join(f"{name} {value}" for name, value in figures.items()))
    return figures


class Bench:
    """The two contestants and the ground they meet on."""

    def __init__(self, lab: Lab, drains: t.Sequence[float]) -> None:
        self.lab = lab
        self.drains = list(drains)
        self.shop = Shop(lab)
        self.count = pathlib.Path("/var/tmp/modules.count")
        self._pin_by_header()
        self._count_modules()
        for version in ("2.0.0", "3.0.0", "4.0.0", "5.0.0"):
            lab.add_release(version)

    def ours(self, version: str) -> list[str]:
        settings = {
            "rollout_version": version,
            "rollout_max_unavailable": WINDOW,
            "rollout_min_available": len(self.drains) - WINDOW,
            "rollout_min_healthy_time": MIN_HEALTHY,
            "rollout_health_interval": 0.5,
            "rollout_drain_timeout": 120,
        }
        return self._playbook("playbooks/rolling.yml", settings)

    def order(self) -> list[int]:
        """The hosts of the last rollout, counted from 0, in the order in which the ledger let them go."""
        return [int(event["host"][len("app") :]) - 1 for event in self._last_events("admitted")]

    def over_its_own(self) -> list[float]:
        """Of each host of the last rollout the seconds from admission to its proof that are neither its drain nor its health."""
        admitted = {event["host"]: event["at"] for event in self._last_events("admitted")}
        proven = self._last_events("proven")
        drains = {event["host"]: json.loads(event["data"])["drained_for"] for event in proven}
        return [event["at"] - admitted[event["host"]] - drains[event["host"]] - MIN_HEALTHY for event in proven]

    def _last_events(self, kind: str) -> list[t.Any]:
        return [event for event in self.shop.events() if event["kind"] == kind][-len(self.drains) :]

    def measure_peers(self) -> dict[str, Measured]:
        return {
            "by hand": self.measure(self.peer("4.0.0"), f"{PEER_FOLDER}/settings.cfg"),
            "by hand, with our settings": self.measure(self.peer("5.0.0"), "ansible.cfg"),
        }

    def peer(self, version: str) -> list[str]:
        artifact = str(self.lab.releases / f"shop-{version}.tar.gz")
        return self._playbook(f"{PEER_FOLDER}/serial.yml", {"version": version, "artifact": artifact})

    def measure(self, argv: list[str], config: str) -> Measured:
        """One run with the sessions held; its modules are those that any host or this machine started."""
        environment = {
            **usual_environment(),
            "ANSIBLE_COLLECTIONS_PATH": f"{REPOSITORY / '.collections'}:{peer_collections()}",
            "ANSIBLE_CONFIG": str(REPOSITORY / config),
            "ANSIBLE_CALLBACK_PLUGINS": str(pathlib.Path(__file__).with_name("callbacks")),
            "ANSIBLE_CALLBACKS_ENABLED": "count_workers",
            "COUNT_WORKERS": str(BUILD / "workers"),
        }
        self._forget_counts()
        sessions = self._hold_sessions()
        with cgroups() as root, (BUILD / "output.log").open("ab") as log:
            group = Group(root / f"steady-bench-{os.getpid()}")
            begun = time.monotonic()
            done = subprocess.run(
                [*group.enter, *argv], cwd=REPOSITORY, env=environment, stdout=log, stderr=log, check=False
            )
            seconds, processor = time.monotonic() - begun, group.cpu
            group.remove()
        sessions.terminate()
        sessions.wait()
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(argv)} failed, see {BUILD / 'output.log'}")
        return Measured(seconds, processor, self._counted(), int((BUILD / "workers").read_text()))

    def _playbook(self, playbook: str, settings: dict[str, t.Any]) -> list[str]:
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        inventory = BUILD / "controller.ini"
        inventory.write_text(
            "controller ansible_connection=local ansible_python_interpreter=/var/tmp/counting-python\n"
        )
        return [*self.lab.inside(), str(program), playbook, "-i", str(self.lab.inventory), "-i", str(inventory),
                "--forks", str(len(self.drains)), "-e", "ansible_python_interpreter=/var/tmp/counting-python",
                "-e", json.dumps(settings)]  # fmt: skip

    def _hold_sessions(self) -> subprocess.Popen[bytes]:
        wanted, seen = BUILD / "drains.json", BUILD / "sessions.json"
        nodes = {host.name: host.address for host in self.lab.hosts if host.role == "lb"}
        drains = {f"app{number}": drain for number, drain in enumerate(self.drains, start=1)}
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


if __name__ == "__main__":
    sys.exit(main())
