# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of the lab: its disk, and its power switch.

A host is a systemd-nspawn container with its own systemd as PID 1. Where the machine runs systemd itself, each
is a transient unit; elsewhere it is a process group of its own in a cgroup of the lab. Either way one cgroup
holds all that belongs to it, so that it can be ended whatever became of its supervisor.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
import uuid

from fleet.lab import files
from fleet.lab.places import Host, LabError, Places, command

SUPERVISE = pathlib.Path(__file__).resolve().with_name("supervise.sh")
MACHINE_HAS_SYSTEMD = pathlib.Path("/run/systemd/system")
OVER_WITHIN = 15.0


class Machine:
    """The power switch and the disk of one host."""

    def __init__(self, places: Places, host: Host) -> None:
        self.host = host
        self.directory = places.host(host)
        self._places = places
        self._unit = f"{places.name}-lab-{host.name}.service"
        self._cgroup = f"{places.name}-lab/{host.name}"
        self._pid_file = self.directory / "pid"

    def install(self, hosts: t.Sequence[Host], shop_image: pathlib.Path) -> None:
        """Writes the host's own part of the disk; what is there already stays."""
        if (self.directory / "installed").exists():
            return
        shutil.rmtree(self.directory, ignore_errors=True)
        upper = self.directory / "upper"
        for path in (upper, *(self.directory / name for name in ("work", "root", "shop", "containers"))):
            path.mkdir(parents=True)
        _write(upper / "etc/hostname", f"{self.host.name}\n")
        _write(upper / "etc/machine-id", f"{uuid.uuid4().hex}\n")
        _write(upper / "etc/hosts", files.hosts_file(hosts))
        key = upper / "etc/ssh/ssh_host_ed25519_key"
        key.parent.mkdir()
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.host.name, "-f", key)
        (upper / "root").mkdir(mode=0o700)
        (upper / "root/.ssh").mkdir(mode=0o700)
        shutil.copy(f"{self._places.key}.pub", upper / "root/.ssh/authorized_keys")
        if self.host.role == "app":
            command("cp", "--sparse=always", shop_image, self.directory / "shop.img")
            _enabled(upper, "shop.service", files.SHOP_UNIT)
        else:
            _write(upper / "etc/haproxy/haproxy.cfg", files.haproxy([host for host in hosts if host.role == "app"]))
            _enabled(upper, "haproxy.service", None)
        (self.directory / "installed").touch()

    def host_key(self) -> str:
        """The host's line of known_hosts."""
        public = (self.directory / "upper/etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="ascii")
        return f"{self.host.address},{self.host.name} {' '.join(public.split()[:2])}\n"

    def power_on(self, base: pathlib.Path) -> None:
        """Begins to boot the host; does nothing where it is on."""
        if self.leader() is not None:
            return
        self.power_off()
        argv = ["unshare", "--mount", "--propagation=slave", str(SUPERVISE), self.host.name]
        argv += [self._places.netns(self.host), str(base), str(self.directory), self._cgroup]
        log = self.directory / "console.log"
        if MACHINE_HAS_SYSTEMD.is_dir():
            options = ("-pDelegate=yes", "-pKillMode=mixed", "-pType=exec", f"-pStandardOutput=append:{log}")
            command("systemd-run", "--quiet", "--collect", f"--unit={self._unit}", *options, *argv)
            pid = command("systemctl", "show", "--property=MainPID", "--value", self._unit).strip()
        else:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
            pid = str(process.pid)
        self._pid_file.write_text(pid, encoding="ascii")

    def leader(self) -> int | None:
        """The process that is the host's PID 1: the child of systemd-nspawn, the child of our supervisor."""
        try:
            nspawn = _only_child(int(self._pid_file.read_text(encoding="ascii")), "systemd-nspawn")
            return _only_child(nspawn, "systemd")
        except (OSError, ValueError, LookupError):
            return None

    def power_off(self) -> None:
        """Ends every process of the host at once and returns when none is left; the disk stays as it is."""
        _end_units(self._unit)
        with cgroups() as root:
            _end(root / self._cgroup)
        self._pid_file.unlink(missing_ok=True)


@contextlib.contextmanager
def cgroups() -> t.Iterator[pathlib.Path]:
    """The root of the machine's unified cgroup hierarchy, mounted for the time where it is not."""
    for line in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _device, target, kind = line.split()[:3]
        if kind == "cgroup2":
            yield pathlib.Path(target)
            return
    target = tempfile.mkdtemp()
    command("mount", "-t", "cgroup2", "cgroup2", target)
    try:
        yield pathlib.Path(target)
    finally:
        command("umount", target)
        os.rmdir(target)


def end_all(places: Places) -> None:
    """Ends whatever runs in any host's cgroup of this lab, with or without a trace of it elsewhere."""
    _end_units(f"{places.name}-lab-*.service")
    with cgroups() as root:
        _end(root / f"{places.name}-lab")


def _end_units(pattern: str) -> None:
    if MACHINE_HAS_SYSTEMD.is_dir():
        command("systemctl", "kill", "--signal=KILL", "--kill-who=all", pattern, check=False)
        command("systemctl", "stop", pattern, check=False)
        command("systemctl", "reset-failed", pattern, check=False)


def _end(cgroup: pathlib.Path) -> None:
    end = time.monotonic() + OVER_WITHIN
    while cgroup.is_dir():
        if time.monotonic() > end:
            raise LabError(f"{cgroup}: some processes do not end, not even by SIGKILL.")
        for pid in _processes(cgroup):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for folder in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
            _remove(folder)
        _remove(cgroup)
        time.sleep(0.005)


def _processes(cgroup: pathlib.Path) -> list[int]:
    pids: list[int] = []
    for file in cgroup.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            pids += [int(pid) for pid in file.read_text(encoding="ascii").split()]
    return pids


def _remove(cgroup: pathlib.Path) -> None:
    with contextlib.suppress(OSError):  # still in use; the next round tries again
        cgroup.rmdir()


def _only_child(pid: int, name: str) -> int:
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    for child in children:
        if pathlib.Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip() == name[:15]:
            return int(child)
    raise LookupError(f"{pid} has no child {name}")


def _enabled(upper: pathlib.Path, unit: str, content: str | None) -> None:
    """Has the host start the unit at boot; *content* is written unless the package brings it."""
    wants = upper / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    if content:
        _write(upper / "etc/systemd/system" / unit, content)
        (wants / unit).symlink_to(f"/etc/systemd/system/{unit}")
    else:
        (wants / unit).symlink_to(f"/lib/systemd/system/{unit}")


def _write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
