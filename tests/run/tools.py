# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gets what the parts run with: Python tools into venvs under build/, system programs by apt."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

from . import house

OLDEST_PYTHON = (3, 11)
"""The oldest that the ansible-core in tests/requirements/test.txt runs on."""

PROGRAMS = {
    "git": "git",
    "haproxy": "haproxy",
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "zstd": "zstd",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "pgrep": "procps",
}
"""Program -> Debian package."""


class Unavailable(Exception):
    """Something that is needed is not there and could not be got; says what to do."""


def venv(name: str) -> pathlib.Path:
    """build/venv for "test", build/venv-<name> for any other file of tests/requirements; made again when that changes."""
    place = house.VENV if name == "test" else house.BUILD / f"venv-{name}"
    requirements = house.ROOT / "tests" / "requirements" / f"{name}.txt"
    recipe = fingerprint(requirements.read_bytes(), sys.version)
    mark = place / ".made-from"
    with locked(f"venv-{name}"):
        if not mark.exists() or mark.read_text() != recipe:
            make_venv(place, requirements)
            mark.write_text(recipe)
    return place


def fingerprint(*parts: bytes | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return digest.hexdigest()


def make_venv(place: pathlib.Path, requirements: pathlib.Path) -> None:
    print(f"  getting the tools of {requirements.relative_to(house.ROOT)} into {place.relative_to(house.ROOT)}", flush=True)
    require_venv_module()
    shutil.rmtree(place, ignore_errors=True)
    logged(f"install-{place.name}", [python(), "-m", "venv", place])
    logged(f"install-{place.name}", [place / "bin" / "python", "-m", "pip", "install", "-q", "-r", requirements])


def python() -> str:
    """The interpreter the tools run on: this one, or the first that is new enough."""
    if sys.version_info >= OLDEST_PYTHON:
        return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    for minor in (13, 12, 11):
        found = house.which(f"python3.{minor}")
        if found:
            return found
    raise Unavailable(
        f"The tests need Python 3.11 or newer on the controller, and this is {sys.version.split()[0]} ({sys.executable}). "
        "Install one, for example python3.12, and run again."
    )


def require_venv_module() -> None:
    if has_venv_module():
        return
    apt_install(["python3-venv"])
    if not has_venv_module():
        raise Unavailable(f"{python()} cannot make virtual environments; install its venv module (Debian: python3-venv).")


def has_venv_module() -> bool:
    return subprocess.run([python(), "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def get_programs(wanted: t.Iterable[str]) -> None:
    """Installs those of *wanted* that are missing, where that is possible; parts that need them check for themselves."""
    missing = [program for program in wanted if house.which(program) is None]
    if missing and os.geteuid() == 0 and house.which("apt-get"):
        apt_install(sorted({PROGRAMS[program] for program in missing}))


def apt_install(packages: t.Sequence[str]) -> None:
    if os.geteuid() != 0 or not house.which("apt-get"):
        return
    print(f"  apt-get install {' '.join(packages)}", flush=True)
    wait = "DPkg::Lock::Timeout=300"
    logged("install-apt", ["apt-get", "-q", "-o", wait, "update"])
    logged("install-apt", ["apt-get", "-q", "-y", "-o", wait, "install", "--no-install-recommends", *packages])


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
