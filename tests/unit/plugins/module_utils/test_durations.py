# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One way to read durations, for all options."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

FORMS = "expected seconds, or for example 30s, 5m or 1h30m."


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (300, 300.0),
        (0.25, 0.25),
        ("300", 300.0),
        (" 5m ", 300.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("1.5h", 5400.0),
        ("500ms", 0.5),
        ("2 min", 120.0),
        ("1d", 86400.0),
        (5e-324, 5e-324),
        ("366d", durations.LONGEST),
    ],
)
def test_what_users_write(written: object, seconds: float) -> None:
    assert durations.seconds("timeout", written) == seconds


@pytest.mark.parametrize(
    "written", [True, None, "", "soon", "-1", -1, "5x", "1e400", "nan", "inf", float("nan"), math.inf, "٣", "5m\n6", []]
)
def test_what_is_not_a_duration(written: object) -> None:
    with pytest.raises(InputError) as caught:
        durations.seconds("timeout", written)
    assert caught.value.message == f"timeout: '{written}' is not a duration; {FORMS}"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("400d", "timeout: 3.456e+07 s is out of range; expected from 5 to 3.16224e+07 s."),
        ("4", "timeout: 4 s is out of range; expected from 5 to 3.16224e+07 s."),
    ],
)
def test_what_is_out_of_range(written: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        durations.seconds("timeout", written, least=5)
    assert caught.value.message == message


def test_no_time_at_all() -> None:
    with pytest.raises(InputError) as caught:
        durations.positive("interval", "0s")
    assert caught.value.message == "interval: expected more than 0 s, found 0."


@given(st.floats(0, durations.LONGEST))
def test_every_number_of_seconds_is_itself(number: float) -> None:
    assert durations.seconds("timeout", number) == number
