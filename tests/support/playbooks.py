# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks as Ansible runs them on this very host."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def run_tasks(directory: pathlib.Path, balancer: dict[str, t.Any], tasks: list[dict[str, t.Any]]) -> list[t.Any]:
    """The registered results of the tasks, whose balancer is set once for all."""
    registered = [{**task, "register": f"result{number}"} for number, task in enumerate(tasks)]
    names = ", ".join(task["register"] for task in registered)
    content = {"content": f"{{{{ [{names}] | to_json }}}}", "dest": f"{directory}/results.json", "mode": "0600"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/steady.rollout.balancer": {"balancer": balancer}},
        "tasks": [*registered, {"ansible.builtin.copy": content}],
    }
    (directory / "play.yml").write_text(yaml.safe_dump([play]))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_HOME": str(directory / "ansible"),
        "HOME": str(directory),
    }
    argv = [sys.executable, "-m", "ansible.cli.playbook", "-i", "localhost,", "-c", "local", f"{directory}/play.yml"]
    argv += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return t.cast("list[t.Any]", json.loads((directory / "results.json").read_text()))
