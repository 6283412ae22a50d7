# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of spans against a set of minutes."""

from __future__ import annotations

import datetime as dt
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.plugin_utils.windows.spans import Span, merged, without

ZERO = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
MINUTE = dt.timedelta(minutes=1)
SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=8).map(
    lambda pairs: [Span(ZERO + first * MINUTE, ZERO + (first + length) * MINUTE) for first, length in pairs]
)


def minutes(spans: t.Iterable[Span]) -> set[int]:
    return {number for number in range(60) for span in spans if span.holds(ZERO + number * MINUTE)}


@given(SPANS)
def test_merged_spans_hold_the_same_time_and_do_not_touch(spans: list[Span]) -> None:
    found = merged(spans)
    assert minutes(found) == minutes(spans)
    assert all(before.end < after.start for before, after in zip(found, found[1:]))


@given(SPANS, SPANS)
def test_what_is_closed_is_cut_out(spans: list[Span], closed: list[Span]) -> None:
    assert minutes(without(spans, closed)) == minutes(spans) - minutes(closed)
