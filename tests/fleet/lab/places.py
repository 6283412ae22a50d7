# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's modules share: its names and places, and running commands of the machine."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
CONTROLLER_ADDRESS = "10.77.0.1"
NETWORK_BITS = 16


class LabError(Exception):
    """The lab cannot do what was asked; says why."""


@dataclasses.dataclass(frozen=True)
class Host:
    """A host by its role and number: app1, app2 ... or lb1, lb2 ..."""

    role: str
    number: int

    @classmethod
    def named(cls, name: str) -> Host:
        role = name.rstrip("0123456789")
        if role not in ("app", "lb") or role == name:
            raise LabError(f"'{name}' names no host of the lab; expected appN or lbN.")
        return cls(role, int(name[len(role) :]))

    @property
    def name(self) -> str:
        return f"{self.role}{self.number}"

    @property
    def address(self) -> str:
        """10.77.1.N for an app host, 10.77.9.N for a balancer; N may go past 250."""
        third, fourth = divmod(self.number, 250)
        return f"10.77.{(1 if self.role == 'app' else 9) + third}.{fourth}"

    @property
    def zone(self) -> str:
        return "abc"[(self.number - 1) % 3]


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the lab keeps its files and what it calls things in the kernel."""

    name: str
    directory: pathlib.Path
    cache: pathlib.Path

    @classmethod
    def usual(cls) -> Places:
        """build/lab and the user's cache; STEADY_LAB names another lab beside the usual one."""
        name = os.environ.get("STEADY_LAB", "steady")
        build = REPOSITORY / "build"
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        return cls(
            name=name,
            directory=build / ("lab" if name == "steady" else f"lab-{name}"),
            cache=pathlib.Path(cache) / "steady-rollout-lab",
        )

    @property
    def runtime(self) -> pathlib.Path:
        """For sockets, whose paths must be short."""
        return pathlib.Path("/run") / f"{self.name}-lab"

    @property
    def hosts(self) -> pathlib.Path:
        return self.directory / "hosts"

    @property
    def key(self) -> pathlib.Path:
        return self.directory / "id_ed25519"

    def host(self, host: Host) -> pathlib.Path:
        return self.hosts / host.name

    def netns(self, host: Host) -> str:
        return f"{self.name}-{host.name}"

    def inside(self) -> list[str]:
        """The words that put a command into the lab's network."""
        return ["nsenter", f"--net=/run/netns/{self.name}", "--"]


def command(*argv: str | pathlib.Path, check: bool = True, text: str | None = None) -> str:
    """Runs a command of the machine and returns its output; raises LabError when it fails and *check* is set."""
    done = subprocess.run([str(word) for word in argv], input=text, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        words = " ".join(str(word) for word in argv)
        raise LabError(f"'{words}' failed with {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def require(programs: t.Mapping[str, str]) -> None:
    """Raises LabError naming every package that is missing; *programs* maps a program to its Debian package."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {package for program, package in programs.items() if not _found(program, path)}
    if missing:
        raise LabError(f"missing on this machine: apt-get install {' '.join(sorted(missing))}")
    if os.geteuid() != 0:
        raise LabError("the lab boots hosts: it needs root.")


def _found(program: str, path: str) -> bool:
    return any(os.access(os.path.join(folder, program), os.X_OK) for folder in path.split(":"))
