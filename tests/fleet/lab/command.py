# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command.

    fleet up [N] [--apps N] [--balancers M] [--suite S]
                                               boot what is not running: app1..appN, lb1..lbM (6 and 2)
    fleet down                                 end every host and remove every trace but the common tree
    fleet base [--suite S] [--forget]          build the common tree (half a minute), or remove all
    fleet status                               who is on, who is off
    fleet start|kill|cut|heal HOST ...         power on, power loss, pull the network cable, plug it
    fleet fill|free HOST ...                   leave no byte on the disk of /opt/shop, give it back
    fleet run HOST COMMAND ...                 run a command on a host, past its network
    fleet exec COMMAND ...                     run a command of this machine in the fleet's network

S is bookworm (Debian 12, unless given) or trixie (13). Needs root on Linux, Debian 12 or like it.
Ansible's inventory is build/lab/inventory; addresses are 10.77.1.N and 10.77.9.M, in a network of their own:
fleet exec ansible -i build/lab/inventory all -m ping
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from fleet.lab import base, machine
from fleet.lab.hosts import PROGRAMS, Lab
from fleet.lab.places import LabError, Places, require


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fleet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up")
    up.add_argument("apps", type=int, nargs="?", default=6)
    up.add_argument("--apps", type=int, dest="apps", default=argparse.SUPPRESS)
    up.add_argument("--balancers", type=int, default=2)
    commands.add_parser("down")
    commands.add_parser("status")
    tree = commands.add_parser("base")
    tree.add_argument("--forget", action="store_true")
    for command in (up, tree):
        command.add_argument("--suite", choices=base.SUITES, default=base.SUITES[0])
    for name in ("start", "kill", "cut", "heal", "fill", "free"):
        commands.add_parser(name).add_argument("hosts", nargs="+", metavar="HOST")
    run = commands.add_parser("run")
    run.add_argument("host", metavar="HOST")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND")
    commands.add_parser("exec").add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND")
    return parser


def _base(suite: str, forget: bool) -> None:
    require(PROGRAMS)
    if forget:
        base.forget(Places.usual())
    else:
        print(base.tree(Places.usual(), suite))


def _status() -> None:
    lab = Lab.standing()
    for host in lab.hosts:
        leader = machine.Machine(lab.places, host).leader()
        print(f"{host.name:6} {host.address:12} {'on' if leader else 'off'}")


def main() -> int:
    arguments = _parser().parse_args()
    command = arguments.command
    if command == "up":
        lab = Lab(arguments.apps, arguments.balancers, suite=arguments.suite)
        lab.up()
        print(f"inventory: {lab.inventory}\ntraffic: {' '.join(lab.urls())}")
    elif command == "down":
        Lab().down()
    elif command == "base":
        _base(arguments.suite, arguments.forget)
    elif command == "status":
        _status()
    elif command == "run":
        done = Lab.standing().run(arguments.host, arguments.argv, check=False)
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        return done.returncode
    elif command == "exec":
        argv = [*Lab.standing().inside(), *arguments.argv]
        os.execvp(argv[0], argv)
    else:
        getattr(Lab.standing(), command)(*arguments.hosts)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"fleet: {error}")
