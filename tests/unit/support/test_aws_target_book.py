# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake's targets live as AWS documents it."""

from __future__ import annotations

import pytest
from support.aws_targets import Seen, TargetRegistry, Times
from support.pools import ManualClock

KEY = ("10.0.0.1", 80)


class Story:
    def __init__(self, in_use: bool = True, **times: float) -> None:
        self.clock = ManualClock()
        self.times = Times(**{"initial": 4.0, "deregistration_delay": 10.0, **times})
        self.registry = TargetRegistry(lambda: self.clock.now, lambda: self.times, lambda: in_use)

    def after(self, seconds: float) -> tuple[str, str | None]:
        self.clock.sleep(seconds)
        return self.registry.seen(KEY)[:2]


def test_a_whole_life() -> None:
    story = Story()
    assert story.after(0) == ("unused", "Target.NotRegistered")
    story.registry.register(KEY)
    assert story.after(1) == ("initial", "Elb.RegistrationInProgress")
    assert story.after(2) == ("initial", "Elb.InitialHealthChecking")
    assert story.after(2) == ("healthy", None)
    story.registry.checked(KEY, False)
    assert story.after(0) == ("unhealthy", "Target.FailedHealthChecks")
    story.registry.checked(KEY, True)
    story.registry.deregister(KEY)
    assert story.after(9) == ("draining", "Target.DeregistrationInProgress")
    assert story.registry.listed() == [KEY]
    assert story.after(2) == ("unused", "Target.NotRegistered")
    assert story.registry.listed() == []


def test_registering_again_restarts_a_draining_target_and_leaves_a_registered_one_alone() -> None:
    story = Story()
    story.registry.register(KEY)
    assert story.after(5) == ("healthy", None)
    story.registry.register(KEY)
    assert story.after(0) == ("healthy", None)
    story.registry.deregister(KEY)
    assert story.after(1)[0] == "draining"
    story.registry.register(KEY)
    assert story.after(1)[0] == "initial"


def test_deregistering_what_is_not_registered_changes_nothing() -> None:
    story = Story()
    story.registry.deregister(KEY)
    story.registry.register(KEY)
    story.registry.deregister((KEY[0], 81))
    assert story.after(5) == ("healthy", None)


def test_a_group_in_no_use() -> None:
    story = Story(in_use=False)
    story.registry.register(KEY)
    assert story.after(5) == ("unused", "Target.NotInUse")


def test_unhealthy_draining_ends() -> None:
    story = Story(unhealthy_draining=3.0)
    story.registry.register(KEY)
    story.after(5)
    story.registry.checked(KEY, False)
    assert story.after(1)[0] == "unhealthy.draining"
    assert story.after(3)[0] == "unhealthy"


def test_a_change_shows_late() -> None:
    story = Story(lag=2.0)
    story.registry.register(KEY)
    assert story.after(1)[0] == "unused"
    assert story.after(5)[0] == "healthy"
    story.registry.deregister(KEY)
    assert story.after(1)[0] == "healthy"
    assert story.after(2)[0] == "draining"


@pytest.mark.parametrize("healthy", [0, 1, 2])
def test_where_requests_go(healthy: int) -> None:
    """To the healthy ones, and to all that are registered where none is."""
    story = Story()
    keys = [("10.0.0.1", port) for port in (80, 81, 82)]
    for key in keys:
        story.registry.register(key)
    story.registry.targets[keys[2]].forced = Seen("initial")
    story.clock.sleep(5)
    for key in keys[healthy:]:
        story.registry.checked(key, False)
    assert story.registry.routable() == (keys[:healthy] or keys[:2])
