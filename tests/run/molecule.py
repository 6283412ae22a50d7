# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""molecule's default scenario, run in the lab's network.

The network is there before molecule starts, since the tests' Ansible runs in it; molecule's own create then finds the
hosts booted. Usage: python -m run.molecule REPORTS
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

from . import house

MEMORY = house.BUILD / "molecule"
FLEET = house.ROOT / "tests" / "fleet" / "lab" / "fleet"


def main(reports: pathlib.Path) -> int:
    lab = os.environ.get("STEADY_LAB")
    inventory = house.BUILD / (f"lab-{lab}" if lab else "lab") / "inventory"
    shutil.rmtree(MEMORY, ignore_errors=True)
    house.run([FLEET, "down"])
    house.run([FLEET, "up", "--apps", "6", "--balancers", "2"])
    env = house.environment(
        STEADY_INVENTORY=str(inventory),
        STEADY_PYTEST_ADDOPTS=f"-p no:cacheprovider -p no:pytest-ansible --junitxml={reports / 'testinfra.xml'}",
        MOLECULE_EPHEMERAL_DIRECTORY=str(MEMORY),
    )
    command = [str(FLEET), "exec", str(house.VENV / "bin" / "molecule"), "test", "--destroy", "always"]
    return subprocess.run(command, cwd=house.ROOT, env=env, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
