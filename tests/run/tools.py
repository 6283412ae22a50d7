# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gets what the parts run with: Python tools into venvs under build/, system programs by apt."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

from . import house


@dataclasses.dataclass(frozen=True)
class Pythons:
    """The minor versions of Python 3 that the ansible-core of a file in tests/requirements runs on."""

    first: int = 11
    last: int = 14
    newest: bool = False
    """Take the newest that is on the machine, instead of this one where it will do."""


PYTHONS = {"demo": Pythons(10), "demo-envoy": Pythons(10), "oldest": Pythons(10, 12), "newest": Pythons(newest=True)}

PROGRAMS = {
    "git": "git",
    "haproxy": "haproxy",
    "nginx": "nginx",
    "apache2": "apache2-bin",
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "zstd": "zstd",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "sudo": "sudo",
    "pgrep": "procps",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "mkfs.ext4": "e2fsprogs",
    "pg_ctlcluster": "postgresql",
    "pgbouncer": "pgbouncer",
    "mariadbd": "mariadb-server",
    "redis-server": "redis-server",
    "etcd": "etcd-server",
    "etcdctl": "etcd-client",
    "rabbitmq-server": "rabbitmq-server",
}
"""Program -> Debian package."""


UNLEASH = "unleash-server@8.2.0"
"""From npm. It needs Node 22, which Debian 12 does not have and PyPI has."""


class Unavailable(Exception):
    """Something that is needed is not there and could not be got; says what to do."""


def venv(name: str) -> pathlib.Path:
    """build/venv for "test", build/venv-<name> for any other file of tests/requirements; made again when that changes."""
    place = house.VENV if name == "test" else house.BUILD / f"venv-{name}"
    requirements = house.ROOT / "tests" / "requirements" / f"{name}.txt"
    interpreter = python(PYTHONS.get(name, Pythons()))
    recipe = fingerprint(requirements.read_bytes(), interpreter, house.run([interpreter, "-VV"], capture=True))
    mark = place / ".made-from"
    with locked(place.name):
        if not mark.exists() or mark.read_text() != recipe:
            make_venv(place, requirements, interpreter)
            mark.write_text(recipe)
    return place


def try_unleash() -> None:
    """Gets a real Unleash into build/unleash; where that fails its tests are skipped, and what went wrong is printed."""
    if os.environ.get("STEADY_UNLEASH"):
        return
    try:
        get_unleash()
    except Unavailable as obstacle:
        print(f"  Unleash could not be installed, so its tests are skipped: {obstacle}", flush=True)


def get_unleash() -> pathlib.Path:
    place = house.BUILD / "unleash"
    node = venv("unleash")
    recipe = fingerprint(UNLEASH, (node / ".made-from").read_text())
    mark = place / ".made-from"
    with locked(place.name):
        if not mark.exists() or mark.read_text() != recipe:
            print(f"  getting {UNLEASH} from npm into {place.relative_to(house.ROOT)}", flush=True)
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            npm, options = node / "bin" / "npm", ("--ignore-scripts", "--no-audit", "--no-fund")
            logged("install-unleash", [npm, "install", "--prefix", place, *options, UNLEASH])
            mark.write_text(recipe)
    return place


def fingerprint(*parts: bytes | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return digest.hexdigest()


def make_venv(place: pathlib.Path, requirements: pathlib.Path, interpreter: str) -> None:
    print(f"  getting {requirements.relative_to(house.ROOT)} into {place.relative_to(house.ROOT)}", flush=True)
    if not has_venv_module(interpreter):
        apt_install(["python3-venv"], sudo=True)
    if not has_venv_module(interpreter):
        raise Unavailable(f"{interpreter} cannot make virtual environments; install its venv (Debian: python3-venv).")
    shutil.rmtree(place, ignore_errors=True)
    logged(f"install-{place.name}", [interpreter, "-m", "venv", place])
    logged(f"install-{place.name}", [place / "bin" / "python", "-m", "pip", "install", "-q", "-r", requirements])


def python(wanted: Pythons = Pythons()) -> str:
    """The interpreter that tools run on: this one, or where it will not do the newest that is there."""
    if not wanted.newest and wanted.first <= sys.version_info.minor <= wanted.last:
        return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    for minor in range(wanted.last, wanted.first - 1, -1):
        found = house.which(f"python3.{minor}")
        if found:
            return os.path.realpath(found)
    raise Unavailable(
        f"Ansible needs a Python from 3.{wanted.first} to 3.{wanted.last} here, and this is {sys.version.split()[0]} "
        f"({sys.executable}). Install one, for example python3.12, and run again."
    )


def has_venv_module(interpreter: str) -> bool:
    probe = [interpreter, "-c", "import venv, ensurepip"]
    return subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0


def get_programs(wanted: t.Iterable[str], sudo: bool = False) -> None:
    """Installs those of *wanted* that are missing, where that is possible; who needs them checks for them."""
    missing = [program for program in wanted if house.which(program) is None]
    if missing:
        apt_install(sorted({PROGRAMS[program] for program in missing}), sudo)


def try_programs(wanted: t.Iterable[str], sudo: bool = False) -> None:
    """The same for programs without which there is another way: what goes wrong is printed and is no failure."""
    try:
        get_programs(wanted, sudo)
    except Unavailable as obstacle:
        print(f"  could not be installed: {obstacle}", flush=True)


def apt_install(packages: t.Sequence[str], sudo: bool = False) -> None:
    """Installs Debian packages as root, or with *sudo* where it asks for no password; does nothing elsewhere."""
    prefix = root_prefix(sudo)
    if prefix is None or not house.which("apt-get"):
        return
    print(f"  apt-get install {' '.join(packages)}", flush=True)
    apt = [*prefix, "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    logged("install-apt", [*apt, "update"])
    logged("install-apt", [*apt, "install", "--no-install-recommends", *packages])


def root_prefix(sudo: bool) -> list[str] | None:
    """What to put before a command that needs root; None where it cannot be had without a question."""
    if os.geteuid() == 0:
        return []
    if sudo and house.which("sudo"):
        asked = subprocess.run(["sudo", "-n", "true"], stderr=subprocess.DEVNULL, check=False)
        return ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive"] if asked.returncode == 0 else None
    return None


def logged(name: str, argv: t.Sequence[str | os.PathLike[str]]) -> None:
    """Runs *argv* with its output in build/test/<name>.log; on failure its end becomes the error."""
    house.LOGS.mkdir(parents=True, exist_ok=True)
    log = house.LOGS / f"{name}.log"
    with open(log, "ab") as stream:
        start = stream.tell()
        words = [str(word) for word in argv]
        code = subprocess.run(
            words, env=house.environment(), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False
        ).returncode
    if code:
        said = log.read_bytes()[start:].decode(errors="replace").strip().splitlines()[-15:]
        raise Unavailable("\n".join([f"'{' '.join(words)}' ended with {code}:", *said]))


@contextlib.contextmanager
def locked(name: str) -> t.Iterator[None]:
    """Two runs in one checkout wait for each other where they would write the same files."""
    house.BUILD.mkdir(exist_ok=True)
    with open(house.BUILD / f".{name}.lock", "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
