# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout of hosts that only ask for their place and report: so that very many can wait at once."""

from __future__ import annotations

import json
import pathlib
import typing as t

from fleet.world.coordinator import LEDGER, NAME

OF_THE_RUN = {"service": "many", "ledger": LEDGER, "run": "{{ opened.run }}", "token": "{{ opened.token }}"}


def write(folder: pathlib.Path, count: int, window: int) -> tuple[str, str]:
    """(playbook, inventory) of a rollout of so many hosts, of which so many may be out at a time."""
    names = [f"many{number}" for number in range(1, count + 1)]
    playbook, inventory = folder / "many.yml", folder / "many.ini"
    # JSON is YAML too.
    playbook.write_text(json.dumps([_begin(names, window), _roll(), _conclude(names)]), encoding="utf-8")
    lines = ["[many]", *(f"{name} ansible_connection=local" for name in names)]
    inventory.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(playbook.with_suffix("")), str(inventory)


def _begin(names: t.Sequence[str], window: int) -> dict[str, t.Any]:
    opened = _once("rollout", state="opened", service="many", version="2.0.0", ledger=LEDGER)
    policy = {"max_unavailable": window, "min_available": "50%"}
    planned = _once("rollout", state="planned", policy=policy, hosts=_seen(names, "1.0.0"), balancers=[], **OF_THE_RUN)
    return _play({**opened, "register": "opened"}, planned)


def _roll() -> dict[str, t.Any]:
    host = {**OF_THE_RUN, "host": "{{ inventory_hostname }}"}
    play = _play(
        _task("rollout_host", state="admitted", **host), _task("rollout_host", state="proven", version="2.0.0", **host)
    )
    return {**play, "strategy": "host_pinned"}


def _conclude(names: t.Sequence[str]) -> dict[str, t.Any]:
    return _play(_once("rollout", state="concluded", hosts=_seen(names, "2.0.0"), balancers=[], **OF_THE_RUN))


def _play(*tasks: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"hosts": "many", "gather_facts": False, "tasks": tasks}


def _task(module: str, **options: t.Any) -> dict[str, t.Any]:
    return {f"steady.rollout.{module}": options, "delegate_to": NAME}


def _once(module: str, **options: t.Any) -> dict[str, t.Any]:
    return {**_task(module, **options), "run_once": True}


def _seen(names: t.Sequence[str], version: str) -> list[dict[str, t.Any]]:
    return [{"name": name, "healthy": True, "version": version} for name in names]
