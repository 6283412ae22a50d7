# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import (
    Entry,
    HookDue,
    Journal,
    RunOver,
    StepFailed,
)


def reopened(journal: Journal) -> Journal:
    """The journal as the next worker gets it."""
    return Journal(journal.dumped())


def test_a_step_is_performed_once_and_returns_the_same_to_the_next_worker() -> None:
    journal = Journal([])
    assert journal.perform("drain", "drain", lambda: {"drained_for": 1.5}) == {"drained_for": 1.5}
    again = reopened(journal)
    assert again.perform("drain", "drain", lambda: pytest.fail("performed twice")) == {"drained_for": 1.5}


def test_a_step_that_failed_fails_in_the_same_way_for_the_next_worker() -> None:
    def fail() -> dict[str, t.Any]:
        raise RolloutError("lb1: no.", kind="balancer")

    journal = Journal([])
    for one in (journal, None):
        with pytest.raises(StepFailed) as caught:
            (one or reopened(journal)).perform("drain", "drain", fail)
        assert (caught.value.kind, caught.value.error) == ("balancer", "lb1: no.")


def test_a_failure_without_a_kind_has_that_of_its_step() -> None:
    def fail() -> dict[str, t.Any]:
        raise StepFailed("", "it broke")

    with pytest.raises(StepFailed) as caught:
        Journal([]).perform("activate", "release", fail)
    assert caught.value.kind == "release"


def test_a_bug_in_a_step_is_a_failure_like_any_other_so_that_the_host_is_returned() -> None:
    def fail() -> dict[str, t.Any]:
        return {}["missing"]  # type: ignore[no-any-return]

    with pytest.raises(StepFailed) as caught:
        Journal([]).perform("health", "health", fail)
    assert (caught.value.kind, caught.value.error) == ("health", "internal error: KeyError: 'missing'")


def test_a_hook_is_due_until_its_outcome_is_recorded() -> None:
    journal = Journal([])
    with pytest.raises(HookDue) as due:
        journal.hook("before_drain", "/tasks/warn.yml")
    assert (due.value.step, due.value.path) == ("before_drain", "/tasks/warn.yml")
    after = reopened(journal)
    after.record_hook("before_drain", None, 2.0)
    after.hook("before_drain", "/tasks/warn.yml")


def test_a_hook_that_failed_raises_where_it_was_asked_for() -> None:
    journal = Journal([])
    journal.record_hook("update", {"kind": "step", "error": "exit 3"}, 1.0)
    with pytest.raises(StepFailed) as caught:
        journal.hook("update", "/tasks/update.yml")
    assert (caught.value.kind, caught.value.error) == ("step", "exit 3")


def test_the_same_step_may_come_twice_and_find_gives_the_last() -> None:
    journal = Journal([])
    journal.perform("health", "health", lambda: {"number": 1})
    journal.perform("health", "health", lambda: {"number": 2})
    found = journal.find("health")
    assert found
    assert found.result == {"number": 2}
    again = reopened(journal)
    assert [again.perform("health", "health", dict)["number"] for dummy in range(2)] == [1, 2]


def test_a_journal_of_other_steps_is_refused() -> None:
    journal = Journal([{"step": "drain"}])
    with pytest.raises(RolloutError) as refused:
        journal.perform("stage", "release", dict)
    assert (
        refused.value.message == "The journal of this host has 'drain' where 'stage' is next; run the playbook again."
    )


def test_nothing_is_performed_or_recorded_once_the_run_is_over() -> None:
    def over(step: str) -> None:
        raise RunOver("another run has taken over")

    journal = Journal([], before_step=over)
    with pytest.raises(RunOver):
        journal.perform("drain", "drain", lambda: pytest.fail("performed"))
    with pytest.raises(RunOver):
        journal.hook("update", "update.yml")
    assert journal.entries == []


def test_a_run_that_ends_during_a_step_leaves_no_failure_of_the_host() -> None:
    def lost() -> dict[str, t.Any]:
        raise RunOver("lease lost")

    journal = Journal([])
    with pytest.raises(RunOver):
        journal.perform("report proven", "coordinator", lost)
    assert journal.entries == []


def test_every_new_entry_is_shown_once_with_its_seconds() -> None:
    shown: list[Entry] = []
    ticks = iter([1.0, 3.5])
    journal = Journal([{"step": "admit"}], show=shown.append, now=lambda: next(ticks))
    journal.perform("admit", "coordinator", dict)
    journal.perform("drain", "drain", lambda: {"s": 2.5}, lambda result: f"{result['s']} s")
    assert shown == [Entry("drain", 2.5, "2.5 s", {"s": 2.5})]
