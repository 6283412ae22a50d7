# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A coordinator that is reached by ssh and can be lost."""

from __future__ import annotations

import json
import pathlib
import typing as t

from fleet.lab.hosts import Lab

LIVES_ON = "lb1"
NAME = "keeper"
ADDRESS = "10.77.8.1/16"
LEDGER = "/var/lib/steady-rollout-ledger"
READ_EVENTS = (
    "import json, sqlite3, sys; c = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True); "
    "c.row_factory = sqlite3.Row; print(json.dumps([dict(r) for r in c.execute('SELECT * FROM event ORDER BY seq')]))"
)


class Coordinator:
    """A second address of a balancer: when it is gone, the coordinator is silent and the balancer answers still."""

    def __init__(self, lab: Lab, folder: pathlib.Path) -> None:
        self._lab = lab
        self._inventory = folder / "coordinator.ini"
        address = ADDRESS.partition("/")[0]
        host = f"{NAME} ansible_host={address} ansible_ssh_common_args='-o HostKeyAlias={LIVES_ON}'"
        self._inventory.write_text(f"# Reached as the balancers are.\n[balancers]\n{host}\n", encoding="utf-8")

    def __enter__(self) -> Coordinator:
        self.remove()
        self.appear()
        return self

    def __exit__(self, *_error: object) -> None:
        self.remove()

    @property
    def words(self) -> tuple[str, ...]:
        """What a playbook's command line needs to know it."""
        return ("-i", str(self._inventory))

    @property
    def settings(self) -> dict[str, t.Any]:
        return {"rollout_coordinator": NAME, "rollout_ledger": LEDGER}

    def appear(self) -> None:
        self._lab.run(LIVES_ON, ["ip", "address", "replace", ADDRESS, "dev", "eth0"])

    def vanish(self) -> None:
        """Packets to it are lost from now on, also those of open connections; nobody gets a word of it."""
        self._lab.run(LIVES_ON, ["ip", "address", "delete", ADDRESS, "dev", "eth0"])

    def remove(self) -> None:
        self._lab.run(LIVES_ON, ["ip", "address", "delete", ADDRESS, "dev", "eth0"], check=False)
        self._lab.run(LIVES_ON, ["rm", "-rf", LEDGER])

    def run(self, *argv: str) -> str:
        """What a command says there."""
        return self._lab.run(LIVES_ON, argv).stdout

    def events(self) -> list[dict[str, t.Any]]:
        """Past the collection and its network; none where there is no ledger yet."""
        done = self._lab.run(LIVES_ON, ["python3", "-c", READ_EVENTS, f"{LEDGER}/ledger.db"], check=False)
        return t.cast("list[dict[str, t.Any]]", json.loads(done.stdout)) if done.returncode == 0 else []
