# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's own faults need around them: a host held in the middle of its update, and waiting for the moment."""

from __future__ import annotations

import contextlib
import pathlib
import time
import typing as t

from fleet.lab.hosts import Lab
from fleet.lab.machine import Machine
from fleet.lab.places import Host
from fleet.world.rolling import Run
from fleet.world.shop import Shop

HOLD = "/run/hold"
DROP_IN = "/run/systemd/system/shop.service.d"
HELD_START = f"[Service]\\nExecStartPre=/bin/sh -c 'while test -e {HOLD}; do sleep 0.05; done'\\n"
WITHIN = 120.0


class Held:
    """App hosts whose service, once it is restarted, does not come up before let_go()."""

    def __init__(self, shop: Shop, *names: str) -> None:
        self._lab = shop.lab
        self._names = names

    def __enter__(self) -> Held:
        for name in self._names:
            script = f'mkdir -p {DROP_IN}; printf "{HELD_START}" >{DROP_IN}/hold.conf; touch {HOLD}'
            self._lab.run(name, ["sh", "-c", f"{script}; systemctl daemon-reload"])
        return self

    def __exit__(self, *_error: object) -> None:
        for name in self._names:
            if is_on(self._lab, name):
                self._lab.run(name, ["sh", "-c", f"rm -rf {HOLD} {DROP_IN}; systemctl daemon-reload"])

    def let_go(self) -> None:
        for name in self._names:
            if is_on(self._lab, name):
                self._lab.run(name, ["rm", "-f", HOLD])

    def await_some(self, run: Run, count: int) -> set[str]:
        """Until so many are in the middle of their restart; returns which."""
        await_in(run, lambda: len(self._in_restart()) >= count, f"{count} hosts are being restarted")
        return self._in_restart()

    def _in_restart(self) -> set[str]:
        show = ["systemctl", "show", "--property=ActiveState", "--value", "shop"]
        return {name for name in self._names if self._lab.run(name, show).stdout.strip() == "activating"}


def failing_step(directory: pathlib.Path) -> str:
    """A task file that fails wherever it runs."""
    step = directory / "fails.yml"
    step.write_text('- name: Fail\n  ansible.builtin.command: "false"\n  changed_when: false\n', encoding="utf-8")
    return str(step)


def await_in(run: Run, is_so: t.Callable[[], bool], what: str, within: float = WITHIN) -> None:
    """Waits for a moment of a run; the test fails with the run's output when it never comes."""
    deadline = time.monotonic() + within
    while not is_so():
        assert not run.is_over, f"the run ended before {what}:\n{run.output}"
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}\n{run.output}"
        time.sleep(0.05)


def happened(shop: Shop, kind: str) -> list[str | None]:
    """The hosts of all events of a kind so far, in their order."""
    return [event["host"] for event in shop.events() if event["kind"] == kind]


def is_on(lab: Lab, name: str) -> bool:
    return Machine(lab.places, Host.named(name)).leader() is not None


@contextlib.contextmanager
def all_on_again(lab: Lab, *names: str) -> t.Iterator[None]:
    """At the end each of the hosts has its power and its cable back."""
    try:
        yield
    finally:
        lab.heal(*names)
        off = [name for name in names if not is_on(lab, name)]
        if off:
            lab.start(*off)
