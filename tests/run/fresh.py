# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's set-up commands, word by word, in a Debian 12 that has nothing else: what this machine has hides much.

Usage: python -m run.fresh

With STEADY_LONG=1 also lint, some unit tests, and the common tree of the lab's hosts. The bare system is kept in the
user's cache; what is written lies in build/fresh until the next run. How this machine reaches Debian's mirror and PyPI
holds inside too. Needs root.
"""

from __future__ import annotations

import ast
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import typing as t
import urllib.parse

from fleet.lab import base
from fleet.lab.places import Places, command

from . import house, tools
from .sanity import pip_settings

SUITE = "bookworm"
README = house.ROOT / "README.md"
SETUP = re.compile(r"<!-- set-up: begin -->\n\n((?: {4}.*\n)+)\n<!-- set-up: end -->")
PLACE = house.BUILD / "fresh"
CHECKOUT = "root/rollout"
CERTIFICATES = "run/certificates.crt"
LONG = (
    "make lint",
    "build/venv/bin/python -m pytest -p no:testinfra tests/unit/run tests/unit/fleet tests/unit/examples",
    "apt-get -q -y install --no-install-recommends {programs}",
    "tests/fleet/lab/fleet base",
)
LAB_PROGRAMS = ("systemd-nspawn", "mmdebstrap", "ip", "ssh", "mkfs.ext4")
ENTER = """\
set -eu
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount -t proc proc "$2/root/proc"
mount --rbind /dev "$2/root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$2/root/tmp"
for folder in {folders}; do
    mkdir -p "$2/root$folder"
    mount --bind -o ro "$folder" "$2/root$folder"
done
exec chroot "$2/root" sh -euxc "$3"
"""


def setup_commands(readme: str) -> list[str]:
    """What the README tells a reader to type on a fresh machine, in a checkout."""
    found = SETUP.search(readme)
    if not found:
        raise SystemExit(
            f"{README}: the set-up commands are not between their marks 'set-up: begin' and 'set-up: end'."
        )
    return [line.strip() for line in found[1].splitlines()]


def main() -> int:
    system = bare_system()
    shutil.rmtree(PLACE, ignore_errors=True)
    for name in ("upper", "work", "root"):
        (PLACE / name).mkdir(parents=True)
    copy_checkout(PLACE / "upper" / CHECKOUT)
    listing = house.run([house.VENV / "bin" / "pip", "config", "list"], capture=True)
    pass_on_settings(PLACE / "upper", listing)
    programs = " ".join(sorted({tools.PROGRAMS[name] for name in LAB_PROGRAMS}))
    words = [
        *setup_commands(README.read_text(encoding="utf-8")),
        *(LONG if os.environ.get("STEADY_LONG") == "1" else ()),
    ]
    script = "\n".join([f"cd /{CHECKOUT}", *(word.format(programs=programs) for word in words)])
    return enter(system, script, local_folders(listing))


def bare_system() -> pathlib.Path:
    cache = Places.usual().cache
    path = cache / f"bare-{SUITE}"
    with tools.locked("bare-system"):
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(path.name + ".draft")
            shutil.rmtree(draft, ignore_errors=True)
            command("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", SUITE, draft, base.mirror(SUITE))
            draft.rename(path)
    return path


def copy_checkout(target: pathlib.Path) -> None:
    """What git knows and what it would add: the checkout as a reader's clone will have it."""
    names = house.run(["git", *house.trusting(house.ROOT), "ls-files", "-z", "-co", "--exclude-standard"], capture=True)
    for name in filter(None, names.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(house.ROOT / name):
            shutil.copy2(house.ROOT / name, target / name, follow_symlinks=False)
    house.run(["git", "init", "-q", "."], cwd=target)
    house.run(["git", "add", "-A"], cwd=target)


def pass_on_settings(root: pathlib.Path, listing: str) -> None:
    """How apt and pip reach their sources: names, certificates and options, but no package."""
    for name in ("resolv.conf", "hosts"):
        (root / "etc").mkdir(exist_ok=True)
        shutil.copy(f"/etc/{name}", root / "etc" / name)
    options = root / "etc/apt/apt.conf.d"
    options.mkdir(parents=True)
    for path in pathlib.Path("/etc/apt/apt.conf.d").iterdir():
        text = path.read_text(encoding="utf-8")
        if "Acquire" in text and "DPkg::" not in text:
            (options / path.name).write_text(text, encoding="utf-8")
    certificates = certificates_of(listing)
    if certificates:
        (root / CERTIFICATES).parent.mkdir(exist_ok=True)
        shutil.copy(certificates, root / CERTIFICATES)
    settings = root / "root/.config/pip/pip.conf"
    settings.parent.mkdir(parents=True)
    settings.touch(mode=0o600)
    lines = [line for line in listing.splitlines() if not line.partition("=")[0].endswith(".cert")]
    settings.write_text(pip_settings("\n".join(lines)), encoding="utf-8")


def certificates_of(listing: str) -> str:
    found = [value for name, value in values(listing) if name.endswith(".cert")]
    return found[0] if found else ""


def values(listing: str) -> t.Iterator[tuple[str, str]]:
    """Of what ``pip config list`` printed."""
    for line in listing.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name, str(ast.literal_eval(value))


def local_folders(listing: str) -> list[str]:
    """The folders of this machine that pip takes packages from; an index's pages lead to files beside them."""
    words = [word for name, value in values(listing) if not name.endswith(".cert") for word in value.split()]
    found = {word for word in words if word.startswith("/")}
    found |= {os.path.dirname(urllib.parse.urlsplit(word).path) for word in words if word.startswith("file://")}
    return sorted(path for path in found if os.path.isdir(path))


def enter(system: pathlib.Path, script: str, folders: t.Sequence[str]) -> int:
    """Runs the script in a copy of the system, with processes and mounts that end with it."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
    env.update({name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")})
    if (PLACE / "upper" / CERTIFICATES).exists():
        env.update(dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), f"/{CERTIFICATES}"))
    inside = ENTER.format(folders=" ".join(map(shlex.quote, folders)))
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside, "sh", system, PLACE, script]
    return subprocess.run([str(word) for word in argv], env=env, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
