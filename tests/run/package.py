# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user gets: the tarball, what Galaxy says of it, and the installed collection at work.

Usage: python -m run.package build | importer | install | documentation | status, in this order.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
import typing as t

from . import house, tools

PLACE = house.BUILD / "package"
INSTALLED = PLACE / "installed"
HERE = {"ANSIBLE_CONFIG": str(PLACE / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(INSTALLED)}
"""Neither the checkout's configuration nor its collection is in reach of what runs here."""

DOCUMENTED = ("module", "filter", "callback", "role")

INVENTORY = """\
[fleet]
app1 ansible_connection=local
app2 ansible_connection=local

[fleet:vars]
rollout_service=smoke
rollout_version=1.0.0
rollout_ledger={ledger}
"""


def build() -> None:
    """Builds the tarball from what git knows, so that nothing that lies about gets into it."""
    shutil.rmtree(PLACE, ignore_errors=True)
    source = house.copy_sources(PLACE / "source")
    (PLACE / "ansible.cfg").touch()
    galaxy("collection", "build", source, "--output-path", PLACE)


def importer() -> None:
    """Galaxy's own check; a warning fails too, since Automation Hub rejects what Galaxy lets pass."""
    place = tools.venv("importer")
    done = subprocess.run(
        [place / "bin" / "python", "-m", "galaxy_importer.main", tarball().name],
        cwd=PLACE,
        env={**house.environment(**HERE), "PATH": f"{place / 'bin'}:{house.environment()['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)
    complaints = [line for line in done.stdout.splitlines() if line.startswith(("WARNING:", "ERROR:", "CRITICAL:"))]
    if done.returncode or complaints:
        raise SystemExit("\n".join(["galaxy-importer complains:", *complaints]))


def install() -> None:
    galaxy("collection", "install", tarball(), "--offline", "--force", "--collections-path", INSTALLED)


def documentation() -> None:
    """Every plugin of every kind has documentation that ansible-doc can show."""
    for kind in DOCUMENTED:
        show = [str(program("ansible-doc")), "-t", kind, "--json"]
        names = sorted(json.loads(house.run([*show, "--list", "steady.rollout"], capture=True, env=HERE)))
        if not names:
            raise SystemExit(f"ansible-doc lists no {kind} of the installed collection.")
        house.run([*show, *names], capture=True, env=HERE)
        print(f"{kind}: {', '.join(names)}")


def status() -> None:
    """A playbook by its full name, out of the installed collection alone."""
    inventory = PLACE / "inventory.ini"
    inventory.write_text(INVENTORY.format(ledger=PLACE / "ledger"))
    house.run([program("ansible-playbook"), "steady.rollout.status", "-i", inventory], cwd=PLACE, env=HERE)


def galaxy(*words: str | pathlib.Path) -> None:
    house.run([program("ansible-galaxy"), *words], cwd=PLACE, env=HERE)


def program(name: str) -> pathlib.Path:
    return house.VENV / "bin" / name


def tarball() -> pathlib.Path:
    [found] = PLACE.glob("steady-rollout-*.tar.gz")
    return found


def here() -> dict[str, str]:
    """Neither the checkout's configuration nor its collection is in reach of what runs here."""
    return {"ANSIBLE_CONFIG": str(PLACE / "none.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(INSTALLED)}


STEPS: dict[str, t.Callable[[], None]] = {
    "build": build,
    "importer": importer,
    "install": install,
    "documentation": documentation,
    "status": status,
}

if __name__ == "__main__":
    try:
        STEPS[sys.argv[1]]()
    except subprocess.CalledProcessError as failure:
        sys.exit(f"'{' '.join(failure.cmd)}' ended with {failure.returncode}.")
