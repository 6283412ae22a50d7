# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the ledger's modules as they are written: in Ansible's worker, and as module processes."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml

from ansible_collections.steady.rollout.plugins.modules import rollout, rollout_gate, rollout_host, rollout_info

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
EXAMPLES_LEDGER = "/tmp/steady-example"


def played(directory: pathlib.Path, play: dict[str, t.Any]) -> str:
    """What ansible-playbook prints; fails the test where a task does."""
    text = yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, **play}])
    playbook = directory / "play.yml"
    playbook.write_text(text.replace(EXAMPLES_LEDGER, str(directory / "ledger")))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(directory / "ansible"),
        "HOME": str(directory),
    }
    argv = [sys.executable, "-m", "ansible.cli.playbook", "-i", "localhost,", "-c", "local", str(playbook)]
    argv += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(
        argv, env=environment, cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("module", [rollout, rollout_host, rollout_gate])
def test_examples_run_as_written(module: t.Any, way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    tasks = yaml.safe_load(module.EXAMPLES) + yaml.safe_load(rollout_info.EXAMPLES)
    assert "shop: 2.0.0" in played(tmp_path, {"tasks": tasks, **way})
