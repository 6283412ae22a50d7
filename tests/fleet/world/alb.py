# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Application Load Balancer before the lab's hosts: the fake of tests/support, run in the lab's network.

    alb.py --target app1=10.77.1.1 --target app2=10.77.1.2 --json alb.json
    alb.py --target app1=10.77.1.1 --target app2=10.77.1.2 --group shop-main=app1 --group shop-canary=app2 --json alb.json

All targets are in the group shop; with --group, the listener forwards to these groups instead, by the number of their targets.

Once the targets are healthy the file says {"endpoint": of the AWS API, "url": where it serves}. It ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import sys
import threading

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from fleet.lab.files import SERVICE_PORT
from support.aws_world import World

DELAY = 120
"""Seconds of the deregistration delay: far longer than a drain may take, so that it must end early."""


@dataclasses.dataclass
class Remote:
    """A target that is a host of its own."""

    host: str
    port: int = SERVICE_PORT

    def stop(self) -> None:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", action="append", required=True, metavar="NAME=ADDRESS")
    parser.add_argument("--group", action="append", default=[], metavar="NAME=NAMES,...")
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--for-process", type=int, help="end when this process, our parent, is gone")
    arguments = parser.parse_args()
    addresses = dict(target.split("=", 1) for target in arguments.target)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    with World(members=len(addresses), delay=DELAY, make_member=lambda name: Remote(addresses[name])) as world:
        forward_to(world, dict(group.split("=", 1) for group in arguments.group))
        draft = arguments.json.with_suffix(".draft")
        draft.write_text(json.dumps({"endpoint": world.aws.endpoint, "url": f"http://127.0.0.1:{world.port}"}))
        draft.replace(arguments.json)
        while not stop.wait(0.5) and arguments.for_process in (None, os.getppid()):
            pass
    return 0


def forward_to(world: World, groups: dict[str, str]) -> None:
    """Lets the listener forward to these groups of targets."""
    members = {name: names.split(",") for name, names in groups.items()}
    shares = [{"TargetGroupArn": world.make_group(name, its), "Weight": len(its)} for name, its in members.items()]
    if shares:
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}
        world.elb.modify_listener(ListenerArn=world.listener, DefaultActions=[action])
    for name in groups:
        world.await_healthy(name)


if __name__ == "__main__":
    sys.exit(main())
