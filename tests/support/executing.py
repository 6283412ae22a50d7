# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker of Ansible's that makes calls through Executors."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = REPOSITORY / "tests" / "integration" / "sessions" / "plugins"


@dataclasses.dataclass
class Controller:
    """ansible-playbook with an inventory of the test's."""

    directory: pathlib.Path
    hosts: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    settings: dict[str, str] = dataclasses.field(default_factory=dict)

    def calls(self, *rounds: list[dict[str, t.Any]], **task: t.Any) -> list[dict[str, t.Any]]:
        """What came of each call, made by one worker; the rounds one after the other."""
        done = self.start(list(rounds), **task)
        printed = done.communicate(timeout=300)[0]
        assert done.returncode == 0, printed
        self.printed = printed
        self.result = json.loads((self.directory / "result.json").read_text())
        return [call for one in self.result["rounds"] for call in one["calls"]]

    def start(
        self, rounds: list[list[dict[str, t.Any]]], hosts: str = "worker", meet: int = 0, **keywords: t.Any
    ) -> subprocess.Popen[str]:
        self.directory.joinpath("result.json").unlink(missing_ok=True)
        task = {"through_executors": {"rounds": rounds, **self._meeting(meet)}, "register": "answer", **keywords}
        content = {"content": "{{ answer | to_json }}", "dest": str(self.directory / "result.json"), "mode": "0600"}
        keep = {"ansible.builtin.copy": content, "delegate_to": "localhost", "when": "inventory_hostname == 'worker'"}
        play = {"hosts": hosts, "gather_facts": False, "tasks": [task, keep]}
        (self.directory / "play.yml").write_text(yaml.safe_dump([play]))
        every = {"worker": {"ansible_connection": "local"}, **self.hosts}
        (self.directory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": every}}))
        argv = [sys.executable, "-m", "ansible.cli.playbook", "-i", "hosts.yml", "-v", "play.yml"]
        return subprocess.Popen(
            argv,
            cwd=self.directory,
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _meeting(self, count: int) -> dict[str, t.Any]:
        if not count:
            return {}
        (self.directory / "met").mkdir()
        return {"meet": str(self.directory / "met"), "of": count}

    def met(self) -> list[list[dict[str, t.Any]]]:
        """What came of the calls of each host that met the others."""
        found = [json.loads(path.read_text()) for path in sorted((self.directory / "met").glob("*.json"))]
        return [[call for one in rounds for call in one["calls"]] for rounds in found]

    def environment(self) -> dict[str, str]:
        own = ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_HOME", "HOME")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SSH_") and name not in own}
        return {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
            "ANSIBLE_ACTION_PLUGINS": str(PLUGINS / "action"),
            "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS / "connection"),
            "ANSIBLE_HOME": str(self.directory / "a"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_NOCOLOR": "1",
            "HOME": str(self.directory),
            # ssh asks the program "ansible" for the password.
            "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **self.settings,
        }


def until(condition: t.Callable[[], t.Any], seconds: float = 60.0) -> t.Any:
    """Waits for the condition; fails where it does not come true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("the condition did not come true")
