# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wait for health that systemd's own knowledge ends early and explains."""

from __future__ import annotations

import threading
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import Journal, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.unit_watch import wait_with_unit

Result = t.Dict[str, t.Any]
LOOK_AT_ONCE = 0.01
"""Seconds."""


def unit(restarts: int = 0, has_failed: bool = False, journal: t.Sequence[str] = ()) -> Result:
    return {"msg": "shop.service is active (running)", "restarts": restarts, "has_failed": has_failed,
            "journal": list(journal)}  # fmt: skip


def not_healthy() -> Result:
    raise StepFailed("health", "app1 not healthy within 16 s.", {"targets": []})


def test_a_healthy_service_needs_no_explanation() -> None:
    assert wait_with_unit(lambda: {"msg": "healthy"}, lambda wanted: unit(), LOOK_AT_ONCE) == {"msg": "healthy"}


@pytest.mark.parametrize("failing", [lambda looks: unit(has_failed=True), lambda looks: unit(restarts=len(looks))])
def test_a_service_that_systemd_gave_up_is_not_waited_for(failing: t.Callable[[list[int]], Result]) -> None:
    never, looks = threading.Event(), list[int]()

    def read(wanted: int) -> Result:
        looks.append(wanted)
        return {**failing(looks), "journal": ["no such table"] if wanted else []}

    def work() -> Result:
        never.wait()
        return {}

    with pytest.raises(StepFailed) as caught:
        wait_with_unit(work, read, LOOK_AT_ONCE)
    never.set()
    assert caught.value.error == "the service does not stay up. shop.service is active (running)."
    assert (caught.value.kind, caught.value.result["unit_journal"]) == ("health", ["no such table"])


def test_a_host_that_does_not_say_how_its_unit_is_fails_with_its_probes_alone() -> None:
    with pytest.raises(StepFailed) as caught:
        wait_with_unit(not_healthy, lambda wanted: None, LOOK_AT_ONCE)
    assert (caught.value.error, caught.value.result) == ("app1 not healthy within 16 s.", {"targets": []})


def test_other_errors_are_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_with_unit(lambda: {"": 1 / 0}, lambda wanted: unit(), LOOK_AT_ONCE)


def test_a_traceback_of_the_service_was_repeated_in_every_sentence_of_the_failure() -> None:
    """It filled the reason in the ledger and the last line of the output; it is shown once, line by line."""
    logged = ["Traceback (most recent call last):", "ConnectionResetError: [Errno 104]"]
    journal = Journal([])
    with pytest.raises(StepFailed) as caught:
        journal.perform(
            "health", "health", lambda: wait_with_unit(not_healthy, lambda wanted: unit(journal=logged), LOOK_AT_ONCE)
        )
    assert caught.value.error == "app1 not healthy within 16 s. shop.service is active (running)."
    shown = lines.of_entry("app1", journal.entries[0]).splitlines()
    assert shown[0].endswith("s  failed: app1 not healthy within 16 s. shop.service is active (running).")
    assert shown[1:] == ["    | Traceback (most recent call last):", "    | ConnectionResetError: [Errno 104]"]
