# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single modules on the lab's hosts, called as an operator does with `ansible HOST -m MODULE`."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

from fleet.lab.hosts import Lab
from fleet.lab.places import REPOSITORY

QUIET = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_DEPRECATION_WARNINGS": "0"}


@dataclasses.dataclass(frozen=True)
class Answer:
    """A module's result and, with --diff, the difference as it was shown."""

    state: str
    result: dict[str, t.Any]
    diff: str

    @property
    def changed(self) -> bool:
        return bool(self.result["changed"])


def call(lab: Lab, host: str, module: str, arguments: dict[str, t.Any], *words: str) -> Answer:
    """*words* are further options, such as --check and --diff."""
    return call_each(lab, host, module, arguments, *words)[host]


def call_each(
    lab: Lab, pattern: str, module: str, arguments: dict[str, t.Any], *words: str, within: t.Sequence[str] = ()
) -> dict[str, Answer]:
    """The same on all hosts of a pattern. *within* are the words that lead into another network than the controller's."""
    program = str(pathlib.Path(sys.executable).with_name("ansible"))
    argv = [*(within or lab.inside()), program, pattern, "-i", str(lab.inventory), "-m", f"steady.rollout.{module}"]
    done = subprocess.run(
        [*argv, "-a", json.dumps(arguments), *words],
        cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env={**os.environ, **QUIET},
    )  # fmt: skip
    hosts = re.findall(r"^(\S+) \| \w+!? => ", done.stdout, re.MULTILINE)
    if not hosts:
        raise AssertionError(f"no answer of {pattern}: {done.stdout}{done.stderr}")
    return {host: _read(done.stdout, host, done.stderr) for host in hosts}


def _read(output: str, host: str, errors: str) -> Answer:
    before, mark, after = output.partition(f"{host} | ")
    if not mark:
        raise AssertionError(f"no answer of {host}: {output}{errors}")
    state, _arrow, text = after.partition(" => ")
    result, _end = json.JSONDecoder().raw_decode(text.lstrip())
    return Answer(state.rstrip("!"), result, before)
