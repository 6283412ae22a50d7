# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of restore timers is complete, the same every time, and no larger than it has to be."""

from __future__ import annotations

import ast
import base64
import io
import zipfile

from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers import program as made
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import payload

UTILS = "ansible_collections/steady/rollout/plugins/module_utils"


def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(made.program().content)))


def test_whatever_it_imports_of_the_collection_is_in_it() -> None:
    """Balancers are imported inside of functions: what is missing there would be missed on the day it is needed."""
    with archive() as found:
        names = set(found.namelist())
        for path in names:
            for node in ast.walk(ast.parse(found.read(path))):
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith(payload.PACKAGE):
                    place = str(node.module).replace(".", "/")
                    assert {f"{place}.py", f"{place}/__init__.py"} & names, f"{path} imports {node.module}"


def test_every_type_that_can_be_restored_is_in_it_and_the_ledger_is_not() -> None:
    with archive() as found:
        names = found.namelist()
    for kind in ("haproxy", "nginx", "apache", "envoy"):
        assert f"{UTILS}/balancers/{kind}/backend.py" in names
    assert [name for name in names if "/ledger/" in name or "/judge/" in name] == []


def test_it_is_sent_again_only_when_it_has_changed() -> None:
    first = made.program()
    made.program.cache_clear()
    assert made.program() == first


def test_modules_in_brackets_over_several_lines_are_found() -> None:
    package = payload.PACKAGE
    sources = {
        f"{package}.a": [False, f"from {package}.b import (\n    c,\n    D,\n)\n"],
        f"{package}.b": [True, ""],
        f"{package}.b.c": [False, f"def late():\n    from {package} import e\n"],
        f"{package}.e": [False, ""],
        f"{package}.f": [False, ""],
        package: [True, ""],
    }
    assert made.imported_from(f"{package}.a", sources) == set(sources) - {f"{package}.f"}
