# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity over a copy of the collection, without containers and without any ignore file.

Usage: python -m run.sanity REPORTS [ansible-test arguments]

Without arguments all tests run on the Python of the checks, and those that differ by Python also on the oldest that is
here; with STEADY_LONG=1 these run on every Python that is here.
"""

from __future__ import annotations

import ast
import base64
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from . import house

FIRST = 8
"""The first minor version of Python that modules support, as tests/config.yml says."""
HOME = house.BUILD / "home"
"""ansible-test's own: its caches and its environments stay in the checkout and leave with it."""

BOOTSTRAP = '''\
"""Installs pip {version} from itself; made from its wheel, with the interface of get-pip.py."""
import base64
import os
import sys
import tempfile

WHEEL = "{wheel}"

with tempfile.TemporaryDirectory() as directory:
    wheel = os.path.join(directory, {name!r})
    with open(wheel, "wb") as stream:
        stream.write(base64.b64decode(WHEEL))
    sys.path.insert(0, wheel)
    from pip._internal.cli.main import main
    wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
    sys.exit(main(["install", *[wheel if word.startswith("pip==") else word for word in wanted]]))
'''


def main(reports: pathlib.Path, arguments: list[str]) -> int:
    write_bootstrap(pip_version())
    write_pip_settings()
    copy = house.copy_sources(house.BUILD / "sanity")
    codes = [sanity(copy, words) for words in ([arguments] if arguments else runs(own_minor()))]
    shutil.rmtree(reports, ignore_errors=True)
    shutil.copytree(copy / "tests" / "output" / "junit", reports)
    return max(codes)


def runs(own: int) -> list[list[str]]:
    """The arguments of each run of ansible-test; importing all files takes a minute and a half on each Python."""
    if os.environ.get("STEADY_LONG") == "1":
        return [[]]
    oldest = next((minor for minor in range(FIRST, own) if is_there(f"python3.{minor}")), None)
    more = [["--python", f"3.{oldest}", "--test", "compile", "--test", "import"]] if oldest else []
    return [["--python", f"3.{own}"], *more]


def own_minor() -> int:
    """Of the Python that the checks run on."""
    return int(house.run([house.VENV / "bin" / "python", "-c", "import sys; print(sys.version_info[1])"], capture=True))


def is_there(program: str) -> bool:
    """A version manager has a program of that name also where the version is not installed."""
    found = house.which(program)
    return bool(found) and subprocess.run([str(found), "-c", ""], capture_output=True, check=False).returncode == 0


def sanity(copy: pathlib.Path, arguments: list[str]) -> int:
    command = [house.VENV / "bin" / "ansible-test", "sanity", "--local", "--color", "no", "--junit", *arguments]
    return subprocess.run(
        [str(word) for word in command],
        cwd=copy,
        env=house.environment(HOME=str(HOME)),
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode


def pip_version() -> str:
    """The pip that this ansible-test puts into its environments."""
    [source] = house.VENV.glob("lib/python*/site-packages/ansible_test/_internal/python_requirements.py")
    found = re.search(r"""\bpip=["']([0-9.]+)["']""", source.read_text())
    if not found:
        raise SystemExit(
            f"{source}: the version of pip that ansible-test requires is not where it was; look for 'pip='."
        )
    return found.group(1)


def write_bootstrap(version: str) -> None:
    """ansible-test would download get-pip.py from a host of its own; made from the package index's wheel it needs none."""
    script = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    script.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        pip = house.VENV / "bin" / "pip"
        house.run([pip, "download", "-q", "--no-deps", "--only-binary=:all:", "-d", directory, f"pip=={version}"])
        [wheel] = pathlib.Path(directory).iterdir()
        content = base64.b64encode(wheel.read_bytes()).decode()
        script.write_text(BOOTSTRAP.format(version=version, wheel=content, name=wheel.name))


def write_pip_settings() -> None:
    """ansible-test passes no PIP_ variables on and has another home here: pip's settings are copied with its file."""
    listing = house.run([house.VENV / "bin" / "pip", "config", "list"], capture=True)
    settings = HOME / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.touch(mode=0o600)
    settings.write_text(pip_settings(listing))


def pip_settings(listing: str) -> str:
    """A quiet pip.conf out of what ``pip config list`` printed; the environment's values, listed as ':env:', win."""
    found = [line.partition("=") for line in listing.splitlines() if "=" in line]
    values = {"global": {}, "install": {}, ":env:": {}}  # type: dict[str, dict[str, str]]
    for name, dummy, value in found:
        section, dummy, key = name.partition(".")
        values.setdefault(section, {})[key] = ast.literal_eval(value)
    values["global"].update({"quiet": "1", **values.pop(":env:")})
    lines = []
    for section, options in values.items():
        lines += [f"[{section}]", *(f"{key} = {indented(value)}" for key, value in options.items())]
    return "\n".join([*lines, ""])


def indented(value: str) -> str:
    return "\n    ".join(value.split("\n"))


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))
