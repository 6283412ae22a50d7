# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of AWS for every test, and the modules' cores on it."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.modules import lb_member, lb_member_info, lb_weight
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import run_command

try:
    from support.aws_world import CONNECTIONS, World
except ImportError:
    collect_ignore_glob = ["test_*.py"]

from support.cores import Outcome, params_of
from support.fixtures import directory, state_directory

__all__ = ["directory", "state_directory"]

StartWorld = t.Callable[..., "World"]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[StartWorld]:
    """Starts one account; the test's end stops it. The process then reaches no other AWS."""
    worlds: list[World] = []

    def start_world(**options: t.Any) -> World:
        world = World(**options).__enter__()
        worlds.append(world)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in world.aws.environment().items():
            monkeypatch.setenv(name, value)
        return world

    yield start_world
    for world in worlds:
        world.__exit__()


@pytest.fixture
def world(start: StartWorld) -> World:
    """Three healthy targets."""
    return start()


class Balancer:
    """The modules as a playbook uses them, on one pool."""

    def __init__(self, **settings: t.Any) -> None:
        self.settings = settings

    def put(self, *members: str, state: str, **options: t.Any) -> Outcome:
        return call(lb_member, balancer=dict(self.settings), members=list(members), state=state, **options)

    def put_states(self, states: dict[str, str], **options: t.Any) -> Outcome:
        return call(lb_member, balancer=dict(self.settings), states=states, **options)

    def info(self, **options: t.Any) -> Outcome:
        return call(lb_member_info, balancer=dict(self.settings), **options)

    def split(self, wait: bool = False, **options: t.Any) -> Outcome:
        return call(lb_weight, balancer=dict(self.settings), wait=wait, **options)


def call(module: t.Any, check_mode: bool = False, diff: bool = False, **options: t.Any) -> Outcome:
    """Runs the core of *module* in this process, with real commands."""
    warnings: list[str] = []
    made = Call(params_of(module, options), check_mode, diff, warnings.append, run_command)
    try:
        return Outcome(module.core(made), "", warnings)
    except RolloutError as error:
        return Outcome(error.result, error.message, warnings)


@pytest.fixture
def group(world: World) -> Balancer:
    """The target group shop, its targets by the names of the members."""
    return target_group(world)


def target_group(world: World, **settings: t.Any) -> Balancer:
    return Balancer(**{"type": "aws_target_group", "pool": "shop", "targets": world.targets(), **settings})


@pytest.fixture
def make_group() -> t.Callable[..., Balancer]:
    return target_group


@pytest.fixture
def make_balancer() -> type[Balancer]:
    return Balancer


@pytest.fixture
def connections() -> dict[str, t.Any]:
    """The settings by which a drain ends early."""
    return {"connections_command": CONNECTIONS, "connections_quiet": 0.4}
