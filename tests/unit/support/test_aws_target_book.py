# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake's targets live as AWS documents it."""

from __future__ import annotations

import pytest
from support.aws_targets import Seen, TargetBook, Times
from support.pools import ManualClock

KEY = ("10.0.0.1", 80)


class Story:
    def __init__(self, in_use: bool = True, **times: float) -> None:
        self.clock = ManualClock()
        self.times = Times(**{"initial": 4.0, "deregistration_delay": 10.0, **times})
        self.book = TargetBook(lambda: self.clock.now, lambda: self.times, lambda: in_use)

    def after(self, seconds: float) -> tuple[str, str | None]:
        self.clock.sleep(seconds)
        return self.book.seen(KEY)[:2]


def test_a_whole_life() -> None:
    story = Story()
    assert story.after(0) == ("unused", "Target.NotRegistered")
    story.book.register(KEY)
    assert story.after(1) == ("initial", "Elb.RegistrationInProgress")
    assert story.after(2) == ("initial", "Elb.InitialHealthChecking")
    assert story.after(2) == ("healthy", None)
    story.book.checked(KEY, False)
    assert story.after(0) == ("unhealthy", "Target.FailedHealthChecks")
    story.book.checked(KEY, True)
    story.book.deregister(KEY)
    assert story.after(9) == ("draining", "Target.DeregistrationInProgress")
    assert story.book.listed() == [KEY]
    assert story.after(2) == ("unused", "Target.NotRegistered")
    assert story.book.listed() == []


def test_registering_again_starts_a_draining_target_anew_and_leaves_a_registered_one_alone() -> None:
    story = Story()
    story.book.register(KEY)
    assert story.after(5) == ("healthy", None)
    story.book.register(KEY)
    assert story.after(0) == ("healthy", None)
    story.book.deregister(KEY)
    assert story.after(1)[0] == "draining"
    story.book.register(KEY)
    assert story.after(1)[0] == "initial"


def test_deregistering_what_is_not_registered_changes_nothing() -> None:
    story = Story()
    story.book.deregister(KEY)
    story.book.register(KEY)
    story.book.deregister((KEY[0], 81))
    assert story.after(5) == ("healthy", None)


def test_a_group_in_no_use() -> None:
    story = Story(in_use=False)
    story.book.register(KEY)
    assert story.after(5) == ("unused", "Target.NotInUse")


def test_unhealthy_draining_ends() -> None:
    story = Story(unhealthy_draining=3.0)
    story.book.register(KEY)
    story.after(5)
    story.book.checked(KEY, False)
    assert story.after(1)[0] == "unhealthy.draining"
    assert story.after(3)[0] == "unhealthy"


def test_a_change_shows_late() -> None:
    story = Story(lag=2.0)
    story.book.register(KEY)
    assert story.after(1)[0] == "unused"
    assert story.after(5)[0] == "healthy"
    story.book.deregister(KEY)
    assert story.after(1)[0] == "healthy"
    assert story.after(2)[0] == "draining"


@pytest.mark.parametrize("healthy", [0, 1, 2])
def test_where_requests_go(healthy: int) -> None:
    """To the healthy ones, and to all that are registered where none is."""
    story = Story()
    keys = [("10.0.0.1", port) for port in (80, 81, 82)]
    for key in keys:
        story.book.register(key)
    story.book.targets[keys[2]].forced = Seen("initial")
    story.clock.sleep(5)
    for key in keys[healthy:]:
        story.book.checked(key, False)
    assert story.book.routable() == (keys[:healthy] or keys[:2])
