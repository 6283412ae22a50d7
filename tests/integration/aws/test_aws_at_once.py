# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many calls at once from processes of their own, and long series, on the fake of support.aws."""

from __future__ import annotations

import multiprocessing
import typing as t

from support.aws_world import World
from support.haproxy import Client, fetch

Balancer = t.Any
StartWorld = t.Callable[..., World]
MakeGroup = t.Callable[..., Balancer]

processes = multiprocessing.get_context("fork")


def all_at_once(act: t.Callable[[str], str], names: t.Sequence[str]) -> list[str]:
    """The errors of one call for each of *names*, all in processes of their own."""
    answers: t.Any = processes.Queue()
    children = [processes.Process(target=lambda name=name: answers.put(act(name))) for name in names]
    for child in children:
        child.start()
    errors = [answers.get(timeout=120) for _child in children]
    for child in children:
        child.join(10)
    return [error for error in errors if error]


def test_fifty_at_once_are_all_kept(start: StartWorld, make_group: MakeGroup) -> None:
    world = start(delay=300, members=2)
    ports = range(20001, 20051)
    targets = [{"Id": "127.0.0.1", "Port": port} for port in ports]
    world.elb.register_targets(TargetGroupArn=world.groups["shop"], Targets=targets)
    group = make_group(world, targets={f"many{port}": f"127.0.0.1:{port}" for port in ports})
    names = [f"many{port}" for port in ports]
    assert all_at_once(lambda name: str(group.put(name, state="drained", wait=False).error), names) == []
    members = group.info()["members"]
    assert {members[name]["admin"] for name in names} == {"drained"}
    assert all_at_once(lambda name: str(group.put(name, state="in_service", wait=False).error), names) == []
    members = group.info()["members"]
    assert {members[name]["admin"] for name in names} == {"in_service"}


def test_the_floor_holds_for_all_together(start: StartWorld, make_group: MakeGroup) -> None:
    world = start(members=5, delay=300)
    group = make_group(world)

    def drain(name: str) -> str:
        return str(group.put(name, state="drained", wait=False, guard={"min_in_service": 3}).error)

    assert len(all_at_once(drain, list(world.members))) == 3
    assert sorted(world.states().values()) == ["draining", "draining", "healthy", "healthy", "healthy"]


def test_twenty_drain_cycles_lose_no_request(start: StartWorld, make_group: MakeGroup, connections: t.Any) -> None:
    world = start(delay=300)
    world.aws.elb.times.initial = 0.1
    group = make_group(world, **{**connections, "connections_quiet": 0.1})
    with Client(t.cast("t.Any", world)) as client:
        for cycle in range(20):
            name = f"app{cycle % 3 + 1}"
            assert group.put(name, state="drained", timeout=20).error == ""
            assert group.put(name, state="in_service", timeout=20).error == ""
            assert fetch(world.port, f"/?to={name}") == (200, name)
    assert client.failures == []
    assert client.requests > 1000
