# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every block of configuration in the documentation, as a reader copies it."""

from __future__ import annotations

import configparser
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml
from ansible.release import __version__ as CORE

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("*/*/README.md"))]
PARSERS: dict[str, t.Callable[[str], t.Any]] = {"yaml": yaml.safe_load, "json": json.loads}
VALIDATES = int(CORE.split(".")[1]) >= 18
"""Whether ansible-config can say that a setting has no such name."""


def blocks(*kinds: str) -> list[t.Any]:
    return [
        pytest.param(kind, text, id=f"{page.relative_to(REPOSITORY)} {kind} {number}")
        for page in PAGES
        for number, (kind, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
        if kind in kinds
    ]


def files() -> list[t.Any]:
    names = ["ansible.cfg", "tests/bench/peer/settings.cfg"]
    return [pytest.param("ini", (REPOSITORY / name).read_text(encoding="utf-8"), id=name) for name in names]


@pytest.mark.parametrize(("kind", "text"), blocks("yaml", "json"))
def test_a_block_is_what_it_says_it_is(kind: str, text: str) -> None:
    assert PARSERS[kind](text)


@pytest.mark.parametrize(("kind", "text"), [*blocks("ini"), *files()])
def test_every_command_failed_with_the_ansible_cfg_of_the_readme(kind: str, text: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "ansible.cfg"
    path.write_text(text, encoding="utf-8")

    assert configparser.ConfigParser().read(path)
    assert ansible_config(path, "dump", "--only-changed") == ""
    if VALIDATES:
        assert ansible_config(path, "validate") == ""


def ansible_config(path: pathlib.Path, *words: str) -> str:
    """What it complains of."""
    done = subprocess.run(
        [str(pathlib.Path(sys.executable).with_name("ansible-config")), *words, "--type", "all"],
        env={**os.environ, "ANSIBLE_CONFIG": str(path), "ANSIBLE_HOME": str(path.parent), "NO_COLOR": "1",
             "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip() if done.returncode else ""


def settings_of_the_role() -> set[str]:
    specs = yaml.safe_load((REPOSITORY / "roles/rollout/meta/argument_specs.yml").read_text(encoding="utf-8"))
    return {name for entry in specs["argument_specs"].values() for name in entry["options"]} | {"rollout_fleet"}


@pytest.mark.parametrize(("kind", "text"), blocks("yaml"))
def test_a_setting_in_a_block_is_one_of_the_roles(kind: str, text: str) -> None:
    content = yaml.safe_load(text)
    shown = {name for name in content if str(name).startswith("rollout_")} if isinstance(content, dict) else set()

    assert shown - settings_of_the_role() == set()
