# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one more host fits into the maintenance window, and what is said where it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import window
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.window import Window

CLOSES = 1_790_000_000.0
EU = {"eu": CLOSES, "us": 0.0, "": CLOSES - 60}


@pytest.mark.parametrize(
    ("zone", "before", "why"),
    [
        ("eu", 41, ""),
        ("eu", 40, ""),
        ("eu", 39, "the maintenance window closes at 2026-09-21 14:13:20 UTC, in 39 s, and a host takes 40 s"),
        ("eu", 0, "the maintenance window closed at 2026-09-21 14:13:20 UTC"),
        ("us", 100, "outside the maintenance window of us"),
        ("ap", 101, ""),
        ("ap", 99, "the maintenance window closes at 2026-09-21 14:12:20 UTC, in 39 s, and a host takes 40 s"),
    ],
)
def test_a_host_starts_where_its_site_is_open_for_long_enough(zone: str, before: float, why: str) -> None:
    assert Window(EU, 40.0).objection(zone, CLOSES - before) == why


def test_without_a_history_hosts_start_until_it_closes() -> None:
    assert Window(EU).objection("eu", CLOSES - 0.1) == ""


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(values: list[float], percent: float) -> None:
    found = window.percentile(values, percent)
    assert found in values
    enough = [value for value in values if sum(one <= value for one in values) >= len(values) * percent / 100 - 1e-9]
    assert found == min(enough)


def test_what_is_given_beats_what_was_measured() -> None:
    given_window = {"closes": {"": 5}, "host_seconds": "1m", "next": "n", "override": ""}
    assert window.validated(given_window, 7.0) == Window({"": 5.0}, 60.0, "n")
    assert window.validated({"closes": {"": 5}, "host_seconds": ""}, 7.0) == Window({"": 5.0}, 7.0)
    assert window.validated({"closes": {}}, 7.0) is None
    assert window.validated(None, 7.0) is None


@pytest.mark.parametrize("closes", [{"": "soon"}, {"": -1}, {"": float("nan")}, {"": 1e300}, "always"])
def test_an_end_that_is_no_time_is_refused(closes: object) -> None:
    with pytest.raises(InputError) as refused:
        window.validated({"closes": closes}, None)
    assert refused.value.message == (
        f"window.closes: {closes!r} is not such as {{'': 1790000000}}; expected seconds since 1970 by site."
    )
