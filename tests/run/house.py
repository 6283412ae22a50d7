# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie in a checkout, and the environment that its tools run in."""

from __future__ import annotations

import glob
import os
import pathlib
import pwd
import shutil
import subprocess
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LOGS = BUILD / "test"
VENV = BUILD / "venv"
COLLECTION = pathlib.PurePath("ansible_collections/steady/rollout")


def environment(**more: str) -> dict[str, str]:
    """The environment of every tool: the checkout's venv first, no colours, no questions, the checkout as collection."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    env.setdefault("HOME", pwd.getpwuid(os.geteuid()).pw_dir)
    env.update(
        PATH=os.pathsep.join([str(VENV / "bin"), *search_path(env.get("PATH", os.defpath))]),
        LC_ALL="C.UTF-8",
        NO_COLOR="1",
        PY_COLORS="0",
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"),
        DEBIAN_FRONTEND="noninteractive",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PYTHONDONTWRITEBYTECODE="1",
    )
    env.update(more)
    return env


def search_path(path: str) -> list[str]:
    """*path* without pyenv's shims, which ansible-test takes for interpreters, and with the real ones behind it."""
    versions = os.path.join(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"), "versions", "*", "bin")
    directories = [directory for directory in path.split(os.pathsep) if os.path.basename(directory) != "shims"]
    return directories + ["/usr/sbin", "/sbin"] + sorted(glob.glob(versions), reverse=True)


def which(command: str) -> str | None:
    return shutil.which(command, path=environment()["PATH"])


def copy_sources(destination: pathlib.Path) -> pathlib.Path:
    """Copies what belongs to the collection (no build, nothing ignored) to .../ansible_collections/steady/rollout.

    ansible-test requires a real directory of that name that is a git work tree, and a build from it cannot pick up
    what lies about in the checkout.
    """
    copy = destination / COLLECTION
    shutil.rmtree(copy, ignore_errors=True)
    for name in source_files():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    run(["git", "init", "-q", "."], cwd=copy)
    run(["git", "add", "-A"], cwd=copy)
    return copy


def source_files() -> t.Iterator[str]:
    command = ["git", *trusting(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = run(command, capture=True)
    for name in listing.split("\0"):
        if name and not name.startswith(".collections/") and os.path.lexists(ROOT / name):
            yield name


def trusting(directory: pathlib.Path) -> list[str]:
    """git refuses a checkout that belongs to another user, such as one that CI mounted."""
    return ["-c", f"safe.directory={directory}"]


def run(
    argv: t.Sequence[str | os.PathLike[str]],
    cwd: pathlib.Path = ROOT,
    capture: bool = False,
    env: t.Mapping[str, str] | None = None,
) -> str:
    """Runs a tool to its end and returns what it printed; raises CalledProcessError where it failed."""
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if capture else None,
        text=True,
        check=True,
    )
    return done.stdout or ""
