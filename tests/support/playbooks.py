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
    exit_code, printed = played(directory, play)
    assert exit_code == 0, printed
    return t.cast("list[t.Any]", json.loads((directory / "results.json").read_text()))


def played(directory: pathlib.Path, play: dict[str, t.Any], *options: str) -> tuple[int, str]:
    """Exit code of a play on this host, and all that was printed and logged."""
    playbook = directory / "play.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, **play}]))
    return run_playbook(directory, playbook, "-i", "localhost,", "-c", "local", *options)


def run_playbook(directory: pathlib.Path, playbook: pathlib.Path, *options: str, limit: float = 120) -> tuple[int, str]:
    """The same for a playbook of the user's, within *limit* seconds; nothing is kept outside of *directory*."""
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(directory / "ansible"),
        "ANSIBLE_LOG_PATH": str(directory / "log"),
        "HOME": str(directory),
    }
    argv = [sys.executable, "-m", "ansible.cli.playbook", str(playbook), *options]
    argv += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(
        argv, env=environment, cwd=directory, capture_output=True, text=True, timeout=limit, check=False
    )
    return done.returncode, done.stdout + done.stderr + (directory / "log").read_text()
