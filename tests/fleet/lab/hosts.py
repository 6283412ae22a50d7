# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a whole: a fleet of hosts to deploy to, for tests and for exploring.

with Lab(apps=6, balancers=2) as lab:
    lab.run("app1", ["systemctl", "is-active", "shop"])
    subprocess.run([*lab.inside(), "ansible", "-i", str(lab.inventory), "fleet", "-m", "ping"])
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

from fleet.lab import base, files, machine, network
from fleet.lab.places import REPOSITORY, Host, LabError, Places, command, require

FIRST_VERSION = "1.0.0"
SHOP = REPOSITORY / "examples" / "shop"
SHOP_DISK = "64M"
FILLER = "/opt/shop/.filler"
READY_WITHIN = 120
PROGRAMS = {
    "systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "ip": "iproute2", "ssh-keygen": "openssh-client",
    "mkfs.ext4": "e2fsprogs", "nsenter": "util-linux",
}  # fmt: skip


class Lab:
    """A fleet of hosts on this machine; there is one of each name, whoever made it (see Places.usual).

    Every host runs the Debian of *suite* (see base.SUITES), with *more* packages than usual.
    """

    def __init__(
        self,
        apps: int = 6,
        balancers: int = 2,
        places: Places | None = None,
        suite: str = base.SUITES[0],
        more: t.Sequence[str] = (),
    ) -> None:
        self.places = places or Places.usual()
        self.suite = suite
        self.more = list(more)
        self.hosts = [Host("app", number + 1) for number in range(apps)]
        self.hosts += [Host("lb", number + 1) for number in range(balancers)]

    @classmethod
    def standing(cls) -> Lab:
        """The lab that is up, with the hosts that it has; raises LabError when none is."""
        places = Places.usual()
        try:
            shape = json.loads((places.directory / "lab.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LabError("the lab is not up: 'fleet up' first.") from None
        return cls(shape["apps"], shape["balancers"], places, shape["suite"], shape["more"])

    def __enter__(self) -> Lab:
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: t.Any) -> None:
        self.down()

    @property
    def netns(self) -> str:
        """The network namespace in which the hosts are reached."""
        return self.places.name

    @property
    def inventory(self) -> pathlib.Path:
        """A folder: hosts and group_vars of the fleet."""
        return self.places.directory / "inventory"

    @property
    def releases(self) -> pathlib.Path:
        """Where the inventory's rollout_artifact is looked for."""
        return self.places.directory / "releases"

    def urls(self) -> list[str]:
        """Where the balancers serve."""
        return [f"http://{host.address}:{files.SERVICE_PORT}" for host in self.hosts if host.role == "lb"]

    def stats(self) -> dict[str, str]:
        """HAProxy's command socket on TCP, by the name of the balancer."""
        return {host.name: f"{host.address}:{files.STATS_PORT}" for host in self.hosts if host.role == "lb"}

    def inside(self) -> list[str]:
        """The words that put a command into the lab's network."""
        return self.places.inside()

    def up(self) -> None:
        """Boots what is not running; returns when every host takes ssh and every balancer has every app host in."""
        require(PROGRAMS)
        with self._alone():
            self._refuse_another_shape()
            network.build(self.places)
            self._write_shared_files()
            image = self._shop_image()
            for host in self.hosts:
                machine.Machine(self.places, host).install(self.hosts, image)
            self._write_inventory()
            self._boot(self.hosts)
            self._wait([f"checks,{name},{address.replace(':', ',')}" for name, address in self.stats().items()])

    def down(self) -> None:
        """Ends every host and removes every trace but the common tree; works on whatever is left of a lab."""
        require(PROGRAMS)
        with self._alone():
            self._end_ssh_masters()
            for host in self._installed():
                machine.Machine(self.places, host).power_off()
            machine.end_all(self.places)
            network.remove(self.places)
            shutil.rmtree(self.places.directory, ignore_errors=True)

    def start(self, *names: str) -> None:
        """Powers hosts on, and plugs their cables; returns when they take ssh and serve.

        A balancer sends traffic to an app host only some checks later, a second or so.
        """
        hosts = self._known(names)
        with self._alone():
            self._boot(hosts)

    def kill(self, *names: str, silent: bool = True) -> None:
        """Takes the power away from hosts; the disk stays.

        *silent*: as in life, nobody gets a word of it. Otherwise the kernel still closes the host's connections,
        as after the end of every process on it.
        """
        for host in self._known(names):
            if silent:
                network.plug(self.places, host, False)
            machine.Machine(self.places, host).power_off()

    def cut(self, *names: str) -> None:
        """Pulls the network cables of hosts."""
        for host in self._known(names):
            network.plug(self.places, host, False)

    def heal(self, *names: str) -> None:
        """Plugs the network cables of hosts again."""
        for host in self._known(names):
            network.plug(self.places, host, True)

    def run(self, name: str, argv: t.Sequence[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command on a host, past its network; works while its cable is pulled."""
        (host,) = self._known([name])
        leader = machine.Machine(self.places, host).leader()
        if leader is None:
            raise LabError(f"{name} is powered off.")
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        enter = ["nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        done = subprocess.run(
            [*enter, "--", "env", "-i", path, "HOME=/root", *argv],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise LabError(f"{name}: '{' '.join(argv)}' failed with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done

    def fill(self, *names: str) -> None:
        """Leaves not a byte on the disk of /opt/shop."""
        write = ["dd", "if=/dev/zero", f"of={FILLER}", "bs=1k", "oflag=append", "conv=notrunc,fsync"]
        for name in names:
            # Writing back gives some of what was set aside for it free again; the second time nothing is left.
            for _time in range(2):
                self.run(name, write, check=False)

    def free(self, *names: str) -> None:
        """Takes back what fill() did."""
        for name in names:
            self.run(name, ["rm", "-f", FILLER])

    def add_release(
        self, version: str, behaviour: dict[str, t.Any] | None = None, corrupt: bool = False, padding: int = 0
    ) -> None:
        """Builds the artifact of a version of the shop into releases; see its build_release for bad ones."""
        options = [f"--behaviour={json.dumps(behaviour)}"] if behaviour else []
        options += ["--corrupt"] if corrupt else []
        options += [f"--padding={padding}"] if padding else []
        command(sys.executable, SHOP / "build_release.py", version, "--out", self.releases, *options)

    def seen(self) -> dict[str, dict[str, t.Any] | None]:
        """What the service on each app host itself answers to /stats; None where it does not."""
        return {host.name: self._stats_of(host.name) for host in self.hosts if host.role == "app"}

    def _stats_of(self, name: str) -> dict[str, t.Any] | None:
        url = f"http://127.0.0.1:{files.SERVICE_PORT}/stats"
        try:
            answer = self.run(name, ["curl", "--silent", "--fail", "--max-time", "5", url]).stdout
            return t.cast("dict[str, t.Any]", json.loads(answer))
        except (LabError, ValueError):
            return None

    def _boot(self, hosts: t.Sequence[Host]) -> None:
        tree = base.tree(self.places, self.suite, self.more)
        for host in hosts:
            network.connect(self.places, host)
            machine.Machine(self.places, host).power_on(tree)
        waited_for = [f"ssh,{host.name},{host.address},22" for host in hosts]
        waited_for += [f"http,{host.name},{host.address},{files.SERVICE_PORT}" for host in hosts]
        self._wait(waited_for)

    def _wait(self, targets: t.Sequence[str]) -> None:
        program = pathlib.Path(__file__).resolve().with_name("wait_ready.py")
        command(*self.inside(), sys.executable, program, str(READY_WITHIN), *targets)

    def _refuse_another_shape(self) -> None:
        """The balancers' configuration names every app host, so a lab does not grow; nor do disks change their Debian."""
        standing = self.places.directory / "lab.json"
        if standing.exists() and json.loads(standing.read_text(encoding="utf-8")) != self._shape():
            raise LabError(
                f"a lab of another size or suite is up ({standing.read_text(encoding='utf-8')}): 'fleet down' first."
            )

    def _shape(self) -> dict[str, t.Any]:
        apps = len([host for host in self.hosts if host.role == "app"])
        return {"apps": apps, "balancers": len(self.hosts) - apps, "suite": self.suite, "more": self.more}

    def _write_shared_files(self) -> None:
        directory = self.places.directory
        directory.mkdir(parents=True, exist_ok=True)
        (self.places.runtime / "cp").mkdir(mode=0o700, exist_ok=True)
        if not self.places.key.exists():
            command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", self.places.key)
        (directory / "lab.json").write_text(json.dumps(self._shape()), encoding="ascii")

    def _shop_image(self) -> pathlib.Path:
        """The disk of /opt/shop that each app host gets a copy of: small, and with the first release on it."""
        image = self.places.directory / "shop.img"
        if not image.exists():
            self.add_release(FIRST_VERSION)
            content = self.places.directory / "shop"
            release = content / "releases" / FIRST_VERSION
            release.mkdir(parents=True, exist_ok=True)
            command("tar", "-xzf", self.releases / f"shop-{FIRST_VERSION}.tar.gz", "-C", release)
            with contextlib.suppress(FileExistsError):
                (content / "current").symlink_to(pathlib.Path("releases") / FIRST_VERSION)
            command("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "root_owner=0:0", "-d", content, image, SHOP_DISK)
            shutil.rmtree(content)
        return image

    def _write_inventory(self) -> None:
        folder = self.inventory / "group_vars"
        folder.mkdir(parents=True, exist_ok=True)
        # With a suffix such as .ini ansible-core 2.16 would pass it over.
        (self.inventory / "hosts").write_text(files.inventory(self.places, self.hosts), encoding="utf-8")
        (folder / "fleet.yml").write_text(files.group_vars(self.places, self.hosts), encoding="utf-8")
        keys = (machine.Machine(self.places, host).host_key() for host in self.hosts)
        (self.places.directory / "known_hosts").write_text("".join(keys), encoding="ascii")

    def _end_ssh_masters(self) -> None:
        for path in (self.places.runtime / "cp").glob("*"):
            command("ssh", "-o", f"ControlPath={path}", "-O", "exit", "lab", check=False)

    def _installed(self) -> list[Host]:
        folders = self.places.hosts.iterdir() if self.places.hosts.is_dir() else ()
        return [Host.named(folder.name) for folder in folders]

    def _known(self, names: t.Iterable[str]) -> list[Host]:
        hosts = [Host.named(name) for name in names]
        for host in hosts:
            if not (self.places.host(host) / "installed").exists():
                raise LabError(f"{host.name} is no host of the lab; it has {', '.join(h.name for h in self.hosts)}.")
        return hosts

    @contextlib.contextmanager
    def _alone(self) -> t.Iterator[None]:
        """One change of the lab at a time, whichever process makes it."""
        path = self.places.runtime.with_suffix(".lock")
        with _locked(path):
            self.places.runtime.mkdir(mode=0o700, exist_ok=True)
            yield
            if not self.places.directory.exists():
                shutil.rmtree(self.places.runtime, ignore_errors=True)
                path.unlink()


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> t.Iterator[None]:
    """Holds the lock file; takes a new one when the holder before us removed it."""
    while True:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                yield
                return
