# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection on other ansible-cores and Pythons than the one that the other parts use.

Usage: python -m run.compat REPORTS CASE

CASE is oldest or newest for the unit tests and the playbooks' syntax on that ansible-core, python38 for what runs on
hosts, rollouts for real rollouts on every ansible-core in CORES, sample for one on the oldest. Results of rollouts are
in build/compat.json (see tests/compat/rollouts.py).
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import typing as t

from . import house, tools

CORES = ("oldest", "core-2.18", "test", "newest")
"""Files in tests/requirements; each names an ansible-core and is a venv."""
ROLLOUTS = house.ROOT / "tests" / "compat" / "rollouts.py"
RESULTS = house.BUILD / "compat.json"
OLDEST_TARGET = "python3.8"
ON_HOSTS = ("plugins/modules", "plugins/module_utils", "plugins/plugin_utils/sessions/remote")
IMPORT_ALL = """
import importlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root / ".collections"))
for path in sorted(root.glob("plugins/module_utils/**/*.py")):
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    importlib.import_module("ansible_collections.steady.rollout." + name.replace(".__init__", ""))
    print(name)
"""


def on_core(requirements: str, reports: pathlib.Path) -> None:
    """The unit tests and the playbooks' syntax under the ansible-core of that file of requirements."""
    programs = tools.venv(requirements) / "bin"
    env = {"PATH": f"{programs}:{house.environment()['PATH']}", "HYPOTHESIS_PROFILE": "default"}
    house.run([programs / "ansible", "--version"], env=env)
    report = f"--junitxml={reports / requirements}.xml"
    house.run([programs / "python", "-m", "pytest", report, "tests/unit"], env=env)
    for playbook in sorted(house.ROOT.glob("playbooks/*.yml")):
        house.run([programs / "ansible-playbook", "--syntax-check", "-i", "fleet,", playbook], env=env)


def rollouts(cores: t.Iterable[str]) -> None:
    """Goes on after a core on which a scenario failed, so that the results are of all."""
    RESULTS.unlink(missing_ok=True)
    failed = [core for core in cores if not rolled_out(core)]
    if failed:
        raise SystemExit(f"Rollouts failed on the ansible-core of {', '.join(failed)}; see {RESULTS}.")


def rolled_out(core: str, *scenarios: str) -> bool:
    argv = [str(tools.venv(core) / "bin" / "python"), str(ROLLOUTS), *scenarios]
    return subprocess.run(argv, cwd=house.ROOT, env=house.environment(), check=False).returncode == 0


def sample() -> None:
    if not rolled_out(CORES[0], "rolling"):
        raise SystemExit(f"The rollout failed; see {RESULTS}.")


def on_oldest_target() -> None:
    """What runs on hosts is compiled, and what needs no Ansible imported, by the oldest Python it may meet there."""
    interpreter = house.which(OLDEST_TARGET)
    if interpreter is None:
        print(f"{OLDEST_TARGET} is not here; nothing checked.")
        return
    sources = [path for folder in ON_HOSTS for path in sorted((house.ROOT / folder).rglob("*.py"))]
    compile_all = "import sys; [compile(open(name).read(), name, 'exec') for name in sys.argv[1:]]"
    house.run([interpreter, "-c", compile_all, *sources])
    house.run([interpreter, "-c", IMPORT_ALL, house.ROOT])


CASES: dict[str, t.Callable[[pathlib.Path], None]] = {
    "oldest": lambda reports: on_core("oldest", reports),
    "newest": lambda reports: on_core("newest", reports),
    "python38": lambda reports: on_oldest_target(),
    "rollouts": lambda reports: rollouts(CORES),
    "sample": lambda reports: sample(),
}

if __name__ == "__main__":
    try:
        CASES[sys.argv[2]](pathlib.Path(sys.argv[1]))
    except subprocess.CalledProcessError as failure:
        sys.exit(f"'{' '.join(failure.cmd)}' ended with {failure.returncode}.")
