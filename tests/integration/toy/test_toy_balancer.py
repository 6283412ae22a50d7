# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new type of load balancer takes a directory, a row of the registry and a starter in the contract suite.

That is all that is added to a copy of the collection here; documentation, argument specs, README.md's table and the
suites follow from it.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest
from run import house

ADDED = pathlib.Path(__file__).parent / "added"
PACKAGE = "ansible_collections.steady.rollout.plugins.module_utils.balancers"
IMPORT = f"from {PACKAGE}.nginx import options as nginx_options\n"
OPEN = f"""
def _toy(settings: Settings, run_command: RunCommand | None) -> Balancer:
    from {PACKAGE}.toy import backend

    return backend.open_toy(settings)


TYPES = {{
    "toy": Row({{"Toy": "toy.backend:Toy"}}, toy_options.POOL, toy_options.OPTIONS, ("toy_port",), _toy),
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    copy = house.copy_sources(tmp_path_factory.mktemp("toy"))
    (copy / ".collections/ansible_collections/steady").mkdir(parents=True)
    (copy / ".collections/ansible_collections/steady/rollout").symlink_to("../../..")
    add_directory(copy)
    add_row(copy)
    add_starter(copy)
    return copy


def add_directory(copy: pathlib.Path) -> None:
    place = copy / "plugins/module_utils/balancers/toy"
    place.mkdir()
    (place / "__init__.py").touch()
    for name in ("options.py", "backend.py"):
        shutil.copy(ADDED / name, place)


def add_row(copy: pathlib.Path) -> None:
    edit(
        copy / "plugins/module_utils/balancers/registry.py",
        {IMPORT: f"{IMPORT}from {PACKAGE}.toy import options as toy_options\n", "\nTYPES = {\n": OPEN},
    )


def add_starter(copy: pathlib.Path) -> None:
    shutil.copy(ADDED / "starter.py", copy / "tests/support/toy_contract.py")
    edit(
        copy / "tests/integration/contract/conftest.py",
        {"STARTERS = (": "from support.toy_contract import Toy\n\nSTARTERS = (Toy, "},
    )


def edit(path: pathlib.Path, changes: t.Mapping[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, f"{path.name} has {text.count(old)} times {old!r}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def run(copy: pathlib.Path, *argv: str, **environment: str) -> str:
    own = {"ANSIBLE_COLLECTIONS_PATH": str(copy / ".collections"), "PYTHONPATH": str(copy / "tests")}
    done = subprocess.run(
        argv, cwd=copy, env={**os.environ, **own, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_it_is_documented(copy: pathlib.Path) -> None:
    ansible_doc = str(pathlib.Path(sys.executable).with_name("ansible-doc"))
    for module in ("lb_member", "lb_member_info", "lb_weight", "lb_route", "lb_page", "metric_gate"):
        shown = " ".join(run(copy, ansible_doc, f"steady.rollout.{module}").split())
        assert "The port of the toy's command line on the loopback." in shown
        assert "type=toy" in shown


def test_it_is_in_the_readme(copy: pathlib.Path) -> None:
    run(copy, sys.executable, "tests/run/balancers_table.py")
    assert "\n| Toy | yes | yes | no (" in (copy / "README.md").read_text(encoding="utf-8")


def test_it_has_the_reasons_that_every_backend_has(copy: pathlib.Path) -> None:
    where = "tests/unit/plugins/module_utils/balancers/test_capabilities.py"
    said = run(copy, sys.executable, "-m", "pytest", "-p", "no:testinfra", "-rA", where)
    assert f"PASSED {where}::test_what_a_backend_cannot_do_has_a_reason_and_nothing_else_has[Toy]" in said


def test_it_passes_the_contract(copy: pathlib.Path) -> None:
    suite = "tests/integration/contract/test_members.py"
    said = run(copy, sys.executable, "-m", "pytest", "-p", "no:testinfra", "-rA", suite, STEADY_BACKEND="toy")
    for case in ("snapshot", "drain_waits_for_what_is_in_flight", "weights", "maintenance"):
        assert f"PASSED {suite}::test_{case}[toy]" in said
