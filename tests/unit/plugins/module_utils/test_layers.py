# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers hold: rules touch nothing, load balancers know nothing of each other, and nothing imports a module file."""

from __future__ import annotations

import ast
import pathlib
import typing as t

import pytest

PLUGINS = pathlib.Path(__file__).parents[4] / "plugins"
PREFIX = "ansible_collections.steady.rollout.plugins."
UTILS = PREFIX + "module_utils."
# What a rule may use of Python: data, arithmetic and text. `time` formats moments; no rule asks what time it is.
PURE = {"__future__", "typing", "dataclasses", "json", "math", "fractions", "re", "time"}
CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep", "localtime"}
RULES = sorted((PLUGINS / "module_utils/ledger/rules").glob("*.py"))
BALANCERS = [
    path for path in sorted((PLUGINS / "module_utils/balancers").iterdir()) if path.is_dir() and path.name != "common"
]
FLAG_SYSTEMS = [path for path in sorted((PLUGINS / "module_utils/flags").iterdir()) if path.is_dir()]
ALL = sorted(path for path in PLUGINS.rglob("*.py") if "modules" not in path.parent.parts[-1:])


def imported(path: pathlib.Path) -> t.Iterator[str]:
    """Every module that a file imports, also inside of functions; what is taken out of a package as part of its name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_import_no_io(path: pathlib.Path) -> None:
    for name in imported(path):
        if name.startswith(PREFIX):
            allowed = ("ledger.rules.", "errors.", "durations", "plurals", "release.plan.")
            assert name.startswith(tuple(UTILS + one for one in allowed)), f"{path.name} imports {name}"
        else:
            assert name.split(".")[0] in PURE, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_ask_no_clock(path: pathlib.Path) -> None:
    used = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time"
    }
    assert not used & CLOCKS


@pytest.mark.parametrize("folder", BALANCERS, ids=lambda folder: folder.name)
def test_a_balancer_imports_no_other(folder: pathlib.Path) -> None:
    others = tuple(f"{UTILS}balancers.{other.name}." for other in BALANCERS if other != folder)
    for path in folder.rglob("*.py"):
        assert [name for name in imported(path) if name.startswith(others)] == [], path


@pytest.mark.parametrize(
    "folder", [one for one in FLAG_SYSTEMS if one.name != "__pycache__"], ids=lambda folder: folder.name
)
def test_a_flag_system_imports_no_other(folder: pathlib.Path) -> None:
    others = tuple(f"{UTILS}flags.{other.name}." for other in FLAG_SYSTEMS if other != folder)
    for path in folder.rglob("*.py"):
        assert [name for name in imported(path) if name.startswith(others)] == [], path


def test_nothing_imports_a_module_file() -> None:
    """A module's file is what Ansible runs; action plugins find theirs by its name."""
    found = [(str(path), name) for path in ALL for name in imported(path) if name.startswith(PREFIX + "modules.")]
    assert found == []
