# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout with a wide window, behind one HAProxy on a host whose sshd has the usual limits.

    wide_window.py HOSTS WINDOW JSON     in a network and process namespace of its own; the report goes to JSON

The hosts are stand-ins; see tests/bench/scale.py.
"""

from __future__ import annotations

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.scale import NEW, REPOSITORY, Site


def main(hosts: int, window: int, report: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(prefix="window-") as folder:
        site = Site(pathlib.Path(folder), hosts, window)
        with site.running():
            done = rolled(site)
        kinds = collections.Counter(kind for dummy, kind in site.events())
        found = {
            "exit_code": done.returncode,
            "output": done.stdout,
            "events": kinds,
            "sshd": site.balancer_log.read_text(encoding="utf-8", errors="replace"),
        }
    report.write_text(json.dumps(found), encoding="utf-8")


def rolled(site: Site) -> subprocess.CompletedProcess[str]:
    program = str(pathlib.Path(sys.executable).with_name("ansible-playbook"))
    argv = [program, "playbooks/rolling.yml", "-i", str(site.inventory), "--forks", str(site.window + 10)]
    env = {**os.environ, "ANSIBLE_HOME": str(site.place / "ansible"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(
        [*argv, "-e", f"rollout_version={NEW}"],
        cwd=REPOSITORY, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3]))
