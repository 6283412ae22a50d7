# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that only some tasks need are imported by those only: others neither need them nor pay for them."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
COLLECTION = "ansible_collections.steady.rollout.plugins"
LATE = {"boto3", "botocore", "jmespath", "requests", "dateutil", "sqlglot"}
CHILD = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""


def loaded_by(*names: str) -> set[str]:
    """Every module that is there after importing *names* in a fresh interpreter."""
    argv = [sys.executable, "-c", CHILD, str(REPOSITORY / ".collections"), *names]
    return set(json.loads(subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout))


def below(folder: str) -> list[str]:
    root = REPOSITORY / "plugins"
    files = sorted((root / folder).rglob("*.py"))
    names = [".".join(path.relative_to(root).with_suffix("").parts) for path in files if path.name != "__init__.py"]
    return [f"{COLLECTION}.{name}" for name in names]


def test_no_module_imports_what_only_aws_needs() -> None:
    loaded = loaded_by(*below("modules"), f"{COLLECTION}.module_utils.balancers.registry")
    assert loaded & LATE == set()
    aws = f"{COLLECTION}.module_utils.balancers.aws"
    assert {name for name in loaded if name.startswith(aws)} == {aws, f"{aws}.options"}


def test_not_even_the_code_for_aws_imports_boto3_before_it_is_used() -> None:
    assert loaded_by(*below("module_utils")) & LATE == set()


def test_a_session_with_a_load_balancer_imported_what_only_programs_and_drafts_need() -> None:
    """Every host that is rolled opens one to each node: these imports were a third of its start."""
    sessions = f"{COLLECTION}.plugin_utils.sessions.remote"
    loaded = loaded_by(
        f"{sessions}.bootstrap",
        f"{sessions}.serve",
        f"{COLLECTION}.module_utils.pools.members.change",
        f"{COLLECTION}.module_utils.balancers.haproxy.backend",
    )
    late = {"importlib.abc", "importlib.util", "subprocess", "tempfile", "traceback", "uuid"}
    assert loaded & late - loaded_by("json") == set()
