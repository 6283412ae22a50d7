# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts and stops one instance of the shop: what a service manager does elsewhere.

    app_ctl.py start|stop|status DIRECTORY

The directory is that of the instance: instance.json ({"name", "host", "port"}) and, under current/, the release.
Start returns once the instance listens and fails when it ends instead; stop returns when it has ended.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import socket
import sys

import process

START_PATIENCE = 10.0


def start(directory: pathlib.Path) -> str:
    pid_file = directory / "app.pid"
    pid = process.running(pid_file)
    if pid is not None:
        return f"runs already (process {pid})"
    instance = json.loads((directory / "instance.json").read_text(encoding="utf-8"))
    log = directory / "app.log"
    options = [f"--{option}={instance[option]}" for option in ("name", "host", "port")]
    pid = process.start([sys.executable, str(directory / "current" / "app.py"), *options], pid_file, log)

    def settled() -> bool:
        return process.running(pid_file) is None or listens(instance["host"], instance["port"])

    if not process.wait_for(settled, START_PATIENCE):
        raise process.ProcessError(f"{instance['name']} does not listen after {START_PATIENCE:g} s; see {log}.")
    if process.running(pid_file) is None:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
        raise process.ProcessError(f"{instance['name']} ended at its start: {''.join(last)} (see {log})")
    return f"started (process {pid})"


def stop(directory: pathlib.Path) -> str:
    return "stopped" if process.stop(directory / "app.pid") else "was not running"


def status(directory: pathlib.Path) -> str:
    pid = process.running(directory / "app.pid")
    return f"runs (process {pid})" if pid is not None else "does not run"


def listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("start", "stop", "status"))
    parser.add_argument("directory", type=pathlib.Path)
    arguments = parser.parse_args()
    act = {"start": start, "stop": stop, "status": status}[arguments.command]
    try:
        print(f"{arguments.directory.name}: {act(arguments.directory)}")
    except process.ProcessError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
