# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain of events: every change of the past shows, with the number of the first event it broke."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage import chain


def history(length):
    events, prev = [], chain.START
    for seq in range(1, length + 1):
        event = chain.sealed(seq, 1000.0 + seq, "shop", 1, "run-1", "proven", f"app{seq}", {"version": "2"}, prev)
        events.append(event)
        prev = event.hash
    return events, (length, prev)


def test_an_untouched_history_is_intact():
    assert chain.first_break(*history(5)) is None
    assert chain.first_break(*history(0)) is None


@given(st.integers(0, 9), st.sampled_from(chain.Event._fields), st.booleans())
def test_any_change_of_any_event_shows(number, field, reseal):
    events, head = history(10)
    changed = events[number]._replace(**{field: "something else" if field != "seq" else 99})
    if reseal and field not in ("hash", "prev", "seq"):
        changed = changed._replace(hash=chain.digest(changed))
        # A sealed forgery breaks the next link instead, or the head if it is the last one.
        assert chain.first_break([*events[:number], changed, *events[number + 1 :]], head) == number + 2
    else:
        assert chain.first_break([*events[:number], changed, *events[number + 1 :]], head) == number + 1


@pytest.mark.parametrize("number", [0, 4, 9])
def test_a_missing_event_shows(number):
    events, head = history(10)
    assert chain.first_break(events[:number] + events[number + 1 :], head) == number + 1


def test_swapped_events_show():
    events, head = history(3)
    assert chain.first_break([events[1], events[0], events[2]], head) == 1
